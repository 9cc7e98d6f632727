"""What the text of a config may say: what Snakemake and its author read alike, or one sentence with key and line."""

import math

import example
import pytest
import yaml
from snakemake.common.configfile import load_configfile

from widedeep.runtime.errors import UserError
from widedeep.study import checks, reading

CONFIG = yaml.safe_dump(example.CONFIG)

SAME = {
    "plain": ("a: 1\nb: [x, 2.5, true, ~]", {"a": 1, "b": ["x", 2.5, True, None]}),
    "JSON": ('{"a": 1e-3, "b": "\\ud83d\\ude00"}', {"a": 0.001, "b": "\U0001f600"}),
    "JSON with tabs": ('{\t"a":\t[1]}', {"a": [1]}),
    "quotes": ("a: '010'\nb: \"1:30\"\n'on': 'yes'", {"a": "010", "b": "1:30", "on": "yes"}),
    "truth values": ("a: yes\nb: off\nc: True", {"a": True, "b": False, "c": True}),
    "other bases": ("a: 0x10\nb: 0b11\nc: 1_000", {"a": 16, "b": 3, "c": 1000}),
    "zeros": ("a: 0\nb: 0.5\nc: -0", {"a": 0, "b": 0.5, "c": 0}),
    "exponents": ("a: 1.0e-3\nb: 1e-3", {"a": 0.001, "b": "1e-3"}),
    "infinity": ("a: .inf", {"a": math.inf}),
    "an alias": ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    "a merged mapping, one key replaced": ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", None),
    "a byte order mark": ("\ufeffa: 1", {"a": 1}),
    "Windows": ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    "one document with marks": ("---\na: 1\n...\n", {"a": 1}),
}
REFUSED = {
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3: config key a: is given twice, first in line 1"),
    "an inner key twice": ("a:\n  - b: 1\n    'b': 2", r"line 3: config key a\[0\]\.b: is given twice"),
    "a key twice in JSON": ('{"a": {"b": 1, "c": 2, "b": 3}}', "config key b is given twice"),
    "two merges": ("a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x", "line 4: config key c.<<: is given twice"),
    "octal": ("a: 1\nb: [8, 010]", r"line 2: config key b\[1\]: 010 is an octal number, 8"),
    "negative octal": ("b: -0_10", "line 1: config key b: -0_10 is an octal number, 8"),
    "a tag that makes text a number": ("b: !!int '010'", "line 1: config key b: has the tag .*int"),
    "a tag that makes a number text": ("b: !!str 010", "line 1: config key b: has the tag .*str"),
    "a tag that makes text nothing": ("b: !!null x", "line 1: config key b: has the tag .*null"),
    "a truth value that is none": ("b: !!bool maybe", "line 1: config key b: has the tag .*bool"),
    "a number without digits": ("b: !!float ''", "line 1: config key b: has the tag .*float"),
    "base 60": ("a: 1:30", "line 1: config key a: 1:30 is a number of base 60"),
    "base 60 with a point": ("a: 1:30.5", "line 1: config key a: 1:30.5 is a number of base 60"),
    "a date": ("study: 2021-01-01", "line 1: config key study: 2021-01-01 is a date"),
    "a truth value as a key": ("a: 1\non: 2", "line 2: the config: on is a key and no text"),
    "a number as a key": ("a:\n  1: x", "line 2: config key a: 1 is a key and no text"),
    "nothing as a key": ("? \n: 1", "line 1: the config: nothing is a key and no text"),
    "a list as a key": ("? [a]\n: 1", "line 1: the config: a list or mapping is a key"),
    "a tag of Python": ("a: !!python/tuple [1]", "line 1: config key a: has the tag .*python/tuple"),
    "a tag of one's own": ("a: !new {b: 1}", "line 1: config key a: has the tag !new"),
    "a set": ("a: !!set {b}", "line 1: config key a: has the tag .*set"),
    "itself": ("a:\n  - &x [1, *x]", r"line 2: config key a\[0\]\[1\]: holds itself"),
    "merged with itself": ("a: &x {b: 1, <<: *x}", "line 1: config key a.<<: holds itself"),
    "a tab": ("a:\n\t- b", "YAML .*line 2"),
    "two documents": ("a: 1\n---\nb: 2", "YAML .*single document.*line 2"),
    "an unknown alias": ("a: *x", "YAML .*undefined alias.*line 1"),
}


def written(folder, text, encoding="utf-8"):
    path = folder / "study.yaml"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("case", SAME)
def test_values_are_those_that_snakemake_sees(tmp_path, case):
    text, expected = SAME[case]
    path = written(tmp_path, text)
    found = reading.content(path)
    assert found == load_configfile(path)
    assert found == (expected or {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}})


@pytest.mark.parametrize("case", REFUSED)
def test_what_readers_take_differently_is_refused(tmp_path, case):
    text, words = REFUSED[case]
    with pytest.raises(UserError, match=rf"study\.yaml: .*{words}.*\.$") as refusal:
        reading.content(written(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_an_empty_file_is_no_study(tmp_path):
    with pytest.raises(UserError, match=r"study\.yaml: the config: should be a mapping"):
        checks.read(written(tmp_path, "# nothing\n"))


def test_other_encodings_are_refused(tmp_path):
    for encoding in ("utf-16", "utf-16-le", "latin-1"):
        with pytest.raises(UserError, match=r"study\.yaml: "):
            checks.read(written(tmp_path, CONFIG + "# Käse", encoding))


@pytest.mark.parametrize("written_as", ["1e-3", "1E-3", "+1e-3", ".1e-2", "1.e-3", "0.001", "1.0e-3"])
def test_a_number_in_scientific_form_is_a_number(tmp_path, written_as):
    text = CONFIG.replace("training:\n", f"training:\n  learning_rate: {written_as}\n")
    path = written(tmp_path, text)
    for study in (checks.read(path), checks.checked(load_configfile(path))):
        assert study.training.learning_rate == 0.001


def test_lists_of_numbers_in_scientific_form_are_numbers():
    content = example.changed("grid.0.fractions", ["1e0", "5e-1"])
    assert checks.checked(content).grid[0].fractions == [1.0, 0.5]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("training.epochs", "1e2", "training.epochs: .*integer.*'1e2'"),
        ("training.learning_rate", "1e999", "training.learning_rate: .*finite.*inf"),
        ("training.learning_rate", "0.1", r"training.learning_rate: .*number.*'0\.1'"),
        ("training.learning_rate", "e-3", "training.learning_rate: .*number.*'e-3'"),
        ("training.flip", "1e0", "training.flip: .*'1e0'"),
    ],
)
def test_no_other_text_is_a_number(key, value, words):
    with pytest.raises(UserError, match=words):
        checks.checked(example.changed(key, value))


def test_a_name_in_scientific_form_stays_text():
    assert checks.checked(example.changed("study", "1e-3")).study == "1e-3"


def test_aliases_of_aliases_are_checked_once(tmp_path, monkeypatch):
    checked = []
    check = reading._check
    monkeypatch.setattr(reading, "_check", lambda *words: checked.append(1) or check(*words))
    lines = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 4)]
    reading.content(written(tmp_path, "\n".join(["a0: &a0 1", *lines])))
    assert len(checked) < 50  # 1 + 4 keys + 3 * 10 aliases; written out they are more than 1,000
