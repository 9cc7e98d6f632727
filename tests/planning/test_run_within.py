"""What scripts/run_within.py does beside its plan: the data beside it, its configs, its words."""

from pathlib import Path

import plan
import pytest
import run_within
import torch

from widedeep.names import Configuration, Network
from widedeep.networks import devices
from widedeep.planning import budget, throughput
from widedeep.planning.images import images_of
from widedeep.runtime.errors import UserError
from widedeep.study import checks

PAPER = checks.read("config/cifar10.yaml")
TINY = checks.read("tests/workflow/tiny.yaml")


def with_dataset(**keys):
    return checks.checked({**PAPER.dump(), "dataset": {"name": "cifar10", **keys}})


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
    assert checks.checked(found.dump()) == with_dataset(archive=str(path))


def test_without_it_the_data_come_as_the_config_says(here):
    assert run_within.with_archive(with_dataset(source="npm")) == with_dataset(source="npm")
    (here / "cifar-10-python.tar.gz").touch()
    given = with_dataset(archive="/elsewhere/cifar.tar.gz")
    assert run_within.with_archive(given) == given
    assert run_within.with_archive(TINY) == TINY


def test_a_config_that_says_the_same_is_not_written_again(here):
    path = here / "study.yaml"
    run_within.write(path, PAPER)
    assert checks.read(path) == PAPER
    before = path.stat().st_mtime_ns
    run_within.write(path, PAPER)
    assert path.stat().st_mtime_ns == before
    run_within.write(path, PAPER.model_copy(update={"study": "other"}))
    assert checks.read(path).study == "other"


def test_the_plan_in_words():
    deep, wide = (Configuration("cifar10", "resnet", *size, 1) for size in ((110, 1), (26, 10)))
    trainings = [
        budget.Planned(Network(deep, 1), 2.3e16, 5400, 5400),
        budget.Planned(Network(deep, 2), 1e15, 60, 5460),
    ]
    left_out = [budget.Planned(Network(wide, seed), 5e17, 36e4, 36e4) for seed in (1, 2)]
    rates = budget.Rates(4, {1: 1}, {1: 1}, {}, 0, 1, 0, 1, 1)
    lines = run_within.table_of(budget.Plan(trainings, left_out, 600), rates, 7200)
    words = [" ".join(line.split()) for line in lines]
    assert words == [
        "training seed left takes ends after",
        "ResNet-110 1x 1 23.0PFLOP 1:30:00 1:30:00",
        "ResNet-110 1x 2 1.00PFLOP 01:00 1:31:00",
        "left out",
        "ResNet-26 10x 2 seeds 100:00:00",
        "4 at a time, then 10:00 of dumps, CKA, probes, figures and report: 1:41:00 of 2:00:00",
    ]
    none = run_within.table_of(budget.Plan([], left_out, 0), rates, 60)
    assert none[1] == "  none fits into the time"


@pytest.fixture
def machine(monkeypatch):
    """A function that measures the paper's networks on a device with memory for so many wide ones, and eight cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8), raising=False)

    def measure(wide_ones):
        def measured(configuration, _images, recipe, processes, **_how):
            assert recipe.epochs == 300
            if configuration.width == 10:
                return throughput.Measured(4e13 if processes <= wide_ones else 0.0, 90.0, "a device")
            return throughput.Measured(min(processes, 4) * 1e12, 5.0 * processes, "a device")

        monkeypatch.setattr(throughput, "side_by_side", measured)
        few = [one for one in PAPER.configurations if (one.depth, one.width) in ((14, 1), (38, 10))]
        return run_within.Run(PAPER, 0.0)._measure(few, images_of(PAPER))

    return measure


def test_as_many_train_at_a_time_as_get_faster_and_find_memory(machine, capsys):
    rates = machine(wide_ones=8)
    assert (rates.at_once, rates.operations, rates.start, rates.cores) == (4, {1: 4e12, 10: 4e13}, 5.0, 8)
    assert rates.products > 1e8
    assert rates.in_float32 == 1
    assert 1e-5 < rates.store_gram < 1
    said = capsys.readouterr().out
    assert [line.split()[2] for line in said.splitlines() if "at a time  " in line] == ["1", "2", "4", "8", "4"]
    assert said.endswith("on a device: 4 at a time\nfor scripts/plan.py: --throughput 1:4000 10:40000\n")
    assert machine(wide_ones=3).at_once == 2
    assert machine(wide_ones=2).operations == {1: 2e12, 10: 4e13}


def test_the_plan_takes_the_printed_rates(machine, capsys):
    rates = machine(wide_ones=8)
    _, words = capsys.readouterr().out.splitlines()[-1].split(": ", 1)
    speeds, _ = plan.given_rates(plan.parse(["--configfile", "x", *words.split()]).throughput)
    assert speeds == rates.operations


def test_on_cuda_measures_are_slower_than_trainings_and_first_components_are_found_there(machine, monkeypatch):
    asked = []

    def seconds_to_store_gram(_examples, with_scores):
        asked.append(with_scores)
        return 1.0

    monkeypatch.setattr(throughput, "seconds_to_store_gram", seconds_to_store_gram)
    machine(wide_ones=8)
    monkeypatch.setattr(devices, "device_named", lambda _: torch.device("cuda"))
    assert machine(wide_ones=8).in_float32 == 8
    assert asked == [False, True]


def test_a_network_without_memory_is_one_sentence(machine):
    with pytest.raises(UserError, match=r"^training\.batch_size: .*ResNet-38 10x .*memory"):
        machine(wide_ones=0)


def test_on_a_gpu_one_process_trains_as_many_seeds_as_pay_off(monkeypatch, capsys):
    """An invented card: a narrow network gains from three others, and kernel by kernel it gets a fifth."""
    asked = []

    def measured(configuration, _images, _recipe, number, in_one=False, in_graph=True):
        asked.append((configuration.width, number, in_one, in_graph))
        whole = min(number, 4) * 1e12 if configuration.width == 1 else 4e13
        return throughput.Measured(whole if in_graph else 2e11 * configuration.width, 6.0, "a card")

    monkeypatch.setattr(throughput, "side_by_side", measured)
    monkeypatch.setattr("widedeep.networks.devices.device_named", lambda _name: torch.device("cuda"))
    few = [one for one in PAPER.configurations if (one.depth, one.width) in ((14, 1), (38, 10))]
    run = run_within.Run(PAPER, 0.0)
    rates = run._measure(few, images_of(PAPER))
    in_graphs = [(1, 1), (1, 2), (1, 4), (1, 8), (10, 4)]
    assert asked == [(*one, True, True) for one in in_graphs] + [(1, 1, False, False), (10, 1, False, False)]
    assert (rates.at_once, rates.operations, rates.fewer) == (4, {1: 4e12, 10: 4e13}, {1: 0.25, 2: 0.5})
    assert rates.analysing == {1: 2e11, 10: 2e12}
    assert "on a card: 4 at a time in one process\n" in capsys.readouterr().out
    # A training has the whole card, and takes along the seeds of its config; four other jobs share it.
    options = run._shares_of_device()
    assert "gpu=4" in options
    assert {"train:gpu=4", "dump_activations:gpu=1"} <= {*options}
    assert run._with_at_once(PAPER).training.at_once == 4
