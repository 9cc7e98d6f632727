"""The steps of trainings as a graph: on the CPU, with a stand-in for what CUDA records."""

import contextlib

import numpy as np
import own_families
import pytest
import small
import torch
from no_waiting import WithoutHost

from widedeep.analysis import probes
from widedeep.analysis.probe_options import ProbeRecipe
from widedeep.networks import families
from widedeep.training import feed, graph, loop, side_by_side
from widedeep.training.distributed import Group


@pytest.fixture
def recorded(monkeypatch):
    """The stand-in: what is captured runs when it is replayed, without the host. A list of the numbers of captures."""
    numbers = []

    def capture(steps):
        numbers.append(len(steps))

        def replay():
            with WithoutHost():
                for step in steps:
                    step()

        return replay

    monkeypatch.setattr(graph, "needs_the_host", lambda _training: "")
    monkeypatch.setattr(graph, "_on_a_stream_beside", contextlib.nullcontext)
    monkeypatch.setattr(graph, "capture", capture)
    return numbers


@pytest.mark.parametrize("changes", [{}, {"schedule": "step"}, {"momentum": 0.0}, {"flip": False}])
def test_captured_steps_learn_what_plain_steps_learn(recorded, changes):
    beside = [small.training(seed, **changes) for seed in (1, 2)]
    assert side_by_side.run(beside, lambda _running: None) == {}
    assert recorded == [2]
    for training, seed in zip(beside, (1, 2), strict=True):
        alone = small.training(seed, **changes)
        train_plainly(alone)
        assert small.same(training.network, alone.network)
        assert small.as_text(training.history) == small.as_text(alone.history)
    assert recorded == [2]


def test_steps_of_probes_are_captured_too(recorded):
    network = small.train().network.eval()
    recorded.clear()
    recipe = ProbeRecipe(epochs=2, batch_size=16, learning_rate=0.05, flip=True, pool=False)
    found = []
    for _ in range(2):
        layers = probes.probed(network)
        made = probes.Probes(network, layers, small.split(), small.split(30, 9), 3, recipe, "a/seed1", small.CPU)
        if not found:
            made.run(lambda _probes: None)
            assert recorded == [1]
        else:
            train_plainly(made)
        found.append(made)
    first, second = (made.heads.state_dict() for made in found)
    assert all(torch.equal(first[key], second[key]) for key in first)


def train_plainly(training):
    """Train to the end without any attempt of a graph."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "needs_the_host", lambda _training: "it is told so")
        side_by_side.run([training], lambda _running: None)


def test_it_is_captured_anew_when_one_has_ended(recorded):
    beside = [small.training(1, epochs=1), small.training(2), small.training(3)]
    side_by_side.run(beside, lambda _running: None)
    assert recorded == [3, 2]
    assert small.same(beside[1].network, small.train(2).network)


@pytest.mark.usefixtures("recorded")
def test_the_stand_in_notices_a_step_that_needs_the_host(monkeypatch):
    original = feed.InMemory.batch

    def reading(self):
        self._position.item()
        return original(self)

    monkeypatch.setattr(feed.InMemory, "batch", reading)
    with pytest.raises(AssertionError, match="needs the host"):
        side_by_side.run([small.training()], lambda _running: None)


@pytest.mark.usefixtures("recorded")
def test_a_step_that_cannot_be_captured_runs_kernel_by_kernel(monkeypatch):
    def refuse(_steps):
        raise RuntimeError("operation not permitted when stream is capturing\nmore lines")

    monkeypatch.setattr(graph, "capture", refuse)
    training = small.training()
    training.begin_epoch()
    with pytest.raises(graph.NotCapturedError, match=r"cannot be captured \(operation .* capturing\)$"):
        graph.captured([training])
    plain = small.training()
    train_plainly(plain)
    assert small.same(small.train().network, plain.network)


def test_a_network_with_random_numbers_of_its_own_is_not_captured(recorded, tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(own_families.DRAWING)
    monkeypatch.setattr(families, "FOLDER", tmp_path)
    model = small.Configuration("blobs", "own", 8, 1.0, 1.0)
    training = small.training(model=model)
    training.begin_epoch()
    with pytest.raises(graph.NotCapturedError, match=r"^blobs-own8-w1-f100/seed1 draws random numbers of its own"):
        graph.captured([training])
    assert recorded == []


def test_the_log_of_a_gpu_says_how_steps_run(monkeypatch, capsys):
    training = small.training()
    training.begin_epoch()
    side_by_side._as_many_as_fit([training])
    assert capsys.readouterr().out == ""  # other devices have no graphs
    training.device = torch.device("cuda")
    monkeypatch.setattr(graph, "captured", lambda _trainings: None)
    side_by_side._as_many_as_fit([training])
    assert capsys.readouterr().out == f"{training.name}: each step runs in one CUDA graph.\n"


def on_cuda(training):
    training.device = torch.device("cuda")
    return training


def test_what_needs_the_host_is_said():
    assert graph.needs_the_host(small.training()) == "the device is cpu"
    training = on_cuda(small.training())
    assert graph.needs_the_host(training) == ""
    training.group = Group(small.CPU, 0, 2)
    assert "several processes" in graph.needs_the_host(training)
    training = on_cuda(small.training())
    training.feed = feed.Streamed(*training.train, small.recipe(), Group(small.CPU), None)
    assert "streamed" in graph.needs_the_host(training)


@pytest.mark.usefixtures("recorded")
def test_a_capture_leaves_the_training_as_it_was():
    training = small.training()
    training.begin_epoch()
    training.take_step()
    training.count_step(1)
    before = {key: value.clone() for key, value in training.network.state_dict().items()}
    take_step = graph.captured([training])
    assert all(torch.equal(before[key], value) for key, value in training.network.state_dict().items())
    assert (training.epoch, training.step) == (0, 1)
    take_step()
    alone = small.training()
    alone.begin_epoch()
    for _ in range(2):
        alone.take_step()
        alone.count_step(1)
    assert small.same(training.network, alone.network)


def test_the_random_numbers_of_an_epoch_are_those_of_its_steps():
    """Drawn for the whole epoch, from the generators of its steps, as augmentation.augmented draws them."""
    training = small.training()
    training.begin_epoch()
    order = torch.randperm(50, generator=training._generator("order", 0))
    for step in range(3):
        images, labels = training.feed.batch()
        indices = order[16 * step :][:16]
        expected = small.augmented(training.train[0], indices, True, training._generator("augmentation", 0, step))
        assert torch.equal(images, expected)
        np.testing.assert_array_equal(labels, small.split().labels[indices])


def test_a_gpu_evaluates_more_small_images_at_once_than_it_trains_on():
    small_images, large_images = (torch.empty(0, side, side, 3, device="meta") for side in (32, 224))
    assert loop._evaluated_at_once(small_images, 128) == 1024
    assert loop._evaluated_at_once(large_images, 128) == 128
    assert loop._evaluated_at_once(torch.empty(0, 32, 32, 3), 128) == 128
