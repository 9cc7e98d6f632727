"""Linear probes against the plain loop that trains one of them alone, and their checkpoints."""

from types import SimpleNamespace

import numpy as np
import probe_residual_blocks
import pytest
import small
import small_weights
import torch
from torch import nn

from widedeep.analysis import deletion, probes
from widedeep.analysis.probe_options import ProbeRecipe
from widedeep.data import augmentation
from widedeep.names import random_seed
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import STOPPED, Interrupted
from widedeep.training import loop

NAME = "blobs-resnet8-w0.5-f100/seed1"
RECIPE = ProbeRecipe(epochs=3, batch_size=16, learning_rate=0.05, momentum=0.9, flip=True, pool=False)


def with_changes(**changes):
    """RECIPE with other options, which may be out of the bounds of a config."""
    return RECIPE.model_copy(update=changes)


@pytest.fixture(scope="module")
def network():
    return small.train().network.eval()


def made(network, layers=None, recipe=RECIPE):
    layers = probes.probed(network) if layers is None else layers
    return probes.Probes(network, layers, small.split(), small.split(30, 9), 3, recipe, NAME, small.CPU)


def trained(network, **changes):
    result = made(network, **changes)
    result.run(lambda _: None)
    return result


def alone(network, layer):
    """The definition: one dense layer on the flattened output of one layer, by the usual loop; (weight, bias)."""
    kept = {}
    handle = layer.module.register_forward_hook(lambda _module, _inputs, output: kept.update(output=output))
    split = small.split()
    images, labels = augmentation.on_device(split.images, small.CPU), torch.from_numpy(split.labels)
    head = None
    for epoch in range(RECIPE.epochs):
        seed = random_seed(NAME, "probes", "order", epoch)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        for step in range(len(labels) // RECIPE.batch_size):
            indices = order[step * RECIPE.batch_size :][: RECIPE.batch_size]
            seed = random_seed(NAME, "probes", "augmentation", epoch, step)
            generator = torch.Generator().manual_seed(seed)
            with torch.no_grad():
                network(small.augmented(images, indices, RECIPE.flip, generator))
            inputs = kept["output"].permute(0, 2, 3, 1).flatten(1)
            if head is None:
                head = nn.Linear(inputs.shape[1], 3)
                generator = torch.Generator().manual_seed(random_seed(NAME, "probe", layer.name))
                nn.init.xavier_uniform_(head.weight, generator=generator)
                nn.init.zeros_(head.bias)
                optimizer = torch.optim.SGD(head.parameters(), lr=RECIPE.learning_rate, momentum=RECIPE.momentum)
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(inputs), labels[indices]).backward()
            optimizer.step()
    handle.remove()
    return head


def test_probes_stand_before_and_after_each_addition(network):
    names = [layer.name for layer in probes.probed(network)]
    assert names == [f"stage{stage}.block1.{kind}" for stage in (1, 2, 3) for kind in ("bn2", "add")]


def test_each_probe_learns_what_it_learns_alone(network):
    together = trained(network)
    for layer, head in zip(together.layers, together.heads, strict=True):
        expected = alone(network, layer)
        torch.testing.assert_close(head.weight, expected.weight, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(head.bias, expected.bias, rtol=1e-4, atol=1e-6)


def test_the_set_of_probes_changes_no_bit_of_one(network):
    layers = probes.probed(network)
    together, single = trained(network), trained(network, layers=layers[3:4])
    assert torch.equal(together.heads[3].weight, single.heads[0].weight)


def test_the_network_stays_as_it_was(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trained(network)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_accuracies_are_those_of_the_probe_on_plain_images(network):
    finished = trained(network)
    kept = {}
    layer = finished.layers[-1]
    handle = layer.module.register_forward_hook(lambda _module, _inputs, output: kept.update(output=output))
    split = small.split(30, 9)
    with torch.no_grad():
        network(torch.from_numpy(split.images).float() / 255)
        answers = finished.heads[-1](kept["output"].permute(0, 2, 3, 1).flatten(1)).argmax(1)
    handle.remove()
    line = finished.accuracies()[-1]
    assert line["test_accuracy"] == pytest.approx(np.mean(answers.numpy() == split.labels))
    assert (line["layer"], line["kind"], line["stage"]) == ("stage3.block1.add", "add", 3)


@pytest.mark.parametrize(("epochs", "half"), [(2, 1), (3, 1), (4, 2)])
def test_accuracies_at_half_are_those_of_probes_trained_for_half_of_the_epochs(network, epochs, half):
    whole, part = (trained(network, recipe=with_changes(epochs=count)).accuracies() for count in (epochs, half))
    assert [line["test_accuracy_at_half"] for line in whole] == [line["test_accuracy"] for line in part]
    # The test can tell them from those at the end.
    assert [line["test_accuracy_at_half"] for line in whole] != [line["test_accuracy"] for line in whole]


def test_one_epoch_has_no_half(network):
    found = trained(network, recipe=with_changes(epochs=1)).accuracies()
    assert all(np.isnan(line["test_accuracy_at_half"]) for line in found)


def test_looking_at_half_of_the_epochs_changes_no_bit_of_a_probe(network):
    """The third of four epochs starts where the second one ended, though accuracies were measured between them."""
    looked, plain = (made(network, recipe=with_changes(epochs=epochs)) for epochs in (4, 7))
    looked.run(lambda _: None)

    def stop(state):
        if (state.epoch, state.step) == (3, 3):
            raise Interrupted

    plain._accuracies = lambda *_: [0.0] * len(plain.layers)
    with pytest.raises(Interrupted):
        plain.run(stop)
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(looked.heads, plain.heads, strict=True))


def test_pooling_quarters_the_features(network):
    plain, pooled = (made(network, recipe=with_changes(pool=pool)) for pool in (False, True))
    sizes = [(a.in_features, b.in_features) for a, b in zip(plain.heads, pooled.heads, strict=True)]
    assert sizes[0] == (8 * 8 * 8, 4 * 4 * 8)
    assert all(whole == 4 * pooled for whole, pooled in sizes)


# The last step before accuracies are measured after half of the epochs, the first one after it, and a later one.
@pytest.mark.parametrize("place", [(0, 3), (1, 1), (1, 2)])
def test_resumed_at_any_step_it_ends_with_the_same_bits(network, place):
    expected = trained(network)
    stopped = made(network)

    def stop(state):
        if (state.epoch, state.step) == place:
            raise Interrupted

    with pytest.raises(Interrupted):
        stopped.run(stop)
    resumed = made(network)
    resumed.restore(stopped.state())
    resumed.run(lambda _: None)
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(expected.heads, resumed.heads, strict=True))
    assert resumed.accuracies() == expected.accuracies()


def test_a_batch_larger_than_the_training_set_is_refused(network):
    with pytest.raises(UserError, match=rf"probes\.batch_size 64\b.*{NAME}.*\b50\b"):
        made(network, recipe=with_changes(batch_size=64))


def test_weights_that_do_not_stay_finite_are_refused(network):
    with pytest.raises(UserError, match=rf"{NAME}: .* stage\d\.block1\.\w+ .*probes\.learning_rate"):
        trained(network, recipe=with_changes(learning_rate=1e38))


def test_a_network_without_residual_blocks_has_no_place_for_probes():
    with pytest.raises(UserError, match=r"figure 4.* stage1\.block1"):
        probes.probed(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))


def test_blocks_without_batch_norm_and_addition_have_no_place_for_probes():
    network = nn.Sequential()
    network.stage1 = nn.Sequential()
    network.stage1.block1 = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(UserError, match=r"figure 4.*\bAdd\b.*batch norm"):
        probes.probed(network)


def test_labels_follow_the_split():
    assert loop.examples_on(small.split(), small.CPU)[1].tolist() == small.split().labels.tolist()


def test_told_to_stop_when_all_steps_are_taken_the_program_keeps_them_for_the_next_start(
    tmp_path, monkeypatch, network
):
    """Snakemake, which is about to end, deletes the files of a job that it has not seen ending."""
    data_file = small.write_dataset(tmp_path / "blobs.h5")
    weights = small_weights.write(tmp_path / "m.safetensors", network, data_file)
    files = ["--data", data_file, "--probes", tmp_path / "probes.csv", "--deletion", tmp_path / "deletion.csv"]
    words = [weights, *files, "--epochs", 1, "--batch-size", 16, "--device", "cpu"]
    stop, original = SimpleNamespace(name=None), deletion.accuracies

    def told(*args):
        stop.name = "SIGTERM"
        return original(*args)

    monkeypatch.setattr(probe_residual_blocks, "StopSignal", lambda: stop)
    monkeypatch.setattr(deletion, "accuracies", told)
    assert probe_residual_blocks.main([str(word) for word in words]) == STOPPED
    found = (tmp_path / "probes.csv").read_text()
    (tmp_path / "probes.csv").unlink()
    stop.name = None
    monkeypatch.setattr(deletion, "accuracies", original)
    monkeypatch.setattr(probes.Probes, "take_step", None)
    assert probe_residual_blocks.main([str(word) for word in words]) == 0
    assert (tmp_path / "probes.csv").read_text() == found
    assert not (tmp_path / "probes.checkpoint.pt").exists()
