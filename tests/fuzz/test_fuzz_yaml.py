"""Configs in the corners of YAML: taken with the values that a person reads there, or refused in one sentence."""

import shutil
from pathlib import Path

import children
import configs
import pytest
import spellings
import yaml
from cases import results_of, rng_of
from snakemake.common.configfile import load_configfile

from widedeep.study import checks, reading


def canonical(value):
    """A text that tells types too, and takes NaN for equal, whatever the order of keys."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {canonical(value[key])}' for key in sorted(value))}}}"
    return f"[{', '.join(map(canonical, value))}]" if isinstance(value, list) else repr(value)


def read_values():
    content = reading.content("config.yaml")
    Path("out").mkdir()
    Path("out/values").write_text(canonical(content))


def read_config():
    study = checks.read("config.yaml")
    Path("out").mkdir()
    Path("out/config.yaml").write_text(yaml.safe_dump(study.dump()))


def outcome_of(main, content, folder):
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "config.yaml").write_bytes(content)
    outcome = children.run(main, folder)
    assert outcome.status == 0 or outcome.said.startswith("error: config.yaml: "), outcome
    return outcome


def test_documents(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        document = spellings.Document(rng_of(fuzz_seed, "documents", case))
        outcome = outcome_of(read_values, document.text.encode(), tmp_path)
        found = results_of(outcome, tmp_path, f"case {case}")
        if document.value is spellings.Refused:
            assert found is None, f"case {case}: taken is {document.text}"
        else:
            expected = canonical(document.value)
            assert found == {"values": expected.encode()}, f"case {case}: {outcome} of {document.text}"
            assert canonical(load_configfile(tmp_path / "config.yaml")) == expected, f"case {case}"
        ended[outcome.ending] += 1


def is_right(found, spelling, key):
    """Whether the value of a key in a config that was taken is what its spelling says."""
    number = spellings.NUMBERS[spelling]
    if isinstance(found, str):
        return key in ("study", "colour_map") and found == spelling.strip("'\"").partition(" #")[0]
    if isinstance(found, bool) or isinstance(number, bool):
        return found is number
    return number is not spellings.Refused and found == number


def test_numbers_of_all_spellings(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "numbers", case)
        path, spelling = rng.choice(spellings.NUMBER_KEYS), rng.choice(sorted(spellings.NUMBERS))
        content = yaml.safe_load(rng.choice(configs.SHIPPED))
        text = spellings.with_number(content, path, spelling, rng.random() < 0.3)
        outcome = outcome_of(read_config, text.encode(), tmp_path)
        if results_of(outcome, tmp_path, f"case {case}"):
            found = yaml.safe_load((tmp_path / "out/config.yaml").read_text())
            for key in path:
                found = found[key]
            assert is_right(found, spelling, path[-1]), f"case {case}: {spelling} at {path} is {found!r}"
        ended[outcome.ending] += 1


def test_other_forms_of_a_config(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "forms", case)
        whole = rng.choice(configs.SHIPPED)
        content, is_refused = spellings.other_form(whole, rng)
        outcome = outcome_of(read_config, content, tmp_path)
        if results_of(outcome, tmp_path, f"case {case}"):
            found = yaml.safe_load((tmp_path / "out/config.yaml").read_text())
            assert found == checks.checked(yaml.safe_load(whole)).dump(), f"case {case}"
            assert found == checks.checked(load_configfile(tmp_path / "config.yaml")).dump(), f"case {case}"
        assert outcome.ending == ("sentence" if is_refused else "result"), f"case {case}: {outcome}"
        ended[outcome.ending] += 1


@pytest.mark.parametrize("spelling", ["1e-3", "0x10", "on"])
def test_a_spelling_that_is_another_value_would_be_noticed(spelling):
    assert not is_right(7, spelling, "epochs")
