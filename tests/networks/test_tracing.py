"""The layers of networks, also of those that do not run as they are defined."""

import numpy as np
import pytest
import small
import torch
from torch import nn

from widedeep.analysis import activations, convergence, first_components
from widedeep.data import minibatches
from widedeep.formats import dumps
from widedeep.networks import tracing
from widedeep.networks.layers import LayerInfo
from widedeep.runtime.errors import UserError


class SharedRelu(nn.Module):
    """As torchvision's BasicBlock: one ReLU for two calls, whose outputs have one shape."""

    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.first = nn.Linear(64, 20)
        self.relu = nn.ReLU()
        self.second = nn.Linear(20, 20)
        self.logits = nn.Linear(20, 3)

    def forward(self, x):
        x = self.relu(self.first(self.flatten(x)))
        return self.logits(self.relu(self.second(x)))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        self.auxiliary = nn.Linear(64, 3)

    def forward(self, x):
        return self.body(x)


class Words(nn.Module):
    def forward(self, x):
        return str(x.shape)


class Tells(nn.Module):
    """Has a module that returns no tensor."""

    def __init__(self):
        super().__init__()
        self.body, self.words = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), Words()

    def forward(self, x):
        found = self.body(x)
        self.words(found)
        return found


class RowsFirst(nn.Module):
    """Its first layer has the rows of images, not the images, along the first axis."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Linear(8, 5)
        self.logits = nn.Linear(40, 3)

    def forward(self, x):
        return self.logits(self.rows(x[:, 0].transpose(0, 1)).transpose(0, 1).flatten(1))


class Backwards(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = nn.Linear(5, 3)
        self.hidden = nn.Linear(64, 5)

    def forward(self, x):
        return self.logits(self.hidden(x.flatten(1)))


REFUSED = [
    (SharedRelu, "module relu .* 2 times"),
    (Unused, "module auxiliary .* 0 times"),
    (Tells, "module words .*str"),
    (RowsFirst, r"module rows .*\(8, 2, 5\)"),
    (Backwards, "module hidden .*logits"),
]


def components(network, layers, _path):
    first_components.first_components(network, layers, small.split().images, 16, small.CPU)


def dump(network, layers, path):
    ids, origin = minibatches.minibatches(50, 16, 1, 0), dumps.Origin("one", 1, "abc", "test")
    activations.write_dump(path, network, layers, small.split().images, ids, "gram", origin, small.CPU)


@pytest.mark.parametrize("follow", [components, dump])
@pytest.mark.parametrize(("network", "words"), REFUSED)
def test_layers_that_do_not_run_once_and_in_their_order_are_refused_by_who_follows_them(
    follow, network, words, tmp_path
):
    made = network().eval()
    with pytest.raises(UserError, match=words):
        follow(made, tracing.layers_of(made), tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_a_gram_matrix_of_a_layer_that_runs_twice_is_refused():
    made = SharedRelu().eval()
    with pytest.raises(UserError, match="module relu .* 2 times"):
        convergence.gram_of(made, tracing.layers_of(made)[1], small.split().images, 16, small.CPU)


def test_what_is_not_followed_may_run_as_it_likes():
    made = SharedRelu().eval()
    chosen = [layer for layer in tracing.layers_of(made) if layer.name != "relu"]
    found = first_components.first_components(made, chosen, small.split().images, 16, small.CPU)
    assert np.isfinite(found.share).all()


def test_layers_are_described_as_they_come_out_and_the_network_stays_as_it_was():
    network = small.train().network.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = tracing.described(network, tracing.layers_of(network), (1, 8, 8), small.CPU)
    assert found[0] == LayerInfo("stem.conv", "conv", 0, 0, (8, 8, 8))
    assert found[-3] == LayerInfo("stage3.block1.relu2", "relu", 3, 1, (32, 2, 2))
    assert found[-1] == LayerInfo("logits", "logits", 0, 0, (3,))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_layers_of_any_network_have_a_kind_and_reshaping_is_none():
    net = torch.nn.Sequential()
    net.flatten = torch.nn.Flatten()
    net.dense = torch.nn.Linear(4, 3)
    net.gelu = torch.nn.GELU()
    net.drop = torch.nn.Dropout()
    net.logits = torch.nn.Linear(3, 2)
    assert [(layer.name, layer.kind) for layer in tracing.layers_of(net)] == [
        ("dense", "dense"),
        ("gelu", "other"),
        ("logits", "logits"),
    ]


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.int64, torch.float64),
        (torch.bool, torch.float64),
        (torch.complex64, torch.float32),
        (torch.complex128, torch.float64),
    ],
)
def test_features_keep_their_precision(dtype, kept):
    output = (torch.arange(24).reshape(2, 3, 2, 2) * (1 + 2j if dtype.is_complex else 1)).to(dtype)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = tracing.features(output.to(memory_format=layout))
        assert found.dtype == kept
        wide = output.flatten(1).to(torch.complex128)
        assert torch.equal(found.double() @ found.double().T, (wide @ wide.mH).real)


@pytest.mark.parametrize(
    "arranged",
    [
        lambda x: x,
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x.transpose(1, 3),
        lambda x: x.reshape(2, 3, 20).mT,
        lambda x: x.reshape(2, 3, 2, 2, 5).to(memory_format=torch.channels_last_3d),
        lambda x: x.reshape(2, 60),
        lambda x: torch.complex(x, x),
    ],
)
def test_features_are_not_copied(arranged):
    held = arranged(torch.randn(2, 3, 4, 5))
    found = tracing.features(held)
    assert found.data_ptr() == held.data_ptr()
    wide = held.flatten(1).to(torch.complex128)
    torch.testing.assert_close(found.double() @ found.double().T, (wide @ wide.mH).real)


def test_features_of_another_order_of_examples_are_those_of_each_and_there_may_be_none_or_one():
    examples_second = torch.randn(5, 2, 3).transpose(0, 1)
    assert torch.equal(tracing.features(examples_second), examples_second.flatten(1))
    assert tracing.features(torch.ones(4, 1).expand(4, 3)).shape == (4, 3)
    assert tracing.features(torch.ones(4, 0)).shape == (4, 0)
    assert tracing.features(torch.ones(4)).shape == (4, 1)


class Attends(nn.Module):
    """Attention over the rows of an image, whose projection never runs, a recurrence, and a normalised weight."""

    def __init__(self):
        super().__init__()
        self.stage1 = nn.Module()
        self.stage1.block1 = nn.MultiheadAttention(8, 2, batch_first=True)
        self.lstm = nn.LSTM(8, 5, batch_first=True)
        self.dense = nn.utils.parametrizations.weight_norm(nn.Linear(40, 6))
        self.logits = nn.Linear(6, 3)

    def forward(self, x):
        rows = x[:, 0]
        found, _ = self.lstm(self.stage1.block1(rows, rows, rows)[0])
        return self.logits(self.dense(found.flatten(1)))


def test_attention_recurrences_and_modules_with_parametrized_weights_are_layers_of_a_family(tmp_path):
    made = Attends().eval()
    layers = tracing.layers_of(made)
    assert [(layer.name, layer.stage, layer.block) for layer in layers] == [
        ("stage1.block1", 1, 1),
        ("lstm", 0, 0),
        ("dense", 0, 0),
        ("logits", 0, 0),
    ]
    dump(made, layers, tmp_path / "a.h5")
    with dumps.Dump(tmp_path / "a.h5") as written:
        assert [layer.shape for layer in written.layers] == [(8, 8), (8, 5), (6,), (3,)]
    found = first_components.first_components(made, layers, small.split().images, 16, small.CPU)
    assert np.isfinite(found.share).all()
