"""Training against hand-made steps, and resumption to the same bits."""

import dataclasses
import math

import pytest
import small
import torch
from torch.nn import functional

from widedeep.data import augmentation
from widedeep.networks.build import build
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import Interrupted
from widedeep.training import loop
from widedeep.training.checkpoint import Checkpoint


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
    original = augmentation.cropped

    def remembering(images, indices, *crops):
        batches["images"], batches["indices"] = original(images, indices, *crops), indices
        return batches["images"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentation, "cropped", remembering)
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
    original = augmentation.cropped
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            augmentation,
            "cropped",
            lambda images, indices, *crops: seen.append(indices.tolist()) or original(images, indices, *crops),
        )
        small.train(epochs=2)  # 50 examples: three batches of 16, and two examples left out
    assert [len(batch) for batch in seen] == [16] * 6
    first, second = sum(seen[:3], []), sum(seen[3:], [])
    assert len(set(first)) == len(set(second)) == 48
    assert first != second


def test_same_seed_same_bits_and_another_seed_differs_in_everything():
    first, again, other = small.train(1), small.train(1), small.train(2)
    assert small.same(first.network, again.network)
    assert small.as_text(first.history) == small.as_text(again.history)
    assert not small.same(first.network, other.network)
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
    assert small.same(whole.network, resumed.network)
    assert small.as_text(whole.history) == small.as_text(resumed.history)
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
    with pytest.raises(
        UserError, match=r"blobs-resnet8-w0\.5-f100/seed1: .*nan in epoch 1 of 3.*training\.learning_rate"
    ):
        small.train(learning_rate=1000.0, l2=1000.0)


def test_refuses_a_batch_larger_than_the_data():
    with pytest.raises(UserError, match=r"training\.batch_size 51 .*blobs-resnet8-w0\.5-f100/seed1 .*50"):
        small.train(batch_size=51)


def test_refuses_mixed_precision_without_cuda():
    with pytest.raises(UserError, match=r"training\.mixed_precision.*cuda.*cpu"):
        small.train(mixed_precision=True)


def test_the_test_set_is_not_gone_through_more_often_than_it_is_worth():
    """30 test images to 50 training images: every second epoch, and the last."""
    history = small.train(epochs=5).history
    assert [math.isfinite(line["test_accuracy"]) for line in history] == [False, True, False, True, True]


def test_too_few_channels_for_torch_are_refused():
    with pytest.raises(UserError, match=r"blobs-resnet8-w0\.25-f100/seed1: .* 4 channels.* 8"):
        small.train(model=dataclasses.replace(small.MODEL, width=0.25))
