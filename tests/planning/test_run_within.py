"""What scripts/run_within.py does beside its plan: the data beside it, its configs, its words."""

from pathlib import Path

import pytest
import run_within
import torch
import yaml

from widedeep.names import Configuration
from widedeep.networks import devices
from widedeep.planning import budget, costs, side_by_side
from widedeep.runtime.errors import UserError
from widedeep.study import config as study_config

PAPER = study_config.read("config/cifar10.yaml")
IMAGES = costs.images_of(PAPER)
STUDY = costs.of_study(PAPER, IMAGES)
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
    deep, wide = (Configuration("cifar10", "resnet", *size, 1) for size in ((110, 1), (26, 10)))
    trainings = [budget.Planned(deep, 1, 2.3e16, 5400, 5400), budget.Planned(deep, 2, 1e15, 60, 5460)]
    left_out = [budget.Planned(wide, seed, 5e17, 36e4, 36e4) for seed in (1, 2)]
    rates = budget.Rates(4, {1: 1}, 0, 1, 0, 1, 1)
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


@pytest.fixture
def machine(monkeypatch):
    """A function that measures the paper's networks on a device with memory for so many wide ones, and eight cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8), raising=False)

    def measure(wide_ones):
        def measured(cost, _images, recipe, processes):
            assert recipe.epochs == 300
            if cost.model.width == 10:
                return side_by_side.Measured(4e13 if processes <= wide_ones else 0.0, 90.0, "a device")
            return side_by_side.Measured(min(processes, 4) * 1e12, 5.0 * processes, "a device")

        monkeypatch.setattr(side_by_side, "measured", measured)
        return run_within.Run(PAPER, 0.0)._measure(STUDY, IMAGES)

    return measure


def test_as_many_train_at_a_time_as_get_faster_and_find_memory(machine, capsys):
    rates = machine(wide_ones=8)
    assert (rates.at_once, rates.operations, rates.start, rates.cores) == (4, {1: 4e12, 10: 4e13}, 5.0, 8)
    assert rates.products > 1e8
    assert rates.in_float32 == 1
    assert 1e-5 < rates.a_gram < 1
    said = capsys.readouterr().out
    assert [line.split()[2] for line in said.splitlines() if "at a time  " in line] == ["1", "2", "4", "8", "4"]
    assert said.endswith("on a device: 4 at a time\n")
    assert machine(wide_ones=3).at_once == 2
    assert machine(wide_ones=2).operations == {1: 2e12, 10: 4e13}


def test_on_cuda_measures_are_slower_than_trainings_and_first_components_are_found_there(machine, monkeypatch):
    on_cpu = machine(wide_ones=8)
    monkeypatch.setattr(devices, "device_named", lambda _: torch.device("cuda"))
    on_cuda = machine(wide_ones=8)
    assert on_cuda.in_float32 == 8
    assert on_cuda.a_gram < on_cpu.a_gram / 2


def test_a_network_without_memory_is_one_sentence(machine):
    with pytest.raises(UserError, match=r"^training\.batch_size: a training of ResNet-38 10x finds no memory on this"):
        machine(wide_ones=0)
