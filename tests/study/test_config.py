"""The config schema: what is filled in, and what is refused in which words."""

import copy
import random
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from widedeep.names import Configuration
from widedeep.runtime.errors import UserError
from widedeep.study import config

SCHEMA = yaml.safe_load(Path("workflow/schemas/config.schema.yaml").read_text())
SHIPPED = sorted(Path("config").glob("*.yaml"))

BASE = {
    "study": "s",
    "dataset": {"name": "digits"},
    "grid": [{"depths": [8, 14], "widths": [1], "seeds": [1, 2]}],
    "training": {"flip": False, "batch_size": 64},
    "dumps": {"batch_size": 64},
    "probes": {"batch_size": 2000},
}
FIG1 = {"depth_row": {"depths": [8], "width": 1}, "width_row": {"depth": 8, "widths": [1]}, "seed": 1}


def changed(path, value):
    """BASE with one key set; a path as `grid.0.depths`. REMOVED removes it."""
    result = copy.deepcopy(BASE)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = result
    for part in parents:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    place[last] = value
    if value is REMOVED:
        del place[last]
    return result


REMOVED = "(removed)"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_are_valid_complete_and_introduce_themselves(path):
    read = yaml.safe_load(path.read_text())
    checked = config.checked(read, SCHEMA)
    assert checked["study"] == path.stem
    assert config.grid(checked)
    opening = path.read_text().split("\n\n")[0]
    assert opening.startswith("#")
    for word in ("jobs", "time", "disk"):
        assert word in opening.lower(), f"{path}: the opening does not tell the {word}"
    assert "make" in opening or "snakemake" in opening


def test_the_config_of_the_page_on_own_data_is_valid():
    (content,) = re.findall(r"```yaml\n(.*?)```", Path("docs/own-data.md").read_text(), re.DOTALL)
    checked = config.checked(yaml.safe_load(content), SCHEMA)
    assert config.needed_examples(checked) == (32, 16)


def objects(schema):
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_every_key_is_described_and_unknown_ones_are_refused_everywhere():
    for schema in objects(SCHEMA):
        assert schema["additionalProperties"] is False
        for name, key in schema["properties"].items():
            assert key.get("description") or "$ref" in key, name


def test_fills_in_the_papers_recipe_and_does_not_touch_what_it_is_given():
    given_config = {**BASE, "dataset": {"name": "cifar10"}, "training": {}}
    del given_config["dumps"]
    before = copy.deepcopy(given_config)
    checked = config.checked(given_config, SCHEMA)
    assert given_config == before
    expected = {"epochs": 300, "batch_size": 128, "learning_rate": 0.01, "momentum": 0.9, "l2": 1e-4, "flip": True}
    assert {key: checked["training"][key] for key in expected} == expected
    assert checked["training"]["batchnorm_momentum"] == 0.01
    assert checked["dumps"] == {"form": "gram", "batch_size": 256, "passes": 10, "seed": 0, "keep": True}
    assert checked["grid"][0]["family"] == "resnet"
    assert checked["grid"][0]["fractions"] == [1]


REFUSED = [
    (
        "epochs",
        3,
        "config key epochs is unknown; the keys there are dataset, dumps, figures, grid, probes, study, training.",
    ),
    ("training.lr", 0.1, "config key training.lr is unknown"),
    ("grid.0.depth", [8], r"config key grid\[0\].depth is unknown; the keys there are depths,"),
    ("figures.fig9", {}, "config key figures.fig9 is unknown"),
    ("grid", REMOVED, "config key grid is missing; The networks to train"),
    ("grid.0.seeds", REMOVED, r"config key grid\[0\].seeds is missing"),
    ("study", "A b", "config key study does not match"),
    ("study", "../x", "config key study does not match"),
    ("grid", [], "config key grid has fewer than 1 item"),
    ("grid.0.depths", [], r"config key grid\[0\].depths has fewer than 1 item"),
    ("grid.0.depths", [8, 15], r"config key grid\[0\].depths: depth 15 is not 6n \+ 2"),
    ("grid.0.depths", [8, 8], r"config key grid\[0\].depths holds an item twice"),
    ("grid.0.depths", 8, r"config key grid\[0\].depths is not of type array"),
    ("grid.0.seeds", [1, 1], r"config key grid\[0\].seeds holds an item twice: \[1, 1\]"),
    ("grid.0.seeds", [-1], r"config key grid\[0\].seeds\[0\] is less than 0"),
    ("grid.0.seeds", [1.0], r"config key grid\[0\].seeds\[0\] is not of type integer"),
    ("grid.0.seeds", [True], r"config key grid\[0\].seeds\[0\] is not of type integer"),
    ("grid.0.seeds", ["1"], r"config key grid\[0\].seeds\[0\] is not of type integer"),
    ("grid.0.widths", [0], r"config key grid\[0\].widths\[0\] is less than"),
    ("grid.0.fractions", [0], r"config key grid\[0\].fractions\[0\] is not greater than 0"),
    ("grid.0.fractions", [1.5], r"config key grid\[0\].fractions\[0\] is greater than 1"),
    (
        "grid.0.family",
        "vgg",
        r"config key grid\[0\].family: family 'vgg' is unknown; it must be one of bottleneck, plain, ",
    ),
    ("dumps", {"examples": 100, "batch_size": 128}, "dumps.batch_size is 128, more than the 100 test examples"),
    ("training.epochs", 0, "config key training.epochs is less than 1"),
    ("training.learning_rate", "0.1", "config key training.learning_rate is not of type number"),
    ("training.momentum", 1, "config key training.momentum is not less than 1"),
    (
        "training.batch_size",
        1438,
        "training.batch_size is 1438, more than the 1437 training examples of digits-resnet8-",
    ),
    ("training.gpus", 3, "training.gpus is 3, and training.batch_size 64 is no multiple of it; change one of them"),
    (
        "figures.fig4",
        {"models": [{"depth": 8, "width": 1}], "seed": 1},
        "config key probes.batch_size is 2000, more than the 1437 training examples of digits-resnet8-w1-f100; use",
    ),
    ("training.flip", True, "config key training.flip is true; a mirrored digit"),
    ("dumps.batch_size", 361, "config key dumps.batch_size is 361, more than the 360 test examples of digits"),
    ("dumps.batch_size", 3, "config key dumps.batch_size is less than 4"),
    ("dumps.form", "zip", "config key dumps.form is not one of gram, raw, raw16"),
    ("dataset.name", "mnist", "config key dataset.name 'mnist' is not one of digits, cifar10,"),
    ("dataset.source", "npm", "config key dataset.source is npm; digits has embedded"),
    ("dataset.source", "floppy", "config key dataset.source is not one of"),
    ("dataset.folder", "x", "config key dataset.folder is for images of your own"),
    (
        "figures.A",
        {"model": {"depth": 8, "width": 1}, "seed": 1, "batch_sizes": [16, 500]},
        "A.batch_sizes: 500 is more than the 360 examples that are gone through",
    ),
    ("dataset.workers", 2, "config key dataset.workers is for images that are streamed"),
    (
        "dataset",
        {"name": "own", "folder": "x", "image_size": 8, "archive": "y"},
        "config key dataset.archive: own comes from dataset.folder alone, remove it",
    ),
    (
        "dataset",
        {"name": "own", "folder": "x", "image_size": 8, "mirrors": ["http://x"]},
        "config key dataset.mirrors: own comes from dataset.folder alone, remove it",
    ),
    ("figures.fig6", {}, "figures.fig6: needs two configurations with two seeds or more"),
    ("dataset.mirrors", ["http://x"], "config key dataset.mirrors is for the source official"),
    ("dataset.mirrors", ["x"], r"config key dataset.mirrors\[0\] does not match"),
    ("dataset", {"name": "own", "folder": "x"}, "config key dataset.image_size is missing"),
    ("dataset", {"name": "cifar10", "archive": "a", "mirrors": ["http://x"]}, "exclude each other"),
    ("dataset", {"name": "cifar100", "source": "npm"}, "dataset.source is npm; cifar100 has official"),
    ("figures.fig1", {**FIG1, "seed": 3}, r"figures.fig1.seed is 3; digits-resnet8-w1-f100 has the seeds \[1, 2\]"),
    (
        "figures.fig1",
        {**FIG1, "depth_row": {"depths": [20], "width": 1}},
        "fig1.depth_row: digits-resnet20-w1-f100 is not",
    ),
    (
        "figures.fig1",
        {**FIG1, "width_row": {"depth": 8, "widths": [2]}},
        "fig1.width_row: digits-resnet8-w2-f100 is not",
    ),
    (
        "figures.fig1",
        {**FIG1, "width_row": {"depth": 8, "widths": [1], "fraction": 0.5}},
        "fig1.width_row: digits-resnet8-w1-f50 is not",
    ),
    ("figures.fig2", {"fractions": [1], "seed": 1}, "config key figures.fig2 has none of depth_row, width_row"),
    (
        "figures.fig2",
        {"depth_row": {"depths": [8], "width": 1}, "fractions": [1, 0.5], "seed": 1},
        "fig2.fraction 0.5: digits-resnet8-w1-f50 is not",
    ),
    ("figures.fig1", {"seed": 1}, "config key figures.fig1 has none of depth_row, width_row"),
    (
        "grid.0.family",
        "vgg16",
        r"grid\[0\].family does not match .*: 'vgg16'. .* in letters a to z and single underscores .* no digits, since",
    ),
    ("grid.0.family", "my_net", r"grid\[0\].family: family 'my_net' is unknown; it must be one of"),
    ("figures.C", FIG1, "figures.C.depth_row: digits-plain8-w1-f100 is not in the grid"),
    (
        "figures.fig3",
        {"models": [{"depth": 8, "width": 1}], "seed": 7},
        r"figures.fig3.seed is 7; digits-resnet8-w1-f100 has the seeds \[1, 2\]",
    ),
    ("figures.fig1-seeds", {"models": [{"depth": 8, "width": 3}]}, "figures.fig1-seeds.models: digits-resnet8-w3-f100"),
    ("figures.fig5", {"models": []}, "config key figures.fig5.models has fewer than 1 item"),
]


@pytest.mark.parametrize(
    ("path", "value", "words"), REFUSED, ids=[f"{path}={value}"[:40] for path, value, _ in REFUSED]
)
def test_refuses_in_one_sentence_that_names_the_key(path, value, words):
    with pytest.raises(UserError, match=words) as refusal:
        config.checked(changed(path, value), SCHEMA)
    assert "\n" not in str(refusal.value)


def test_pairs_of_seeds_need_two():
    one_seed = changed("grid.0.seeds", [1])
    one_seed["figures"] = {"fig5": {"models": [{"depth": 8, "width": 1}]}}
    with pytest.raises(UserError, match="figures.fig5.models: digits-resnet8-w1-f100 has one seed"):
        config.checked(one_seed, SCHEMA)


def test_a_control_of_figure_6_needs_two_seeds_of_one_configuration():
    wide, deep = {"depth": 8, "width": 2}, {"depth": 14, "width": 1}
    study = changed("figures.fig6", {"wide": wide, "deep": deep})
    study["grid"] = [{"depths": [8, 14], "widths": [1, 2], "seeds": [1]}]
    with pytest.raises(UserError, match="digits-resnet8-w2-f100 and digits-resnet14-w1-f100 have one seed each"):
        config.checked(study, SCHEMA)
    study["grid"].append({"depths": [8], "widths": [2], "seeds": [2]})
    config.checked(study, SCHEMA)


@pytest.mark.parametrize(("fraction", "batch_size"), [(1, 64), (0.06, 20), (0.3, 7), (0.07, 33), (0.5, 1)])
def test_as_many_images_are_needed_as_fill_each_batch(fraction, batch_size):
    study = changed("dataset", {"name": "own", "folder": "x", "image_size": 8})
    study["grid"][0]["fractions"] = [fraction]
    study["grid"][0]["depths"] = [8]
    study["training"]["batch_size"] = batch_size
    study["figures"] = {
        "A": {"model": {"depth": 8, "width": 1, "fraction": fraction}, "seed": 1, "batch_sizes": [16, 100]}
    }
    checked = config.checked(study, SCHEMA)
    train, test = config.needed_examples(checked)
    config.check_examples(checked, train, test)
    assert test == 100
    with pytest.raises(UserError, match=f"training.batch_size is {batch_size}, more than the {batch_size - 1} train"):
        config.check_examples(checked, train - 1, test)
    with pytest.raises(UserError, match="A.batch_sizes: 100 is more than the 99 examples"):
        config.check_examples(checked, train, test - 1)
    del study["figures"]
    assert config.needed_examples(config.checked(study, SCHEMA)) == (train, 64)


def test_a_batch_must_fit_the_smallest_fraction():
    with pytest.raises(UserError, match="more than the 14 training examples of digits-resnet8-w1-f1;"):
        config.checked(changed("grid.0.fractions", [1, 0.01]), SCHEMA)


def test_not_a_mapping_is_refused():
    for broken in ([], None, "text", 3):
        with pytest.raises(UserError, match="config key at the top is not of type object"):
            config.checked(broken, SCHEMA)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


ODD = [None, True, -1, 0, 1e308, float("nan"), "", "x" * 50, [], [[]], {}, {"a": 1}, [1, "a"], "../..", "$(id)", 8]


@settings(max_examples=300)
@given(st.integers(0, 10**9))
def test_mutated_configs_are_accepted_or_refused_in_one_sentence(seed):
    rng = random.Random(seed)
    mutated = copy.deepcopy({**BASE, "figures": {"fig1": FIG1, "fig5": {"models": [{"depth": 8, "width": 1}]}}})
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([path for path in places(mutated) if path])
        place = mutated
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = copy.deepcopy(rng.choice(ODD))
    sentence = refusal(mutated)
    assert sentence is None or ("config key" in sentence and "\n" not in sentence)


def refusal(mutated):
    """Why a config is refused; None where it is not."""
    try:
        config.grid(config.checked(mutated, SCHEMA))
    except UserError as error:
        return str(error)
    return None


def test_the_grid_is_the_union_of_its_entries():
    both = {
        **BASE,
        "grid": [*BASE["grid"], {"depths": [14], "widths": [1, 2.5], "seeds": [3, 1], "fractions": [1, 0.06]}],
    }
    networks = config.grid(config.checked({**both, "training": {"flip": False, "batch_size": 16}}, SCHEMA))
    assert {str(model): seeds for model, seeds in networks.items()} == {
        "digits-resnet8-w1-f100": [1, 2],
        "digits-resnet14-w1-f100": [1, 2, 3],
        "digits-resnet14-w2.5-f100": [1, 3],
        "digits-resnet14-w1-f6": [1, 3],
        "digits-resnet14-w2.5-f6": [1, 3],
    }


def test_names_of_models_do_not_depend_on_how_a_number_is_written():
    assert (
        str(Configuration("a", "resnet", 8, 1, 1))
        == str(Configuration("a", "resnet", 8, 1.0, 1.0))
        == "a-resnet8-w1-f100"
    )


def test_pairs_of_seeds_come_by_larger_then_smaller_seed_and_at_most_twenty():
    assert config.seed_pairs([1, 2, 3]) == [(1, 2), (1, 3), (2, 3)]
    assert config.seed_pairs([1, 2], [1, 2]) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert len(config.seed_pairs(range(1, 11))) == 20
    assert all(a != b for a, b in config.seed_pairs(range(9)))


@given(st.sets(st.integers(0, 50), min_size=2, max_size=9), st.booleans())
def test_a_larger_seed_changes_no_earlier_pair(seeds, within):
    seeds = sorted(seeds)
    other = None if within else seeds
    more = [*seeds, 60]
    before, after = config.seed_pairs(seeds, other), config.seed_pairs(more, None if within else more)
    assert after[: len(before)] == before


@pytest.mark.parametrize("row", ["depth_row", "width_row"])
def test_a_figure_may_have_one_row(row):
    checked = config.checked(changed("figures.fig1", {row: FIG1[row], "seed": 1}), SCHEMA)
    assert [*config.rows_of(checked, "fig1")] == [row]


def test_rows_of_figures_are_depths_then_widths_and_both_for_each_share_of_the_data():
    rows = {"depth_row": {"depths": [8, 14], "width": 1}, "width_row": {"depth": 8, "widths": [1, 2]}}
    figures = {"fig2": {**rows, "fractions": [1, 0.5], "seed": 1}, "C": {**rows, "seed": 1}}
    entry = {"depths": [8, 14], "widths": [1, 2], "fractions": [1, 0.5], "seeds": [1]}
    families = [{**entry, "family": family} for family in ("resnet", "plain")]
    checked = config.checked({**BASE, "grid": families, "figures": figures}, SCHEMA)
    named = {row: [str(model) for model in models] for row, models in config.rows_of(checked, "fig2").items()}
    eight, fourteen, wide = (f"digits-resnet{size}" for size in ("8-w1", "14-w1", "8-w2"))
    assert named == {f"fraction {f / 100:g}": [f"{m}-f{f}" for m in (eight, fourteen, wide)] for f in (100, 50)}
    plain = config.rows_of(checked, "C")
    assert [str(model) for model in plain["depth_row"]] == ["digits-plain8-w1-f100", "digits-plain14-w1-f100"]


def test_a_data_set_of_one_file_has_no_other_source(monkeypatch):
    monkeypatch.setattr(config, "has_file", lambda name: name == "moons")
    config.check_dataset({"name": "moons"})
    with pytest.raises(UserError, match=r"dataset.folder: moons comes from .*moons\.py alone, remove it"):
        config.check_dataset({"name": "moons", "folder": "x"})


def test_a_file_that_is_no_config_is_one_sentence(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("study: [")
    with pytest.raises(UserError, match=r"study\.yaml: is not YAML"):
        config.read(path)
    path.write_text("study: x")
    with pytest.raises(UserError, match=r"study\.yaml: config key .* is missing"):
        config.read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", r"cannot be read \(it is not a text\); give an existing config"),
        (b"study: [", r"is not YAML \(.*\); see config/demo.yaml"),
        (b"seeds: 2021-13-45", r"is not YAML \(.*\); see config/demo.yaml"),
        (
            b"a: &a [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
            b"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
            b"e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]",
            "entries; no study has, see config/demo.yaml",
        ),
        (b"study: 0x" + b"f" * 5000, "holds what cannot be shown"),
    ],
)
def test_a_config_that_cannot_be_read_or_shown_is_one_sentence(tmp_path, content, words):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(UserError, match=rf"mine\.yaml: .*{words}"):
        config.read(tmp_path / "mine.yaml")
