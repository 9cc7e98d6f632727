"""CKA of torch networks while they run, against the definition on activations that were kept."""

import numpy as np
import oracles
import pytest
import torch
from torch import nn

from widedeep.measures import accumulator, cka, layer_similarity, on_device
from widedeep.networks import tracing
from widedeep.networks.build import build
from widedeep.runtime.errors import UserError


def resnet(seed, width=1):
    generator = torch.Generator().manual_seed(seed)
    return build("resnet", 8, width, 10, 3, generator=generator).eval()


def batches(number=3, n=16, seed=0):
    return list(torch.randn(number, n, 3, 8, 8, generator=torch.Generator().manual_seed(seed)))


@torch.no_grad()
def activations(network, inputs):
    """{layer: (examples, p) float64} of all minibatches, every output cloned."""
    layers, kept = tracing.layers_of(network), {}

    def keep(index, output):
        kept.setdefault(layers[index].name, []).append(output.clone().flatten(1).double().numpy())

    with tracing.watching(layers, keep):
        for batch in inputs:
            network(batch)
    return {name: np.concatenate(parts) for name, parts in kept.items()}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_equals_the_definition_on_kept_activations(layout):
    first, second = resnet(1).to(memory_format=layout), resnet(2, width=2)
    found = layer_similarity.layer_cka(first, [batch.to(memory_format=layout) for batch in batches()], second)
    one, other = activations(first, batches()), activations(second, batches())
    assert found.names_first == list(one) == [layer.name for layer in tracing.layers_of(first)]
    assert found.names_second == list(other)
    expected = [[oracles.minibatch_cka(x, y, 16) for y in other.values()] for x in one.values()]
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.minibatches == 3


def test_a_network_with_itself_and_with_its_copy_are_the_same():
    alone, twice = (
        layer_similarity.layer_cka(resnet(1), batches()),
        layer_similarity.layer_cka(resnet(1), batches(), resnet(1)),
    )
    np.testing.assert_allclose(alone.values, twice.values, atol=1e-9)
    np.testing.assert_allclose(np.diagonal(alone.values), 1, atol=1e-9)


def test_modules_that_work_in_place_are_seen_before_the_next_one_overwrites_them():
    def network(inplace):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace), nn.Conv2d(4, 5, 3)).eval()

    expected = layer_similarity.layer_cka(network(False), batches())
    found = layer_similarity.layer_cka(network(True), batches())
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.values[1, 2] < 0.99


class Twice(nn.Module):
    """One ReLU that runs twice, as in torchvision's blocks, and an operation whose result is no tensor."""

    def __init__(self):
        super().__init__()
        self.dense, self.relu, self.second, self.pair = nn.Linear(192, 6), nn.ReLU(True), nn.Linear(6, 6), Pair()

    def forward(self, x):
        return self.pair(self.relu(self.second(self.relu(self.dense(x.flatten(1))))))[0]


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def test_a_module_that_runs_twice_is_two_layers_in_the_order_in_which_they_ran():
    torch.manual_seed(0)
    found = layer_similarity.layer_cka(Twice().eval(), batches())
    assert found.names_first == ["dense", "relu", "second", "relu#2", "pair"]
    assert found.values[1, 3] < 0.99


def test_a_constant_layer_has_no_cka_and_the_result_says_why():
    network = resnet(1)
    with torch.no_grad():
        network.stem.bn.weight.zero_()
        network.stem.bn.bias.fill_(-1.0)
    found = layer_similarity.layer_cka(network, batches())
    dead = found.names_first.index("stem.relu")
    assert np.isnan(found.values[dead]).all()
    assert found.undefined_first[dead] == cka.CONSTANT
    assert found.undefined_first[0] == ""


def test_cka_from_tensors_is_that_of_kept_activations(monkeypatch):
    """As on a GPU: Gram matrices, products and sums stay torch's until the result."""
    kept = [activations(resnet(seed), batches()).values() for seed in (1, 2)]
    expected = cka.MinibatchCKA()
    for start in (0, 16, 32):
        expected.add(*([layer[start : start + 16] for layer in layers] for layers in kept))
    expected = expected.result()
    monkeypatch.setattr(on_device, "_stay_on", lambda _: True)
    monkeypatch.setattr(on_device, "computes_apart", lambda _: True)
    summed = []
    monkeypatch.setattr(accumulator, "on_host", lambda values: summed.append(values) or values.numpy())
    found = layer_similarity.layer_cka(resnet(1), batches(), resnet(2))
    assert all(isinstance(values, torch.Tensor) for values in summed)
    assert len(summed) == 3
    np.testing.assert_allclose(found.values, expected.values, atol=1e-7)


def test_networks_in_float64_keep_their_precision():
    """float32 would round features whose mean is 3e5 times their spread to steps of a thirtieth of it."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.Linear(6, 6)).double().eval()
    inputs = [batch.double() for batch in batches()]
    expected = layer_similarity.layer_cka(network, inputs).values
    with torch.no_grad():
        network[1].bias += 3e7
        network[2].bias -= network[2].weight @ torch.full((6,), 3e7).double()
    found = layer_similarity.layer_cka(network, inputs).values
    np.testing.assert_allclose(found, expected, atol=1e-6)


class Fickle(nn.Module):
    """Runs its second layer, or another one, only while the switch is on."""

    def __init__(self, other):
        super().__init__()
        self.one, self.two, self.three, self.other, self.calls = *(nn.Linear(192, 192) for _ in range(3)), other, 0

    def forward(self, x):
        self.calls += 1
        x = self.one(x.flatten(1))
        if self.calls < 4:
            return self.two(x)
        return self.three(x) if self.other else x


@pytest.mark.parametrize("other", [False, True])
def test_a_layer_that_one_of_the_minibatches_lacks_is_left_out(other):
    made = Fickle(other).eval()
    found = layer_similarity.layer_similarity(made, batches(), progress=False)
    assert found.names_first == ["one"]
    reason = "does not run for every minibatch"
    assert found.left_out["two"] == reason
    np.testing.assert_allclose(found.values, [[1]], atol=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: layer_similarity.layer_cka(resnet(1), []), "no minibatch"),
        (lambda: layer_similarity.layer_cka(resnet(1), batches(n=3)), r"\b3 examples.*\b4\b"),
        (lambda: layer_similarity.layer_cka(resnet(1).train(), batches()), r"training mode.*eval\(\)"),
        (lambda: layer_similarity.layer_cka(resnet(1), batches() + batches(n=9) + batches()), r"\b9 examples.*\b16\b"),
    ],
)
def test_what_is_refused_is_named(call, words):
    with pytest.raises(UserError, match=words):
        call()
