"""Configs that no one should write: mutated ones, and some made to do harm."""

from pathlib import Path

import yaml
from damage import damaged

SHIPPED = [Path(f"config/{name}.yaml").read_bytes() for name in ("demo", "cifar10", "imagenet")]
_VALUES = [
    None, True, False, 0, 1, -1, 8, 14, 0.5, 1e-320, 1e308, 10**30, 10**400, float("nan"), float("inf"), -float("inf"),
    "", " ", "x" * 10_000, "\n", "s\n", "../../up", "/", "a/b", "~", "$(touch x)", "`id`", "{params}", "%s", "'", '"',
    "\0", "\ud800", "é", "\u202e", "<script>alert(1)</script>", "{{ 1 }}", "resnet", "magma", "2020-01-01", b"bytes",
    [], {}, [None], [[]], [[[]]], {"": None}, {1: 2}, {None: None}, [1, 1], [1, "1"], {"depth": 8}, {"width": 1},
    list(range(1000)), ("a", "b"),
]  # fmt: skip
_LAUGHS = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 30))
_DEMO = SHIPPED[0].decode()
HOSTILE = {
    name: text if isinstance(text, bytes) else text.encode()
    for name, text in {
        "empty": "",
        "a scalar": "study",
        "a list": "[1, 2]",
        "code by a tag": "study: !!python/object/apply:os.system ['touch pwned']",
        "code by a module": "study: !!python/module:os",
        "code by a new object": "!!python/object/new:os._wrap_close [a]",
        "code by yte": _DEMO + "\n__use_yte__: true\n?import os; os.mkdir('pwned'): {}\n",
        "laughs": f"l0: &l0 lol\n{_LAUGHS}\n{_DEMO}",
        "laughs in a key that is known": f"l0: &l0 lol\n{_LAUGHS}\nstudy: *l29\n",
        "itself": "study: &a [*a]",
        "itself in a mapping": "&a {study: *a}",
        "itself as a grid": _DEMO.replace("grid:", "grid: &g [*g]\nother:"),
        "deep lists": "study: " + "[" * 2000,
        "deep lists that end": "study: " + "[" * 1000 + "]" * 1000,
        "deep mappings": "study: " + "{a: " * 1000 + "1" + "}" * 1000,
        "no date": "study: 2020-13-45",
        "a number of many digits": "study: " + "9" * 100_000,
        "a hexadecimal number of many digits": "study: 0x" + "f" * 100_000,
        "an integer without digits": "study: 0x_",
        "a list as a key": "? [a, b]\n: 1",
        "a mapping as a key": "? {a: b}\n: 1",
        "keys of two kinds": "1: a\nstudy: b\nnull: c",
        "a key of two lines": '"a\\nb": 1',
        "a set": "study: !!set {a, b}",
        "ordered pairs that hold themselves": "study: !!omap [&a {a: *a}]",
        "merged with itself": "&a {<<: *a, study: b}",
        "several documents": f"{_DEMO}\n---\n{_DEMO}",
        "a directive": "%YAML 9.9\n---\nstudy: a",
        "an unknown anchor": "study: *nothing",
        "not text": bytes(range(256)),
        "UTF-16": _DEMO.encode("utf-16"),
        "UTF-16 without a mark": _DEMO.encode("utf-16-le"),
        "Latin-1": f"{_DEMO}\n# Käse".encode("latin-1"),
        "comments alone": "# study: a\n\n# ---\n",
        "a mark alone": "---\n...\n",
        "a control character": "study: a\x07b",
        "a control character by its number": 'study: "a\\x07b"',
        "half of a character": '{"study": "\\ud800"}',
        "a mark in the middle": _DEMO.replace("grid:", "\ufeffgrid:"),
        "tabs": _DEMO.replace("  ", "\t"),
        "a truth value that is none": "study: !!bool maybe",
        "a number that is none": "study: !!float ''",
        "bytes": "study: !!binary aGk=",
        "a text that is nothing": _DEMO.replace("study: demo", "study: !!null demo"),
        "deep JSON": '{"study": ' + "[" * 100_000,
        "JSON twice": '{"study": "a"}{"study": "b"}',
        "a key twice in JSON": '{"study": "a", "study": "b"}',
        "not a number in JSON": '{"study": NaN}',
        "a merge with a number": "<<: 1\nstudy: a",
        "a NUL": _DEMO.encode() + b"\0",
        "a study elsewhere": _DEMO.replace("study: demo", "study: ../../../elsewhere"),
        "a study at the root": _DEMO.replace("study: demo", "study: /elsewhere"),
        "a study with the end of a line": _DEMO.replace("study: demo", 'study: "demo\\n"'),
        "a long study": _DEMO.replace("study: demo", "study: " + "a" * 300),
        "a data set elsewhere": _DEMO.replace("name: digits", "name: ../../etc"),
        "a script as the study": _DEMO.replace("study: demo", "study: <script>alert(1)</script>"),
        "a huge product": yaml.safe_dump(
            {
                "study": "s",
                "dataset": {"name": "cifar10"},
                "training": {},
                "grid": [
                    {
                        "depths": [6 * n + 2 for n in range(1, 100)],
                        "widths": list(range(1, 100)),
                        "seeds": list(range(100)),
                    }
                ],
            }
        ),
        "a depth without end": _DEMO.replace("depths: [", "depths: [6000000000000002, "),
        "a file as a family": _DEMO.replace(
            "grid:\n", "grid:\n  - {family: ../../x, depths: [8], widths: [1], seeds: [1]}\n"
        ),
    }.items()
}


def as_bytes(rng):
    """A shipped config after an accident."""
    return damaged(rng.choice(SHIPPED), rng)


def mutated(rng):
    """A shipped config with up to three values, keys or entries that are others."""
    content = yaml.safe_load(rng.choice(SHIPPED))
    for _ in range(rng.randint(0, 3)):
        place, key = rng.choice([*_places(content)] or [({}, "study")])
        rng.choice([_replace, _replace, _remove, _rename, _exchange])(content, place, key, rng)
    return yaml.dump(content, Dumper=_Dumper).encode("utf-8", "surrogatepass")


class _Dumper(yaml.SafeDumper):
    """Writes a tuple as the list that it is for a reader of YAML."""


_Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(value))


def _places(content):
    """(container, key or index) of all values in a config."""
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield content, key
        yield from _places(value)


def _replace(_content, place, key, rng):
    place[key] = rng.choice(_VALUES)


def _remove(_content, place, key, _rng):
    del place[key]


def _rename(_content, place, key, rng):
    if isinstance(place, dict):
        place[rng.choice(["unknown", "", "seed", "models", 1, None, True, "a\nb"])] = place.pop(key)


def _exchange(content, place, key, rng):
    other, another = rng.choice([*_places(content)])
    place[key] = other[another]
