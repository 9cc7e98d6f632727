"""CKA of networks that people use, beside a package: the program runs, and its errors are real."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

BENCHMARKS = Path("benchmarks").resolve()
sys.path.insert(0, str(BENCHMARKS))
import contestants  # noqa: E402
import known_networks  # noqa: E402
import task  # noqa: E402

from widedeep.measures import layer_similarity  # noqa: E402


class Shared(nn.Module):
    """Runs one in-place ReLU twice, has a layer that is constant, and one that returns a tuple."""

    def __init__(self):
        super().__init__()
        self.first, self.relu, self.second, self.dead = nn.Linear(192, 9), nn.ReLU(True), nn.Linear(9, 9), nn.ReLU()
        self.attention = nn.MultiheadAttention(9, 3, batch_first=True)

    def forward(self, x):
        x = self.relu(self.second(self.relu(self.first(x.flatten(1)))))
        return self.attention(x[:, None], x[:, None], x[:, None])[0] + self.dead(-1 - x**2)


@pytest.fixture
def tiny(monkeypatch):
    def network():
        torch.manual_seed(0)
        return Shared().eval()

    known = known_networks.Known(network, lambda examples: known_networks.images(examples, 8), 2, 16)
    monkeypatch.setitem(known_networks.KNOWN, "tiny", known)
    monkeypatch.setattr(known_networks, "in_own_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(known_networks, "peak_of", lambda work, *arguments: (work(*arguments), 7.0))
    return known


def test_a_network_gets_a_row(tiny, monkeypatch):
    monkeypatch.setattr(contestants, "pytorch_cka", lambda *_: None)
    cells = dict(zip(known_networks.COLUMNS, known_networks.measured("tiny", rounds=2), strict=True))
    assert cells["minibatches"] == "2 of 16"
    assert cells["layers, ours and package"] == "5, 4"
    assert float(cells["error, ours"]) < 1e-6
    assert cells["forward pass, MiB"] == cells["ours, MiB"] == "7"
    assert tiny.loader().dataset.inputs[1].shape == (16, 3, 8, 8)


@pytest.mark.usefixtures("tiny")
def test_the_package_is_compared_with_the_last_output_of_each_module(monkeypatch):
    """A package that keeps the last output of a module is right where no module works in place."""

    def package(network, loader, names):
        found = layer_similarity.layer_cka(network, (inputs for inputs, _ in loader))
        last = {name.split("#")[0]: place for place, name in enumerate(found.names_first)}
        places = [last[name] for name in names]
        return found.values[np.ix_(places, places)]

    monkeypatch.setitem(known_networks.WORKS, known_networks.PEER, package)
    monkeypatch.setattr(known_networks.importlib.util, "find_spec", lambda _: True)
    cells = dict(zip(known_networks.COLUMNS, known_networks.measured("tiny", rounds=1), strict=True))
    assert float(cells["error, package"]) < 1e-6
    assert "-" in cells["ours / package (min-max)"]


def test_the_reference_is_of_outputs_that_later_modules_overwrite(tiny):
    network, loader = tiny.network(), tiny.loader()
    plain = tiny.network()
    plain.relu.inplace = False
    names = ["first", "relu", "second", "relu#2", "attention"]
    expected = known_networks.reference(plain, loader, names)
    np.testing.assert_allclose(known_networks.reference(network, loader, names), expected, atol=1e-12)
    assert expected[0, 1] < 0.99


def test_inputs_and_networks_are_as_large_as_they_should_be():
    assert known_networks.images(3).shape == (3, 3, 224, 224)
    assert known_networks.words(3).shape == (3, 128)
    assert known_networks.words(3).dtype == torch.int64
    small = dataclasses.replace(known_networks.KNOWN["ResNet-20 (CIFAR)"], minibatches=2, n=4)
    assert [len(inputs) for inputs, _ in small.loader()] == [4, 4]
    assert task.names_of(small.network())[0] == "stem.conv"
