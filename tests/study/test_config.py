"""The config of a study: what is filled in, the networks of its grid, the pairs of their seeds."""

import copy
import re
from pathlib import Path

import example
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from widedeep.names import MOST_PAIRS, Configuration
from widedeep.study import checks
from widedeep.study.config import Study

SHIPPED = sorted(Path("config").glob("*.yaml"))
EIGHT, FOURTEEN = (Configuration("digits", "resnet", depth, 1, 1) for depth in (8, 14))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_are_valid_complete_and_introduce_themselves(path):
    study = checks.read(path)
    assert study.study == path.stem
    assert study.networks
    opening = path.read_text().split("\n\n")[0]
    assert opening.startswith("#")
    for word in ("jobs", "time", "disk"):
        assert word in opening.lower(), f"{path}: the opening does not tell the {word}"
    assert "make" in opening or "snakemake" in opening


def test_the_config_of_the_page_on_own_data_is_valid():
    (content,) = re.findall(r"```yaml\n(.*?)```", Path("docs/own-data.md").read_text(), re.DOTALL)
    assert checks.needed_examples(checks.checked(yaml.safe_load(content))) == (32, 16)


def keys_of(schema, root, place=""):
    """(dotted name, schema) of every key of a JSON schema; a reference to a section is followed."""
    schema = {**root["$defs"].get(schema.get("$ref", "").rpartition("/")[2], {}), **schema}
    for part in schema.get("anyOf", []):
        yield from keys_of(part, root, place)
    if "items" in schema:
        yield from keys_of(schema["items"], root, f"{place}[]")
    for name, key in schema.get("properties", {}).items():
        yield f"{place}.{name}".strip("."), key, schema
        yield from keys_of(key, root, f"{place}.{name}")


SCHEMA = Study.model_json_schema()
KEYS = {name: (key, section) for name, key, section in keys_of(SCHEMA, SCHEMA)}


def numbers_in(schema):
    """The parts of a schema that are numbers."""
    parts = [schema, *schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return [part for part in parts if part.get("type") in ("integer", "number")]


def test_the_walk_reaches_every_section():
    wanted = {
        "study",
        "grid[].depths",
        "training.l2",
        "dumps.passes",
        "probes.pool",
        "figures.fig1.depth_row.width",
        "figures.fig2.fractions",
        "figures.fig5.models[].depth",
        "figures.A.model.fraction",
        "figures.fig6.deep.width",
    }
    assert wanted <= {*KEYS}


@pytest.mark.parametrize("name", KEYS)
def test_every_key_is_described_and_bounded_and_unknown_ones_beside_it_are_refused(name):
    key, section = KEYS[name]
    of_section = SCHEMA["$defs"].get(key.get("$ref", "").rpartition("/")[2], {})
    assert (key.get("description") or of_section.get("description", "")).endswith(".")
    assert section["additionalProperties"] is False
    for number in numbers_in(key):
        assert {"minimum", "exclusiveMinimum"} & {*number}, f"{name} has no lower bound"
        assert {"maximum", "exclusiveMaximum"} & {*number}, f"{name} has no upper bound"


def test_fills_in_the_papers_recipe_and_does_not_touch_what_it_is_given():
    content = {**example.CONFIG, "dataset": {"name": "cifar10"}, "training": {}}
    del content["dumps"]
    before = copy.deepcopy(content)
    dumped = checks.checked(content).dump()
    assert content == before
    expected = {"epochs": 300, "batch_size": 128, "learning_rate": 0.01, "momentum": 0.9, "l2": 1e-4, "flip": True}
    assert {key: dumped["training"][key] for key in expected} == expected
    assert dumped["training"]["batchnorm_momentum"] == 0.01
    assert dumped["dumps"] == {"form": "gram", "batch_size": 256, "passes": 10, "seed": 0, "keep": True}
    assert dumped["grid"][0]["family"] == "resnet"
    assert dumped["grid"][0]["fractions"] == [1]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_config_with_its_defaults_is_a_config_of_the_same_study(path):
    study = checks.read(path)
    assert checks.checked(yaml.safe_load(yaml.safe_dump(study.dump()))) == study


def test_the_grid_is_the_union_of_its_entries():
    more = {"depths": [14], "widths": [1, 2.5], "seeds": [3, 1], "fractions": [1, 0.06]}
    content = {**example.CONFIG, "grid": [*example.CONFIG["grid"], more]}
    study = checks.checked({**content, "training": {"flip": False, "batch_size": 16}})
    assert {str(configuration): seeds for configuration, seeds in study.configurations.items()} == {
        "digits-resnet8-w1-f100": [1, 2],
        "digits-resnet14-w1-f100": [1, 2, 3],
        "digits-resnet14-w2.5-f100": [1, 3],
        "digits-resnet14-w1-f6": [1, 3],
        "digits-resnet14-w2.5-f6": [1, 3],
    }
    assert [str(network) for network in study.networks[:3]] == [
        "digits-resnet8-w1-f100/seed1",
        "digits-resnet8-w1-f100/seed2",
        "digits-resnet14-w1-f100/seed1",
    ]
    assert len(study.networks) == 11


def test_names_of_configurations_do_not_depend_on_how_a_number_is_written():
    written = {str(Configuration("a", "resnet", 8, width, share)) for width, share in ((1, 1), (1.0, 1.0))}
    assert written == {"a-resnet8-w1-f100"}


def with_seeds(*seeds):
    return checks.checked(example.changed("grid.0.seeds", [*seeds]))


def test_pairs_of_seeds_come_by_larger_then_smaller_seed_and_at_most_twenty():
    assert with_seeds(1, 2, 3).seed_pairs(EIGHT, EIGHT) == [(1, 2), (1, 3), (2, 3)]
    assert with_seeds(1, 2).seed_pairs(EIGHT, FOURTEEN) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    many = with_seeds(*range(9))
    assert len(many.seed_pairs(EIGHT, EIGHT)) == MOST_PAIRS == 20
    assert len(many.seed_pairs(EIGHT, EIGHT, most=None)) == 36
    assert all(first != second for first, second in many.seed_pairs(EIGHT, EIGHT))


@given(st.sets(st.integers(0, 50), min_size=2, max_size=9), st.sampled_from([EIGHT, FOURTEEN]))
def test_a_larger_seed_changes_no_earlier_pair(seeds, other):
    before, after = (with_seeds(*sorted(part)).seed_pairs(EIGHT, other) for part in (seeds, {*seeds, 60}))
    assert after[: len(before)] == before
