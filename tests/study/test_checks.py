"""What a config may not say: each refusal is a sentence that names the key, and what was found there."""

import copy
import random

import example
import pytest
import yaml
from example import FIG1, REMOVED
from hypothesis import given, settings
from hypothesis import strategies as st

from widedeep.data import catalogue
from widedeep.runtime.errors import UserError
from widedeep.study import checks

EIGHT, FOURTEEN = {"depth": 8, "width": 1}, {"depth": 14, "width": 1}
OWN = {"name": "own", "folder": "x", "image_size": 8}

# A key of the config, its value, and what the sentence names after "config key ".
REFUSED = [
    ("epochs", 3, "^config key epochs .* dataset, dumps, figures, grid, measures, probes, study, training"),
    ("training.lr", 0.1, "^config key training.lr .* learning_rate"),
    ("grid.0.depth", [8], r"^config key grid\[0\].depth .* depths, family"),
    ("figures.fig9", {}, "^config key figures.fig9 .* fig1-seeds"),
    ("figures.fig1_seeds", {"models": [EIGHT]}, "^config key figures.fig1_seeds .* fig1-seeds"),
    ("grid", REMOVED, "^config key grid is missing.* networks to train"),
    ("grid.0.seeds", REMOVED, r"^config key grid\[0\].seeds is missing.* weights"),
    ("study", "A b", "^config key study: .*'A b'"),
    ("study", "../x", r"^config key study: .*'\.\./x'"),
    ("study", "s\n", r"^config key study: .*'s\\n'"),
    ("grid", [], r"^config key grid: .*at least 1 item.*\[\]"),
    ("grid.0.depths", [], r"^config key grid\[0\].depths: .*at least 1 item.*\[\]"),
    ("grid.0.depths", [8, 15], r"^config key grid\[0\].depths: .*15.*6n \+ 2"),
    ("grid.0.depths", [8, 8], r"^config key grid\[0\].depths: .*twice.*\[8, 8\]"),
    ("grid.0.depths", 8, r"^config key grid\[0\].depths: .*list.* 8\."),
    ("grid.0.seeds", [1, 1], r"^config key grid\[0\].seeds: .*twice.*\[1, 1\]"),
    ("grid.0.seeds", [-1], r"^config key grid\[0\].seeds\[0\]: .* 0.*-1"),
    ("grid.0.seeds", [1.0], r"^config key grid\[0\].seeds\[0\]: .*integer.*1\.0"),
    ("grid.0.seeds", [True], r"^config key grid\[0\].seeds\[0\]: .*integer.*True"),
    ("grid.0.seeds", ["1"], r"^config key grid\[0\].seeds\[0\]: .*integer.*'1'"),
    ("grid.0.widths", [0], r"^config key grid\[0\].widths\[0\]: .*0\.5.* 0\. .*8 channels"),
    ("grid.0.widths", [1, 1.0], r"^config key grid\[0\].widths: .*twice.*\[1, 1\.0\]"),
    ("grid.0.fractions", [0], r"^config key grid\[0\].fractions\[0\]: .*greater than 0"),
    ("grid.0.fractions", [1.5], r"^config key grid\[0\].fractions\[0\]: .* 1,.*1\.5"),
    ("grid.0.family", "vgg", r"^config key grid\[0\].family: .*'vgg'.* bottleneck, plain, "),
    ("grid.0.family", "my_net", r"^config key grid\[0\].family: .*'my_net'.* bottleneck, plain, "),
    ("grid.0.family", "vgg16", r"^config key grid\[0\].family: .*'vgg16'.* no digits"),
    ("grid.0.seeds", list(range(50_001)), r"^config key grid: .*100002.*100000"),
    ("dumps", {"examples": 100, "batch_size": 128}, "^config key dumps.batch_size is 128, .*100 test examples"),
    ("measures", ["cka"], r"^config key measures\[0\]: .*'rbf_cka', .*'cka'\. .*docs/reference/measures\.md"),
    ("measures", ["pwcca"], r"^config key measures\[0\]: .*'svcca', .*'pwcca'"),
    ("measures", ["svcca", "svcca"], r"^config key measures: .*twice"),
    ("measures", "svcca", r"^config key measures: .*list.*'svcca'"),
    ("measures", ["svcca"], r"^config key measures: svcca .*figures\.fig1"),
    ("training.epochs", 0, "^config key training.epochs: .* 1, .* 0"),
    ("training.learning_rate", "0.1", r"^config key training.learning_rate: .*number.*'0\.1'"),
    ("training.learning_rate", float("nan"), "^config key training.learning_rate: .*finite.*nan"),
    ("training.momentum", 1, "^config key training.momentum: .*less than 1"),
    ("training.batch_size", 1438, "^config key training.batch_size is 1438, .*1437 .*digits-resnet8-w1-f100"),
    ("training.gpus", 3, "^config key training.gpus is 3, .*training.batch_size.* 64"),
    (
        "figures.fig4",
        {"models": [EIGHT], "seed": 1},
        "^config key probes.batch_size is 2000, .*1437 .*digits-resnet8-w1-f100",
    ),
    ("training.flip", True, "^config key training.flip is true.*digits.*false"),
    ("dumps.batch_size", 361, "^config key dumps.batch_size is 361, .*360 .*digits"),
    ("dumps.batch_size", 3, "^config key dumps.batch_size: .* 4, .* 3"),
    ("dumps.form", "zip", "^config key dumps.form: .*gram.*raw.*raw16.*'zip'"),
    ("dataset.name", "mnist", "^config key dataset.name .*'mnist'.* cifar10, .*dataset.folder"),
    ("dataset.source", "npm", "^config key dataset.source is npm; digits has embedded"),
    ("dataset.source", "floppy", "^config key dataset.source: .*official.*'floppy'"),
    ("dataset.folder", "x", "^config key dataset.folder: .*digits"),
    (
        "figures.A",
        {"model": EIGHT, "seed": 1, "batch_sizes": [16, 500]},
        "^config key figures.A.batch_sizes: 500.* 360 ",
    ),
    ("dataset.workers", 2, "^config key dataset.workers .*dataset.stream"),
    ("dataset", {**OWN, "archive": "y"}, "^config key dataset.archive: own .*dataset.folder"),
    ("dataset", {**OWN, "mirrors": ["http://x"]}, "^config key dataset.mirrors: own .*dataset.folder"),
    ("figures.fig6", {}, "^config key figures.fig6: .*two seeds"),
    ("figures.fig6", {"wide": EIGHT}, "^config key figures.fig6: .*wide.*deep"),
    ("dataset.mirrors", ["http://x"], "^config key dataset.mirrors: .*official"),
    ("dataset.mirrors", ["x"], r"^config key dataset.mirrors\[0\]: .*http.*'x'"),
    ("dataset", {"name": "own", "folder": "x"}, "^config key dataset.image_size is missing"),
    (
        "dataset",
        {"name": "cifar10", "archive": "a", "mirrors": ["http://x"]},
        "^config keys dataset.archive and dataset.mirrors ",
    ),
    ("dataset", {"name": "cifar100", "source": "npm"}, "^config key dataset.source is npm; cifar100 has official"),
    ("dataset", {"name": "cifar10", "image_size": 12}, "^config key dataset.image_size is 12.* 32, .*cifar10"),
    ("figures.fig1", {**FIG1, "seed": 3}, r"^config key figures.fig1.seed is 3; digits-resnet8-w1-f100 .*\[1, 2\]"),
    (
        "figures.fig1",
        {**FIG1, "depth_row": {"depths": [20], "width": 1}},
        "^config key figures.fig1.depth_row: digits-resnet20-w1-f100 .*grid",
    ),
    (
        "figures.fig1",
        {**FIG1, "width_row": {"depth": 8, "widths": [2]}},
        "^config key figures.fig1.width_row: digits-resnet8-w2-f100 .*grid",
    ),
    (
        "figures.fig1",
        {**FIG1, "width_row": {"depth": 8, "widths": [1], "fraction": 0.5}},
        "^config key figures.fig1.width_row: digits-resnet8-w1-f50 .*grid",
    ),
    ("figures.fig2", {"fractions": [1], "seed": 1}, "^config key figures.fig2: .*depth_row.*width_row"),
    (
        "figures.fig2",
        {"depth_row": {"depths": [8], "width": 1}, "fractions": [1, 0.5], "seed": 1},
        r"^config key figures.fig2.fraction 0\.5: digits-resnet8-w1-f50 .*grid",
    ),
    ("figures.fig1", {"seed": 1}, "^config key figures.fig1: .*depth_row.*width_row"),
    ("figures.C", FIG1, "^config key figures.C.depth_row: digits-plain8-w1-f100 .*grid"),
    ("figures.fig3", {"models": [EIGHT], "seed": 7}, r"^config key figures.fig3.seed is 7; .*\[1, 2\]"),
    (
        "figures.fig1-seeds",
        {"models": [{"depth": 8, "width": 3}]},
        "^config key figures.fig1-seeds.models: digits-resnet8-w3-f100 .*grid",
    ),
    ("figures.fig5", {"models": []}, r"^config key figures.fig5.models: .*at least 1 item.*\[\]"),
    ("figures.fig5.models", [{"depth": 0, "width": 1}], r"^config key figures.fig5.models\[0\].depth: .* 1, .* 0"),
]


@pytest.mark.parametrize(
    ("path", "value", "words"), REFUSED, ids=[f"{path}={value}"[:40] for path, value, _ in REFUSED]
)
def test_refuses_in_one_sentence_that_names_the_key(path, value, words):
    with pytest.raises(UserError, match=words) as refusal:
        checks.checked(example.changed(path, value))
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_pairs_of_seeds_need_two():
    content = example.changed("grid.0.seeds", [1])
    content["figures"] = {"fig5": {"models": [EIGHT]}}
    with pytest.raises(UserError, match="^config key figures.fig5.models: digits-resnet8-w1-f100 .*two"):
        checks.checked(content)


def test_a_control_of_figure_6_needs_two_seeds_of_one_configuration():
    content = example.changed("figures.fig6", {"wide": {"depth": 8, "width": 2}, "deep": FOURTEEN})
    content["grid"] = [{"depths": [8, 14], "widths": [1, 2], "seeds": [1]}]
    with pytest.raises(UserError, match="^config key figures.fig6: .*resnet14-w1-f100 and .*resnet8-w2-f100 .*seed"):
        checks.checked(content)
    content["grid"].append({"depths": [8], "widths": [2], "seeds": [2]})
    checks.checked(content)


@pytest.mark.parametrize(("fraction", "batch_size"), [(1, 64), (0.06, 20), (0.3, 7), (0.07, 33), (0.5, 1)])
def test_as_many_images_are_needed_as_fill_each_batch(fraction, batch_size):
    content = example.changed("dataset", OWN)
    content["grid"][0] |= {"fractions": [fraction], "depths": [8]}
    content["training"]["batch_size"] = batch_size
    model = {**EIGHT, "fraction": fraction}
    content["figures"] = {"A": {"model": model, "seed": 1, "batch_sizes": [16, 100]}}
    study = checks.checked(content)
    train, test = checks.needed_examples(study)
    checks.check_examples(study, train, test)
    assert test == 100
    with pytest.raises(UserError, match=f"training.batch_size is {batch_size}, .* {batch_size - 1} "):
        checks.check_examples(study, train - 1, test)
    with pytest.raises(UserError, match="figures.A.batch_sizes: 100 .* 99 "):
        checks.check_examples(study, train, test - 1)
    del content["figures"]
    assert checks.needed_examples(checks.checked(content)) == (train, 64)


def test_a_batch_must_fit_the_smallest_fraction():
    with pytest.raises(UserError, match="training.batch_size .* 14 .*digits-resnet8-w1-f1;"):
        checks.checked(example.changed("grid.0.fractions", [1, 0.01]))


@pytest.mark.parametrize("content", [[], None, "text", 3])
def test_not_a_mapping_is_refused(content):
    with pytest.raises(UserError, match=f"mapping.*{content!r}" if content else "mapping"):
        checks.checked(content)


@pytest.mark.parametrize("content", [[], None, "text", 3])
def test_a_section_that_is_not_a_mapping_is_refused(content):
    with pytest.raises(UserError, match=r"^config key dataset: .*mapping"):
        checks.checked(example.changed("dataset", content))


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
    mutated = copy.deepcopy({**example.CONFIG, "figures": {"fig1": FIG1, "fig5": {"models": [EIGHT]}}})
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([path for path in places(mutated) if path])
        place = mutated
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = copy.deepcopy(rng.choice(ODD))
    sentence = refusal(mutated)
    assert sentence is None or (sentence.startswith("config key") and "\n" not in sentence)


def refusal(content):
    """Why a config is refused; None where it is not."""
    try:
        assert checks.checked(content).networks
    except UserError as error:
        return str(error)
    return None


def test_a_data_set_of_one_file_has_no_other_source(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "OWN_FILES", tmp_path)
    (tmp_path / "moons.py").touch()
    assert checks.checked_dataset({"name": "moons"}).name == "moons"
    with pytest.raises(UserError, match=r"^config key dataset.folder: moons .*moons\.py"):
        checks.checked_dataset({"name": "moons", "folder": "x"})


def test_an_error_in_a_file_names_the_file_and_the_key(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("study: x")
    with pytest.raises(UserError, match=r"study\.yaml: config key dataset is missing"):
        checks.read(path)


LAUGHS = (
    b"a: &a [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
    b"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
    b"e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]"
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"\xff\xfe\x00", "read"),
        (b"study: [", "YAML.*config/demo.yaml"),
        (b"seeds: 2021-13-45", "line 1: config key seeds: 2021-13-45 .*date"),
        (LAUGHS, "100000.*config/demo.yaml"),
        (yaml.safe_dump(example.changed("study", REMOVED)).encode() + b"study: 0x" + b"f" * 5000, "digits"),
    ],
    ids=["no file", "not a text", "cut off", "no date", "aliases of aliases", "a number of many digits"],
)
def test_a_config_that_cannot_be_read_or_shown_is_one_sentence(tmp_path, content, words):
    if content is not None:
        (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(UserError, match=rf"mine\.yaml: .*{words}") as refused:
        checks.read(tmp_path / "mine.yaml")
    assert "\n" not in str(refused.value)
