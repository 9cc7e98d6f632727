"""Texts of YAML with what a person reads in them: documents, numbers of all spellings, other forms of a config."""

import json

import yaml


class Refused:
    """Stands for the value of what must be refused."""


_INF, _NAN = float("inf"), float("nan")
# Scalars that are read as they look, and those that readers take for different things, or for nothing.
_SCALARS = [
    ("8", 8), ("-3", -3), ("+8", 8), ("0", 0), ("-0", 0), ("1_000", 1000), ("0x10", 16), ("0b11", 3), ("0.5", 0.5),
    (".5", 0.5), ("5.", 5.0), ("1.5e+3", 1500.0), ("1e-3", "1e-3"), (".inf", _INF), ("-.INF", -_INF), (".NaN", _NAN),
    ("true", True), ("False", False), ("yes", True), ("NO", False), ("on", True), ("OFF", False), ("~", None),
    ("null", None), ("abc", "abc"), ("a b", "a b"), ("08", "08"), ("0o10", "0o10"), ("1:60", "1:60"),
    ("2020-1-1", "2020-1-1"), ("0x1G", "0x1G"), ("a#b", "a#b"), ("é", "é"), ("-a", "-a"), ("y", "y"), ("n", "n"),
    ("1.2.3", "1.2.3"), ("9" * 30, int("9" * 30)), ("'010'", "010"), ('"1:30"', "1:30"), ("'it''s'", "it's"),
    (r'"a\nb"', "a\nb"), (r'"\u00e9\x41"', "éA"), ("'yes'", "yes"), ("''", ""), ('"~"', "~"), ("[]", []), ("{}", {}),
    ("! 8", 8), ("!!int 8", 8), ("!!str abc", "abc"),
]  # fmt: skip
_REFUSED = [
    "010", "-0_10", "00", "1:30", "190:20:30.15", "2020-01-01", "2001-12-14t21:59:43.10-05:00", "0x_",
    "!!python/name:os.system", "!!python/object/apply:os.system ['touch x']", "!!int '8'", "!!int ''", "!!str 8",
    "!!float 8", "!!float ''", "!!bool maybe", "!!bool 1", "!!null x", "!!binary aGk=", "!!set {a}", "!!omap [a: 1]",
    "!new x", "<<", "=", "*unknown", "%x", "@x", "`x`", "{", "]", '"open', "'open", "a: b: c", "\x07", "\x7f",
    "!!timestamp 2020-01-01", "!!seq {a: 1}", "!!map [a]", r'"\q"', "9" * 5000,
]  # fmt: skip
_KEYS = ["a", "b", "key one", "é", "x-y", "'on'", '"1"', "'2020-01-01'", "null x", "0x"]
_READ_KEYS = {"'on'": "on", '"1"': "1", "'2020-01-01'": "2020-01-01"}
_REFUSED_KEYS = ["on", "1", "1.5", "~", "yes", "2020-01-01", "[a]", "{a: b}", "0x10", "? [a]\n", "!!int '1'", "="]


class Document:
    """A random text of YAML.

    Attributes:
        text: of the document.
        value: what a person reads in it; Refused where it must be refused.
    """

    def __init__(self, rng):
        self._rng, self._anchors, self._is_refused = rng, {}, False
        # One fault in half of the documents, at a place by chance.
        self._faults = rng.choice([0, 1])
        text, value = self._mapping(rng.randint(1, 3), 0)
        self.text = text.lstrip("\n") + "\n"
        self.value = Refused if self._is_refused else value

    def _is_faulty(self):
        if self._faults and self._rng.random() < 0.1:
            self._faults -= 1
            self._is_refused = True
            return True
        return False

    def _value(self, depth, indent):
        """(text after a key's colon, value), in a block, or within brackets where `indent` is None."""
        rng = self._rng
        if self._anchors and rng.random() < 0.15:
            name = rng.choice(sorted(self._anchors))
            return f" *{name}", self._anchors[name]
        if depth and rng.random() < 0.6:
            text, value = rng.choice([self._mapping, self._list])(depth, indent if rng.random() < 0.7 else None)
        elif self._is_faulty():
            return f" {rng.choice(_REFUSED)}", None
        else:
            text, value = rng.choice(_SCALARS)
            text = f" {text}"
        if rng.random() < 0.15 and not text.startswith((" !", " &")):
            name = f"n{len(self._anchors)}"
            self._anchors[name] = value
            text = f" &{name}{text}"
        return text, value

    def _entries(self, depth, indent):
        """list of (text of a key, text of its value, key, value)."""
        rng, entries = self._rng, []
        for key in rng.sample(_KEYS, rng.randint(1, 4)):
            text, value = self._value(depth - 1, None if indent is None else indent + 2)
            entries.append((key, text, _READ_KEYS.get(key, key), value))
        mappings = [name for name, value in self._anchors.items() if isinstance(value, dict)]
        if mappings and rng.random() < 0.3:
            name = rng.choice(mappings)
            entries.append(("<<", f" *{name}", None, self._anchors[name]))
        if self._is_faulty():
            fault = rng.choice([rng.choice(entries)[0], *_REFUSED_KEYS])
            entries.insert(rng.randrange(len(entries) + 1), (fault, " 1", "", 1))
        return entries

    def _mapping(self, depth, indent):
        entries = self._entries(depth, indent)
        merged = next((value for _, _, key, value in entries if key is None), {})
        value = {**merged, **{key: value for _, _, key, value in entries if key is not None}}
        if indent is None:
            return f" {{{', '.join(f'{key}:{text}' for key, text, _, _ in entries)}}}", value
        return "".join(f"\n{' ' * indent}{key}:{text}" for key, text, _, _ in entries), value

    def _list(self, depth, indent):
        items = [self._value(depth - 1, None) for _ in range(self._rng.randint(0 if indent is None else 1, 4))]
        values = [value for _, value in items]
        if indent is None:
            return f" [{','.join(text for text, _ in items)}]", values
        return "".join(f"\n{' ' * indent}-{text}" for text, _ in items), values


# The number or truth value that a person reads; Refused where there is none.
NUMBERS = {
    "8": 8, "16": 16, "010": 10, "08": 8, "0o10": 8, "0x10": 16, "0X10": 16, "0b1000": 8, "1_6": 16, "1__6": 16,
    "16_": 16, "_16": Refused, "1e1": 10, "1E+1": 10, "1.e1": 10, "1.6e1": 16, "1.6e+1": 16, "8.0": 8, "8.": 8,
    "0.5": 0.5, ".5": 0.5, "5e-1": 0.5, "+8": 8, "-8": -8, "--8": Refused, "1,0": Refused, "1 6": Refused,
    "12:30": Refused, "1:30:00": Refused, "½": 0.5, "１６": 16, "٨": 8, "1/2": 0.5, "8%": Refused, "8#": Refused,
    "8 # nine": 8, "1e400": _INF, ".inf": _INF, "-.inf": -_INF, "inf": _INF, ".nan": _NAN, "nan": _NAN, "1e-3": 0.001,
    "1e-320": 1e-320, "0": 0, "-0": 0, "-0.0": 0, "'8'": 8, '"8"': 8, "!!int 8": 8, "!!int '8'": 8, "!!str 8": 8,
    "!!float 8": 8, "8e0": 8, "0x1p3": 8, "1_0e1": 100, "true": True, "TRUE": True, "tRUE": True, "yes": True,
    "y": True, "on": True, "false": False, "No": False, "n": False, "off": False, "'yes'": True, "1e": Refused,
    "e1": Refused, "+": Refused, "-": Refused, ".": Refused, "9" * 400: int("9" * 400),
    "0x" + "f" * 5000: 16**5000 - 1, "2020-01-01": Refused,
}  # fmt: skip
_PLACE = "PLACE"
# A key for numbers, whole ones, truth values and texts of each section.
NUMBER_KEYS = [
    ("training", "learning_rate"), ("training", "epochs"), ("training", "batch_size"), ("training", "flip"),
    ("training", "momentum"), ("training", "l2"), ("dumps", "batch_size"), ("dumps", "passes"), ("dumps", "keep"),
    ("grid", 0, "depths", 0), ("grid", 0, "widths", 0), ("grid", 0, "seeds", 0), ("study",), ("figures", "colour_map"),
]  # fmt: skip


def with_number(content, path, spelling, as_json):
    """The text of a config with a spelling of a number at a place.

    Args:
        content: of a config, which is changed.
        path: of keys and positions.
        spelling: of the value there.
        as_json: whether to write it with the brackets of JSON.
    """
    inner = content
    for key in path[:-1]:
        inner = inner.setdefault(key, {}) if isinstance(key, str) else inner[key]
    inner[path[-1]] = _PLACE
    if as_json:
        return json.dumps(content).replace(f'"{_PLACE}"', f"{spelling} " if "#" not in spelling else f"{spelling}\n")
    return yaml.safe_dump(content, sort_keys=False).replace(_PLACE, spelling)


def _with_comments(text, rng):
    return "\n".join(f"{line}  # 1: &a *b !c" if rng.random() < 0.3 and line else line for line in text.split("\n"))


def _dumped(text, rng):
    """As a program writes it."""
    options = {
        "default_flow_style": rng.choice([True, False, None]),
        "width": rng.choice([20, 80, 1000]),
        "indent": rng.choice([2, 4, 8]),
        "sort_keys": rng.random() < 0.5,
        "explicit_start": rng.random() < 0.5,
        "explicit_end": rng.random() < 0.5,
        "version": rng.choice([None, (1, 1), (1, 2)]),
        "line_break": rng.choice([None, "\r", "\r\n"]),
    }
    return yaml.safe_dump(yaml.safe_load(text), **options)


def _merged(text, rng):
    """One key of the training stands in a mapping that is merged into it."""
    content = yaml.safe_load(text)
    key = rng.choice(sorted(content["training"]))
    one = content["training"].pop(key)
    content["training"]["<<"] = _PLACE
    return yaml.safe_dump(content).replace(f"'<<': {_PLACE}", f"<<: {{{key}: {json.dumps(one)}}}")


_FORMS = [
    lambda text, _rng: "\ufeff" + text,
    lambda text, _rng: text.replace("\n", "\r\n"),
    lambda text, _rng: text.replace("\n", "\r"),
    lambda text, _rng: "\n\n" + text + "\n\n# the end",
    lambda text, _rng: "%YAML 1.1\n---\n" + text + "\n...\n",
    lambda text, rng: json.dumps(yaml.safe_load(text), indent=rng.choice([None, 0, 4, "\t"])),
    _with_comments,
    _dumped,
    _merged,
]
_ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp437"]


def other_form(content, rng):
    """The bytes of a config in another form, and whether it must be refused, as of another encoding."""
    text = rng.choice(_FORMS)(content.decode(), rng)
    if rng.random() < 0.2:
        return (text.removeprefix("\ufeff") + "\n# é\n").encode(rng.choice(_ENCODINGS)), True
    return text.encode(), False
