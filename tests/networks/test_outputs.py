"""Which modules of any network give layers, and where their examples are."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from widedeep.networks import calls, outputs
from widedeep.runtime.errors import UserError


def find(network, example, patterns=None):
    """outputs.find of a network in evaluation mode that takes seven examples of a shape."""
    data = torch.randn(7, *example, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return outputs.find(network.eval(), lambda part: network(data[part]), 7, patterns)


class Calls(nn.Module):
    """A network whose forward pass is a function of it and its input."""

    def __init__(self, forward, **modules):
        super().__init__()
        torch.manual_seed(0)
        self._forward = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self._forward(self, x)


class Returns(nn.Module):
    """A module that returns what a function makes of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def places(found):
    return {layer.name: place for layer, place in zip(found.layers, found.places, strict=True)}


def test_the_owner_of_a_parametrized_weight_is_the_layer():
    owned = parametrizations.weight_norm(nn.Linear(4, 6)), parametrizations.spectral_norm(nn.Linear(6, 6))
    found = find(nn.Sequential(*owned, nn.ReLU()), (4,))
    assert [(layer.name, layer.kind, layer.shape) for layer in found.layers] == [
        ("0", "ParametrizedLinear", (6,)),
        ("1", "ParametrizedLinear", (6,)),
        ("2", "ReLU", (6,)),
    ]
    assert found.left_out == {}


def test_examples_are_found_on_any_axis():
    network = Calls(
        lambda self, x: self.last(self.steps_first(x.transpose(0, 1)).mean(0)),
        steps_first=nn.Linear(5, 7),
        last=nn.Linear(7, 2),
    )
    for steps in (2, 4, 5):
        found = find(network, (steps, 5))
        assert places(found) == {"steps_first": outputs.Place(1), "last": outputs.Place(0)}
        assert found.layers[0].shape == (steps, 7)


@pytest.mark.parametrize("together", [True, False])
def test_rows_of_an_example_are_found(together):
    def windows(x):
        return x.reshape(-1, 5) if together else x.transpose(0, 1).reshape(-1, 5)

    found = find(Calls(lambda self, x: self.dense(windows(x)), dense=nn.Linear(5, 7)), (4, 5))
    assert found.places == [outputs.Place(0, 4, together)]
    assert found.layers[0].shape == (4, 7)
    x = torch.arange(6.0)[:, None, None].expand(6, 4, 5)
    features = found.places[0].features(windows(x), 6)
    assert features.shape == (6, 4, 5)
    torch.testing.assert_close(features, x)


def test_what_has_no_row_for_each_example_is_left_out_with_the_reason():
    network = Calls(
        lambda self, x: [
            self.dense(x),
            self.table(torch.arange(4)),
            self.products(x),
            self.words(x),
            self.sparse(x),
            self.halved(x),
            self.cut(x),
            self.dropped(x),
            self.shaped(x),
        ][0],
        dense=nn.Linear(5, 7),
        table=nn.Embedding(4, 5),
        products=Returns(lambda x: x @ x.T),
        words=Returns(lambda _x: "text"),
        sparse=Returns(lambda x: x.to_sparse()),
        halved=Returns(lambda x: x[: len(x) // 2]),
        cut=Returns(lambda x: x[1:]),
        idle=nn.Linear(3, 3),
        dropped=nn.Dropout(),
        shaped=nn.Flatten(),
        empty=nn.Sequential(),
    )
    found = find(network, (5,))
    assert [layer.name for layer in found.layers] == ["dense"]
    assert {name: reason.split(":")[0] for name, reason in found.left_out.items()} == {
        "table": "its output is (4, 5) for 5 examples and for 4",
        "products": "its output is (5, 5) for 5 examples",
        "words": "returns no tensor, but a str",
        "sparse": "returns a sparse tensor",
        "halved": "its output is (2, 5) for 5 examples and for 4",
        "cut": "its output is (4, 5) for 5 examples and (3, 5) for 4",
        "idle": "does not run",
    }


@dataclass
class Record:
    first: torch.Tensor
    second: int = 3


def test_containers_give_their_first_tensor():
    returns = (lambda x: (x, 2 * x), lambda x: [x], lambda x: {"a": x}, lambda x: (None, (x, x)), Record)
    for returned in returns:
        found = find(Calls(lambda self, x: self.part(x), part=Returns(returned)), (5,))
        assert [(layer.name, layer.shape) for layer in found.layers] == [("part", (5,))]


def test_attention_whose_projection_never_runs_is_a_layer():
    network = Calls(lambda self, x: self.attend(x, x, x)[0], attend=nn.MultiheadAttention(6, 2, batch_first=True))
    found = find(network, (4, 6))
    assert [layer.name for layer in found.layers] == ["attend"]
    assert found.left_out == {"attend.out_proj": "does not run"}


def test_a_module_alone_is_a_layer_with_the_name_of_its_class():
    assert [layer.name for layer in find(nn.Linear(5, 2), (5,)).layers] == ["Linear"]


def test_calls_within_a_call_that_failed_do_not_confuse():
    def fails(_x):
        raise KeyError

    def forward(self, x):
        try:
            self.fails(x)
        except KeyError:
            return self.dense(x)

    found = find(Calls(forward, fails=Returns(fails), dense=nn.Linear(5, 2)), (5,))
    assert [layer.name for layer in found.layers] == ["dense"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("conv1", ["conv1"]),
        ("*.conv1", ["stem.conv1"]),
        ("**.conv1", ["conv1", "stem.conv1", "stem.block.conv1"]),
        ("stem.**", ["stem", "stem.conv1", "stem.block", "stem.block.conv1"]),
        ("s*.b*", ["stem.block"]),
        ("**", ["conv1", "stem", "stem.conv1", "stem.block", "stem.block.conv1"]),
        ("conv", []),
    ],
)
def test_patterns_are_matched_part_by_part(pattern, names):
    every = ["conv1", "stem", "stem.conv1", "stem.block", "stem.block.conv1"]
    assert [name for name in every if outputs.matches(name, pattern)] == names


def test_chosen_containers_are_layers_and_the_network_itself_only_by_its_name():
    network = nn.Sequential(nn.Sequential(nn.Linear(5, 4), nn.ReLU()), nn.Dropout(), nn.Linear(4, 3))
    assert [layer.name for layer in find(network, (5,), ["*"]).layers] == ["0", "1", "2"]
    assert [layer.name for layer in find(network, (5,), ["0", "0.1"]).layers] == ["0.1", "0"]
    assert [layer.name for layer in find(network, (5,), ["Sequential"]).layers] == ["Sequential"]
    listed = Calls(lambda self, x: self.parts[0](x), parts=nn.ModuleList([nn.Linear(5, 4)]))
    assert find(listed, (5,), ["parts", "parts.*"]).left_out == {"parts": "does not run"}


def test_a_pattern_must_match_in_one_of_the_networks():
    one, other = nn.Sequential(nn.Linear(5, 4), nn.ReLU()), nn.ModuleDict({"first": nn.Linear(5, 4)})
    outputs.check_patterns([one, other], ["0", "first", "*", "Sequential"])
    with pytest.raises(UserError, match=r"'frist' matches no module.*first"):
        outputs.check_patterns([one, other], ["0", "frist"])
    with pytest.raises(UserError, match="layers: holds a int"):
        outputs.check_patterns([one], [0])
    with pytest.raises(UserError, match="layers: names none"):
        outputs.check_patterns([one], [])


def test_outputs_that_depend_on_other_examples_are_noticed():
    assert find(nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5, track_running_stats=False)), (5,)).mixing == "1"
    assert find(nn.LSTM(5, 4), (7, 5)).mixing == "LSTM"
    assert find(nn.LSTM(5, 4, batch_first=True), (7, 5)).mixing == ""
    assert find(Returns(torch.rand_like), (5,)).mixing == "Returns"
    rounded = Calls(lambda self, x: self.part(x.bfloat16()), part=nn.Sequential(nn.Linear(5, 4), nn.ReLU()).bfloat16())
    assert find(rounded, (5,)).mixing == ""


def test_mixing_is_noticed_below_a_large_offset_and_beside_an_output_without_rows():
    """Of steps first, an example is a step, and attends to the others; the loss has no row for each example."""

    def forward(self, x):
        found = self.offset(self.attend(x))
        return found.sum(), found

    layer = nn.TransformerEncoderLayer(6, 2, 8)
    network = Calls(forward, attend=layer, offset=Returns(lambda x: x + 1000 * torch.arange(6)))
    assert find(network, (4, 6)).mixing == "attend.self_attn"


@pytest.mark.parametrize(
    "order",
    [
        lambda x: x.flip(0),
        lambda x: x[torch.randperm(len(x), generator=torch.Generator().manual_seed(3))],
        lambda x: x[x[:, 0].argsort()],
    ],
)
def test_rows_in_another_order_than_the_examples_are_left_out(order):
    network = Calls(
        lambda self, x: self.last(self.inside(order(self.first(x)))),
        first=nn.Linear(5, 4),
        inside=nn.Linear(4, 4),
        last=nn.LayerNorm(4),
    )
    found = find(network, (5,))
    assert [layer.name for layer in found.layers] == ["first"]
    assert {*found.left_out} == {"inside", "last"}
    assert "another order" in found.left_out["inside"]


def test_packed_sequences_are_left_out():
    def forward(self, x):
        lengths = torch.full((len(x),), x.shape[1])
        packed = nn.utils.rnn.pack_padded_sequence(self.dense(x), lengths, batch_first=True, enforce_sorted=False)
        return self.rnn(packed)[1][-1]

    found = find(Calls(forward, dense=nn.Linear(5, 4), rnn=nn.GRU(4, 3)), (7, 5))
    assert [layer.name for layer in found.layers] == ["dense"]
    assert found.left_out == {"rnn": "returns a packed sequence"}


def test_a_network_without_a_layer_is_refused():
    with pytest.raises(UserError, match=r"no layer to compare.*Returns: its output is \(5,\)"):
        find(Returns(lambda x: x.sum(0)), (5,))


def test_a_module_that_does_not_run_for_every_number_of_examples_is_left_out():
    network = Calls(
        lambda self, x: self.one(x) if len(x) == 5 else self.two(x), one=nn.Linear(5, 5), two=nn.Linear(5, 5)
    )
    network = Calls(lambda self, x: self.always(self.part(x)), part=network, always=nn.ReLU())
    found = find(network, (5,))
    assert [layer.name for layer in found.layers] == ["always"]
    assert found.left_out == {"part.one": "runs for 5 examples and not for 4 of them", "part.two": "does not run"}


def test_a_call_in_which_others_run_is_no_layer_though_another_call_is():
    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(5, 5)

        def forward(self, x, deep=False):
            return self.inner(x) if deep else x.relu()

    found = find(Calls(lambda self, x: self.cell(self.cell(x), True), cell=Cell()), (5,))
    assert [layer.name for layer in found.layers] == ["cell", "cell.inner"]
    assert found.others == {"cell#2"}


def test_names_are_unique():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.Net = nn.Linear(5, 5)

        def forward(self, x):
            return self.Net(x)

    assert sorted(calls.watched(Net()).values()) == ["Net", "Net()"]
    assert [layer.name for layer in find(Net(), (5,)).layers] == ["Net"]
    partly = nn.Sequential(nn.Linear(5, 4), torch.compile(nn.Sequential(nn.Linear(4, 3)), backend="eager"))
    assert sorted(calls.watched(partly).values()) == ["0", "1", "1.0", "Sequential"]


def test_no_hook_stays():
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
    find(network, (5,))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_part_in_training_mode_is_named():
    network = nn.Sequential(nn.Linear(5, 4), nn.Sequential(nn.BatchNorm1d(4), nn.Dropout())).eval()
    calls.evaluating(network, "the network")
    network[1][1].train()
    with pytest.raises(UserError, match=r"training mode \(1\.1\).*eval\(\)"):
        calls.evaluating(network, "the network")
    with pytest.raises(UserError, match=r"training mode, .*eval\(\)"):
        calls.evaluating(network.train(), "the network")


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_wrappers_are_taken_off_and_scripted_networks_refused():
    network = nn.Sequential(nn.Linear(5, 4)).eval()
    assert calls.unwrapped(nn.DataParallel(network), "the network") is network
    assert calls.unwrapped(torch.compile(network, backend="eager"), "the network") is network
    for made in (torch.jit.trace(network, torch.zeros(2, 5)), torch.jit.script(network)):
        with pytest.raises(UserError, match="scripted or traced"):
            calls.unwrapped(nn.Sequential(made), "the network")
    with pytest.raises(UserError, match=r"function.*torch\.nn\.Module"):
        calls.unwrapped(lambda x: x, "the network")
