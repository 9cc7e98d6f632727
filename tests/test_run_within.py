"""What scripts/run_within.py does beside its plan: the data beside it, its configs, its words."""

from pathlib import Path

import pytest
import run_within
import yaml

from widedeep import budget
from widedeep import config as study_config
from widedeep.names import Model

PAPER = study_config.read("config/cifar10.yaml")
SCHEMA = yaml.safe_load(study_config.SCHEMA.read_text())


def with_dataset(**keys):
    return study_config.checked({**PAPER, "dataset": {"name": "cifar10", **keys}}, SCHEMA)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("place", ["", "data"])
@pytest.mark.parametrize("elsewhere", [{}, {"source": "npm"}, {"mirrors": ["https://example.org/"]}])
def test_the_official_archive_is_used_where_it_lies(here, place, elsewhere):
    path = Path(place, "cifar-10-python.tar.gz")
    (here / place).mkdir(exist_ok=True)
    (here / path).touch()
    found = run_within.with_archive(with_dataset(**elsewhere))
    assert found["dataset"]["archive"] == str(path)
    study_config.check_dataset(found["dataset"])
    assert {**found, "dataset": None} == {**with_dataset(**elsewhere), "dataset": None}


def test_without_it_the_data_come_as_the_config_says(here):
    assert run_within.with_archive(with_dataset(source="npm")) == with_dataset(source="npm")
    (here / "cifar-10-python.tar.gz").touch()
    given = with_dataset(archive="/elsewhere/cifar.tar.gz")
    assert run_within.with_archive(given) == given
    digits = study_config.read(run_within.in_words.ROOT / "tests/workflow/tiny.yaml")
    assert run_within.with_archive(digits) == digits


def test_a_config_that_says_the_same_is_not_written_again(here):
    path = here / "study.yaml"
    run_within.write(path, PAPER)
    assert study_config.read(path) == PAPER
    before = path.stat().st_mtime_ns
    run_within.write(path, PAPER)
    assert path.stat().st_mtime_ns == before
    run_within.write(path, {**PAPER, "study": "other"})
    assert study_config.read(path)["study"] == "other"


def test_the_plan_in_words():
    deep, wide = (Model("cifar10", "resnet", *size, 1) for size in ((110, 1), (26, 10)))
    trainings = [budget.Planned(deep, 1, 2.3e16, 5400, 5400), budget.Planned(deep, 2, 1e15, 60, 5460)]
    left_out = [budget.Planned(wide, seed, 5e17, 36e4, 36e4) for seed in (1, 2)]
    rates = budget.Rates(4, {1: 1}, 0, 1, 1)
    lines = run_within.table_of(budget.Plan(trainings, left_out, 600), rates, 7200)
    words = [" ".join(line.split()) for line in lines]
    assert words == [
        "training seed left takes ends after",
        "ResNet-110 1x 1 23 PFLOP 1.5 h 1.5 h",
        "ResNet-110 1x 2 1 PFLOP 1 min 1.5 h",
        "left out",
        "ResNet-26 10x 2 seeds 100 h",
        "4 at a time, then 10 min of dumps, CKA, probes, figures and report: 1.7 h of 2 h",
    ]
    none = run_within.table_of(budget.Plan([], left_out, 0), rates, 60)
    assert none[1] == "  none fits into the time"
