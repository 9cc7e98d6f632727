"""Trainings on a GPU: a graph of steps learns what plain steps learn, waits for nothing, allocates nothing, resumes."""

import own_families
import pytest
import small
import torch

from widedeep.names import Network
from widedeep.networks import families
from widedeep.networks.precision import full_float32
from widedeep.runtime.interruption import Interrupted
from widedeep.training import graph, loop, side_by_side
from widedeep.training.checkpoint import Checkpoint
from widedeep.training.distributed import Group


def training_on(device, seed=1, model=small.MODEL, **changes):
    """A Training on the small data, at its beginning."""
    examples = [loop.examples_on(part, device) for part in (small.split(), small.split(30, 9))]
    return loop.training_of(Network(model, seed), (1, 8, 8), *examples, 3, small.recipe(**changes), Group(device))


def trained(*trainings):
    with full_float32():
        assert side_by_side.run(list(trainings), lambda _running: None) == {}
    return trainings


@pytest.fixture
def plainly(monkeypatch):
    """A function after which no steps are captured."""
    return lambda: monkeypatch.setattr(graph, "needs_the_host", lambda _training: "the test asks for it")


def assert_close(first, second, tolerance=1e-3):
    """Two trainings have the same weights but for what steps make of rounding."""
    for one, other in zip(first.network.state_dict().values(), second.network.state_dict().values(), strict=True):
        torch.testing.assert_close(one.cpu(), other.cpu(), rtol=tolerance, atol=tolerance)
    losses = ([line["train_loss"] for line in training.history] for training in (first, second))
    assert next(losses) == pytest.approx(next(losses), rel=tolerance)


@pytest.mark.parametrize("changes", [{}, {"schedule": "step"}, {"momentum": 0.0}, {"label_smoothing": 0.1}])
def test_a_graph_learns_what_plain_steps_and_the_cpu_learn(cuda, plainly, capsys, changes):
    (in_graph,) = trained(training_on(cuda, epochs=1, **changes))
    assert "each step runs in one CUDA graph." in capsys.readouterr().out
    plainly()
    (kernel_by_kernel,) = trained(training_on(cuda, epochs=1, **changes))
    assert "since the test asks for it" in capsys.readouterr().out
    assert_close(in_graph, kernel_by_kernel)
    assert_close(in_graph, *trained(training_on(small.CPU, epochs=1, **changes)))


def test_in_mixed_precision_too(cuda, plainly):
    (in_graph,) = trained(training_on(cuda, epochs=1, mixed_precision=True))
    plainly()
    assert_close(in_graph, *trained(training_on(cuda, epochs=1, mixed_precision=True)), tolerance=2e-2)


def test_each_of_several_learns_what_it_learns_alone(cuda):
    seeds = (1, 2, 3)
    beside = trained(*(training_on(cuda, seed, epochs=1) for seed in seeds))
    for training, seed in zip(beside, seeds, strict=True):
        assert_close(training, *trained(training_on(cuda, seed, epochs=1)))


def test_it_resumes_in_the_middle_of_an_epoch(cuda, tmp_path):
    checkpoint, steps = Checkpoint(tmp_path / "checkpoint.pt", {}), []

    def stop(running):
        steps.append(running[0].step)
        if len(steps) == 2:
            checkpoint.save(running[0].state())
            raise Interrupted

    with full_float32(), pytest.raises(Interrupted):
        side_by_side.run([training_on(cuda, epochs=1)], stop)
    resumed = training_on(cuda, epochs=1)
    checkpoint.resume(resumed)
    assert resumed.step == 2
    assert_close(*trained(resumed), *trained(training_on(cuda, epochs=1)))


def test_steps_wait_for_nothing_and_allocate_nothing(cuda):
    trainings = [training_on(cuda, seed) for seed in (1, 2)]
    for training in trainings:
        training.begin_epoch()
    take_step = graph.captured(trainings)
    before = torch.cuda.memory_stats(cuda)["allocation.all.allocated"]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            take_step()
            for training in trainings:
                training.count_step(0.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.cuda.memory_stats(cuda)["allocation.all.allocated"] == before


def test_dropout_falls_back_and_says_so(cuda, tmp_path, monkeypatch, capsys):
    (tmp_path / "own.py").write_text(own_families.DRAWING)
    monkeypatch.setattr(families, "FOLDER", tmp_path)
    model = small.Configuration("blobs", "own", 8, 1.0, 1.0)
    trained(training_on(cuda, model=model, epochs=1))
    assert "kernel by kernel, since blobs-own8-w1-f100/seed1 draws random numbers" in capsys.readouterr().out


def test_a_network_that_reads_its_values_falls_back_and_says_so(cuda, tmp_path, monkeypatch, capsys):
    (tmp_path / "own.py").write_text(
        own_families.DRAWING.replace("nn.Dropout(0.5)", "Reading()").replace(
            "    network = nn.Sequential()",
            "    class Reading(nn.Module):\n"
            "        def forward(self, x):\n"
            "            return x if x.sum().item() > 0 else x * 1.0\n\n"
            "    network = nn.Sequential()",
        )
    )
    monkeypatch.setattr(families, "FOLDER", tmp_path)
    model = small.Configuration("blobs", "own", 8, 1.0, 1.0)
    (training,) = trained(training_on(cuda, model=model, epochs=1))
    assert "kernel by kernel, since they cannot be captured (" in capsys.readouterr().out
    assert training.is_finished
