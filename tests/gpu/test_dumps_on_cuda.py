"""Dumps, first components, predictions, probes and deletions on a CUDA device against those of the CPU."""

import copy

import numpy as np
import pytest
import small
import torch
from small_dumps import ORIGIN, network

from widedeep.analysis import activations, deletion, first_components, probes, similarity
from widedeep.analysis.probe_options import ProbeRecipe
from widedeep.data import minibatches
from widedeep.formats import dumps
from widedeep.networks import tracing

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CUDA = torch.device("cuda")
IMAGES = small.split(40, 5).images


class Unwaited:
    """A network whose forward pass, with all that watches its layers, must not wait for the device."""

    def __init__(self, net):
        self._net = net

    def __call__(self, batch):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return self._net(batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def on_both():
    """(network, device) of the CPU and of CUDA, of one network."""
    net = network()
    return (net, small.CPU), (copy.deepcopy(net).to(CUDA), CUDA)


@pytest.mark.parametrize("held", [True, False])
def test_first_components(monkeypatch, held):
    if not held:
        monkeypatch.setattr(first_components, "most_held", lambda _: 0)
    expected, found = (
        first_components.first_components(net if held else Unwaited(net), tracing.layers_of(net), IMAGES, 16, device)
        for net, device in on_both()
    )
    np.testing.assert_allclose(found.share, expected.share, rtol=1e-4)
    strong = expected.share > 0.5
    assert strong.any()
    np.testing.assert_allclose(found.values[strong], expected.values[strong], atol=1e-3)


def test_dumps(tmp_path):
    ids = minibatches.minibatches(40, 16, 2, 0)
    for net, device in on_both():
        run = Unwaited(net) if device == CUDA else net
        path = tmp_path / f"{device}.h5"
        activations.write_dump(path, run, tracing.layers_of(net), IMAGES, ids, "gram", ORIGIN, device)
    with dumps.Dump(tmp_path / "cpu.h5") as expected, dumps.Dump(tmp_path / "cuda.h5") as found:
        (of_both,) = similarity.compare([(expected, found)])
        (alone,) = similarity.compare([(expected, expected)])
    np.testing.assert_allclose(of_both.measures["cka"].values, alone.measures["cka"].values, atol=1e-5)
    np.testing.assert_allclose(of_both.measures["deflated"].values, alone.measures["deflated"].values, atol=1e-4)


def test_predictions_and_deletions():
    split, answers, accuracies = small.split(40, 5), [], []
    for net, device in on_both():
        answers.append(activations.log_probabilities(net, IMAGES, 16, device))
        blocks = deletion.deletable(net, IMAGES.shape[1:], device)
        accuracies.append([line["accuracy"] for line in deletion.accuracies(net, blocks, split, 16, device)])
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-4)
    np.testing.assert_allclose(accuracies[1], accuracies[0], atol=1.5 / 40)  # one image may be on the edge


def test_probes(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    recipe = ProbeRecipe(epochs=2, batch_size=16, learning_rate=0.05, momentum=0.9, flip=True, pool=True)
    weights = []
    for net, device in on_both():
        made = probes.Probes(net, probes.probed(net), small.split(), small.split(30, 9), 3, recipe, "name", device)
        if device == CUDA:
            made.network = Unwaited(net)
        made.run(lambda _: None)
        weights.append([head.weight.detach().cpu() for head in made.heads])
    for found, expected in zip(weights[1], weights[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
