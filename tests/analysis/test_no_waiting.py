"""The number of times at which the host reads from the device does not grow with the number of layers or batches."""

import pytest
import small
import torch
from no_waiting import Reads
from small_dumps import ORIGIN

from widedeep.analysis import activations, deletion, first_components, probes
from widedeep.analysis.probe_options import ProbeRecipe
from widedeep.data import minibatches
from widedeep.measures import on_device
from widedeep.networks import tracing

IMAGES = small.split(48).images


@pytest.fixture(autouse=True)
def on_a_device(monkeypatch):
    monkeypatch.setattr(on_device, "computes_apart", lambda _: True)
    monkeypatch.setattr(on_device, "_stay_on", lambda _: True)


@pytest.fixture(scope="module")
def network():
    return small.train().network.eval()


@pytest.mark.parametrize(
    "read",
    [
        torch.Tensor.item,
        torch.Tensor.tolist,
        torch.Tensor.cpu,
        torch.Tensor.nonzero,
        bool,
        float,
        int,
        lambda x: [0, 1][x],
        lambda x: 1 if x > 0 else 0,
    ],
)
def test_a_read_is_counted(read):
    with Reads() as reads:
        read(torch.ones(1, dtype=torch.int64)[0])
    assert reads.count == 1


def reads_of(measure):
    with Reads() as reads:
        measure()
    return reads.count


@pytest.mark.parametrize("held", [0, 1e9], ids=["by batches", "at once"])
def test_first_components_read_once_a_step_for_all_layers(network, monkeypatch, held):
    monkeypatch.setattr(first_components, "most_held", lambda _: held)
    monkeypatch.setattr(first_components, "TOLERANCE", 0.0)
    layers = tracing.layers_of(network)

    def reads(layers, steps):
        monkeypatch.setattr(first_components, "_MOST_STEPS", steps)
        return reads_of(lambda: first_components.first_components(network, layers, IMAGES, 16, small.CPU))

    few, many = reads(layers[:1], 4), reads(layers, 4)
    assert many == few
    assert reads(layers, 6) == many + 2


def test_a_dump_reads_as_often_for_many_layers_as_for_one(network, tmp_path):
    layers, ids = tracing.layers_of(network), minibatches.minibatches(len(IMAGES), 16, 1, 0)

    def reads(layers, ids):
        path = tmp_path / "a.h5"
        return reads_of(lambda: activations.write_dump(path, network, layers, IMAGES, ids, "gram", ORIGIN, small.CPU))

    assert reads(layers, ids) == reads(layers[:1], ids) == 3 * reads(layers, ids[:1])


def test_predictions_and_deletions_read_at_the_end_alone(network):
    assert reads_of(lambda: activations.log_probabilities(network, IMAGES, 8, small.CPU)) == 1
    blocks = deletion.deletable(network, IMAGES.shape[1:], small.CPU)
    split = small.split(48)
    assert reads_of(lambda: deletion.accuracies(network, blocks, split, 8, small.CPU)) == 2


def test_probes_read_nothing_while_they_learn(network):
    def reads(epochs, layers):
        recipe = ProbeRecipe(epochs=epochs, batch_size=8, learning_rate=0.05, momentum=0.9, flip=False, pool=True)
        made = probes.Probes(network, layers, small.split(), small.split(30, 9), 3, recipe, "name", small.CPU)
        return reads_of(lambda: made.run(lambda _: None))

    layers = probes.probed(network)
    assert reads(4, layers) == reads(2, layers) == reads(2, layers[:1])
