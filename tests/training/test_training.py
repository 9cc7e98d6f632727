"""The recipe against hand-made steps, and resumption to the same bits."""

import dataclasses
import math

import numpy as np
import pytest
import safetensors.torch
import small
import torch
from torch.nn import functional

from widedeep.data import augmentation
from widedeep.formats import weights
from widedeep.networks.build import build
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import Interrupted
from widedeep.training import loop
from widedeep.training.checkpoint import Checkpoint


def same(first, second):
    """Whether two networks hold the same bits."""
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def as_text(history):
    """As text, in which one NaN equals another."""
    return [{key: repr(value) for key, value in line.items()} for line in history]


def test_learning_rate_is_half_a_cosine_by_epoch():
    history = small.train(epochs=4).history
    expected = [0.1 * 0.5 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)]
    assert [line["learning_rate"] for line in history] == pytest.approx(expected)
    columns = {"epoch", "learning_rate", "train_loss", "train_accuracy", "test_loss", "test_accuracy"}
    assert set(history[0]) == columns
    assert [line["epoch"] for line in history] == [1, 2, 3, 4]


def test_the_first_step_is_the_gradient_of_loss_plus_l2_on_kernels_only():
    """w - lr * (d cross-entropy / dw + 2 * l2 * w) for kernels, without the second term for the rest."""
    l2, rate = 0.05, 0.1
    drawn = {}

    def stop(state):
        drawn["after"] = {key: value.clone() for key, value in state.network.named_parameters()}
        raise Interrupted

    start = small.train(epochs=1, learning_rate=1e-30, momentum=0.0).name  # only for the name of its streams
    batches = {}
    original = augmentation.augmented

    def remembering(images, indices, flip, generator):
        batches["images"], batches["indices"] = original(images, indices, flip, generator), indices
        return batches["images"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentation, "augmented", remembering)
        with pytest.raises(Interrupted):
            small.train(after_step=stop, l2=l2, learning_rate=rate)
    generator = torch.Generator().manual_seed(loop.random_seed(start, "init"))
    network = build("resnet", 8, 0.5, 3, 1, 0.1, generator).to(memory_format=torch.channels_last).train()
    labels = torch.from_numpy(small.split().labels)[batches["indices"]]
    loss = functional.cross_entropy(network(batches["images"]), labels)
    loss = loss + l2 * sum((p**2).sum() for name, p in network.named_parameters() if p.ndim > 1)
    loss.backward()
    for name, parameter in network.named_parameters():
        expected = parameter.detach() - rate * parameter.grad
        torch.testing.assert_close(drawn["after"][name], expected, rtol=1e-4, atol=1e-6)


def test_incomplete_batches_are_dropped_and_every_epoch_has_another_order():
    seen = []
    original = augmentation.augmented
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            augmentation,
            "augmented",
            lambda i, indices, f, g: seen.append(indices.tolist()) or original(i, indices, f, g),
        )
        small.train(epochs=2)  # 50 examples: three batches of 16, and two examples left out
    assert [len(batch) for batch in seen] == [16] * 6
    first, second = sum(seen[:3], []), sum(seen[3:], [])
    assert len(set(first)) == len(set(second)) == 48
    assert first != second


def test_same_seed_same_bits_and_another_seed_differs_in_everything():
    first, again, other = small.train(1), small.train(1), small.train(2)
    assert same(first.network, again.network)
    assert as_text(first.history) == as_text(again.history)
    assert not same(first.network, other.network)
    for purpose in ("init", "order", "augmentation"):
        streams = {loop.random_seed(run.name, purpose) for run in (first, again, other)}
        assert len(streams) == 2
    assert len({loop.random_seed(first.name, purpose) for purpose in ("init", "order", "augmentation")}) == 3


def test_networks_of_other_configurations_have_streams_of_their_own():
    wide = small.train(model=small.Configuration("blobs", "resnet", 8, 1.0, 1.0))
    assert wide.name != small.train().name


@pytest.mark.parametrize("stop_after", [1, 3, 4, 8, 9])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, stop_after):
    """Nine steps in all; 3 and 9 are the ends of epochs."""
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {"a": 1})
    with pytest.raises(Interrupted):
        small.train(after_step=small.saving_after(checkpoint, stop_after))
    after = []
    resumed = small.train(after_step=lambda state: after.append(state.step), checkpoint=checkpoint)
    assert len(after) == 9 - stop_after
    whole = small.train()
    assert same(whole.network, resumed.network)
    assert as_text(whole.history) == as_text(resumed.history)
    assert whole.metrics() == resumed.metrics()


def test_evaluation_changes_nothing_and_counts_every_example():
    finished = small.train()
    before = {key: value.clone() for key, value in finished.network.state_dict().items()}
    finished.network.train()
    images, labels = finished.test
    loss, accuracy = loop.evaluate(finished.network, images, labels, 7)
    assert finished.network.training
    assert all(torch.equal(before[key], value) for key, value in finished.network.state_dict().items())
    logits = finished.network.eval()(augmentation.plain(images, torch.arange(30)))
    assert loss == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert accuracy == pytest.approx((logits.argmax(1) == labels).float().mean().item())


def test_it_learns():
    assert small.train(epochs=8).metrics()["test_accuracy"] > 0.8


def test_a_loss_that_is_not_finite_stops_the_training():
    with pytest.raises(UserError, match=r"blobs-resnet8-w0.5-f100/seed1: the training loss became .* in epoch 1 of 3"):
        small.train(learning_rate=1e30)


def test_refuses_a_batch_larger_than_the_data():
    with pytest.raises(UserError, match=r"training.batch_size 51 is larger than the training set .* \(50 examples\)"):
        small.train(batch_size=51)


def test_refuses_mixed_precision_without_cuda():
    with pytest.raises(UserError, match="mixed precision needs a cuda device, and this is cpu"):
        small.train(mixed_precision=True)


class Hostile:
    """A pickle that would leave a file behind when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_refuses_checkpoints_that_are_damaged_hostile_or_of_another_training(tmp_path):
    path = tmp_path / "checkpoint.pt"
    checkpoint = Checkpoint(path, {"model": "a", "seed": 1})
    assert checkpoint.load() is None
    checkpoint.save({"x": torch.ones(1000)})
    assert checkpoint.load()["x"].sum() == 1000
    with pytest.raises(UserError, match=r"another configuration \(seed=1 where seed=2 is expected\)"):
        Checkpoint(path, {"model": "a", "seed": 2}).load()
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"checkpoint\.pt: is truncated.* delete it to train from"):
            checkpoint.load()
    trace = tmp_path / "trace"
    checkpoint.save(Hostile(trace))
    with pytest.raises(UserError, match="is not a readable checkpoint"):
        checkpoint.load()
    assert not trace.exists()


@pytest.mark.parametrize("library", [np, torch])
def test_a_checkpoint_that_does_not_fit_into_memory_is_not_called_damaged(library, tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {})
    checkpoint.save({"x": torch.ones(1)})
    monkeypatch.setattr(torch, "load", lambda *_, **_options: library.empty(1 << 50))
    with pytest.raises(
        UserError, match=r"checkpoint\.pt: does not fit into the free memory; the file is kept, run"
    ) as no:
        checkpoint.load()
    assert "delete" not in str(no.value)


def test_a_checkpoint_of_a_network_that_was_changed_meanwhile_is_one_sentence(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {})
    training = small.train(epochs=1)
    changes = {
        "state.network.stem.conv.weight has the shape (1,) and the type torch.float32": ("network", torch.zeros(1)),
        "state.network has other entries": ("network", None),
        "state.optimizer.velocities.0 has 0 entries": ("optimizer", {"velocities": [[], []]}),
        "state.epoch is str": ("epoch", "1"),
    }
    for words, (key, value) in changes.items():
        state = loop.state()
        state[key] = value
        if key == "network":
            state[key] = {} if value is None else {**loop.state()[key], "stem.conv.weight": value}
            state[key] = type(loop.state()[key])(state[key])
        checkpoint.save(state)
        with pytest.raises(UserError, match=r"does not fit what is trained here") as no:
            checkpoint.resume(training)
        assert words in str(no.value)
    checkpoint.save(loop.state())
    checkpoint.resume(training)


def test_the_tensors_of_a_checkpoint_come_to_main_memory_whatever_they_were_on(tmp_path, monkeypatch):
    """A GPU that others have filled refuses them with errors of several kinds."""
    checkpoint, load, places = Checkpoint(tmp_path / "checkpoint.pt", {}), torch.load, []
    checkpoint.save({"x": torch.ones(1)})
    monkeypatch.setattr(
        torch, "load", lambda *words, **options: places.append(options["map_location"]) or load(*words, **options)
    )
    checkpoint.load()
    assert places == ["cpu"]


@pytest.fixture
def saved(tmp_path):
    """A trained network on disk, and the training."""
    finished, path = small.train(), tmp_path / "model.safetensors"
    description = weights_description(tmp_path)
    settings = loop.settings(small.MODEL, 1, small.recipe(), description.train_checksum)
    weights.save(path, finished.network, small.MODEL, settings, description)
    return path, finished


def weights_description(folder):
    from widedeep.formats import dataset

    return dataset.describe(small.write_dataset(folder / "dataset.h5"))


def test_weights_come_back_with_the_network_around_them(saved):
    path, finished = saved
    network, model, settings = weights.load(path, small.CPU)
    assert model == small.MODEL
    assert settings["seed"] == 1
    assert same(network, finished.network)
    assert not network.training
    assert path.stat().st_mode & 0o044  # others can read it


def test_refuses_weights_that_are_missing_damaged_or_something_else(saved, tmp_path):
    path, _ = saved
    whole = path.read_bytes()
    with pytest.raises(UserError, match="no such file"):
        weights.load(tmp_path / "none.safetensors", small.CPU)
    for length in (0, 7, 100, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="is not a trained network of this workflow"):
            weights.load(path, small.CPU)
    path.write_bytes(whole.replace(b'\\"schema_version\\": 2', b'\\"schema_version\\": 9'))
    with pytest.raises(UserError, match="schema version 9 where 2 is expected; train it again"):
        weights.load(path, small.CPU)
    path.write_bytes(whole.replace(b'\\"depth\\": 8', b'\\"depth\\": 9'))
    with pytest.raises(UserError, match=r"is damaged \(its checksum is another one"):
        weights.load(path, small.CPU)


def test_refuses_weights_of_a_network_that_its_family_does_not_build_any_more(tmp_path):
    larger, dataset = dataclasses.replace(small.MODEL, depth=14), weights_description(tmp_path)
    weights.save(tmp_path / "m.safetensors", small.train().network, larger, {"seed": 1}, dataset)
    with pytest.raises(UserError, match="the weights do not fit blobs-resnet14-w0.5-f100; the file is damaged"):
        weights.load(tmp_path / "m.safetensors", small.CPU)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{}", "null"])
def test_a_hostile_header_of_weights_is_one_sentence(text, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors.torch.save({"x": torch.ones(1)}, {"widedeep": text}))
    with pytest.raises(UserError, match=r"m\.safetensors: is not a trained network of this workflow"):
        weights.load(path, small.CPU)


def test_float64_oracle_of_the_images_scale():
    """uint8 255 is 1.0 in the network's eyes."""
    batch = augmentation.plain(torch.full((1, 8, 8, 1), 255, dtype=torch.uint8), torch.tensor([0]))
    assert np.allclose(batch, 1)


def test_the_test_set_is_not_gone_through_more_often_than_it_is_worth():
    """30 test images to 50 training images: every second epoch, and the last."""
    history = small.train(epochs=5).history
    assert [math.isfinite(line["test_accuracy"]) for line in history] == [False, True, False, True, True]


def test_too_few_channels_for_torch_are_one_sentence():
    with pytest.raises(UserError, match="convolution of 4 channels, and torch corrupts memory in trainings"):
        small.train(model=dataclasses.replace(small.MODEL, width=0.25))
