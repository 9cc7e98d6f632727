"""layer_similarity on what users bring: right values, nothing of theirs changed, or one sentence that says why not."""

import warnings

import numpy as np
import oracles
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from widedeep.measures import layer_similarity as module
from widedeep.measures.layer_similarity import layer_similarity
from widedeep.runtime.errors import UserError

N = 12


def network(seed=0, **changes):
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Linear(20, 16), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(16, 9)).eval()
    for name, change in changes.items():
        made[int(name[1:])] = change(made[int(name[1:])])
    return made


def data(number=3, n=N, features=20, **how):
    return list(torch.randn(number, n, features, generator=torch.Generator().manual_seed(1), **how))


def similarity(*given, **more):
    return layer_similarity(*given, progress=False, **more)


def definition(layers, n=N):
    """CKA of all pairs, from (examples, p) of each layer."""
    return [[oracles.minibatch_cka(x, y, n) for y in layers] for x in layers]


@torch.no_grad()
def activations(made, batches):
    """Outputs of linear, ReLU and linear layer, float64."""
    kept = []
    for batch in batches:
        first = made[0](batch)
        kept.append([first, first.relu(), made[3](first.relu())])
    return [torch.cat(parts).double().numpy() for parts in zip(*kept, strict=True)]


@pytest.mark.parametrize("change", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_the_layer_with_a_parametrized_weight_is_compared(change):
    """As wide as the minibatch has examples, so that its weight could be taken for an output."""
    torch.manual_seed(0)
    made = nn.Sequential(change(nn.Linear(20, N)), nn.ReLU(), nn.Dropout(), change(nn.Linear(N, 9))).eval()
    expected = definition(activations(made, data()))
    found = similarity(made, data())
    assert found.names_first == ["0", "1", "3"]
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


class StepsFirst(nn.Module):
    """Works on (steps, examples, features), as recurrent networks do."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.norm, self.head = nn.Linear(5, 8), nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.norm(self.embed(x).transpose(0, 1)).mean(0))


@pytest.mark.parametrize("steps", [4, N])
@torch.no_grad()
def test_steps_first_is_compared_over_examples(steps):
    made = StepsFirst().eval()
    batches = list(torch.randn(2, N, steps, 5, generator=torch.Generator().manual_seed(0)))
    embedded = [made.embed(batch) for batch in batches]
    normed = [made.norm(batch) for batch in embedded]
    heads = [made.head(batch.mean(1)) for batch in normed]
    expected = [torch.cat(parts).flatten(1).double().numpy() for parts in (embedded, normed, heads)]
    np.testing.assert_allclose(similarity(made, batches).values, definition(expected), atol=1e-6)


def test_float64_networks_are_compared_in_float64():
    """A mean of 3e5 spreads leaves nothing of the spread in float32."""
    made, batches = network().double(), [batch + 1e7 for batch in data(dtype=torch.float64)]
    torch.nn.init.eye_(made[0].weight)
    made[0].bias.data.zero_()
    found = similarity(made, batches)
    np.testing.assert_allclose(found.values, definition(activations(made, batches)), atol=1e-6)
    assert found.values[0, 1] > 0.999  # all are positive


def test_complex_outputs_keep_their_imaginary_part():
    class Rotate(nn.Module):
        def forward(self, x):
            return 1j * x

    made = network(_2=lambda _: nn.Identity())
    made.append(Rotate())
    found = similarity(made.eval(), data())
    assert found.values[-1, -2] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("ran_before", [False, True])
def test_compiled_networks_are_watched(backend, ran_before):
    torch._dynamo.reset()
    made = torch.compile(network(), backend=backend)
    if ran_before:
        made(data()[0])
    np.testing.assert_allclose(similarity(made, data()).values, similarity(network(), data()).values, atol=1e-6)
    inside = network()
    inside.compile(backend=backend)
    if ran_before:
        inside(data()[0])
    assert similarity(nn.Sequential(inside).eval(), data()).names_first == ["0.0", "0.1", "0.3"]


def test_nothing_of_the_users_changes():
    """Weights, statistics, modes, hooks and gradients stay; a later training works, also of what the pass has made."""

    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.dense = None, nn.LazyLinear(6)

        def forward(self, x):
            if self.table is None:
                self.table = torch.linspace(0, 1, 6)
            return self.dense(x) * self.table

    torch.manual_seed(0)
    made = nn.Sequential(nn.BatchNorm1d(20), Remembers()).eval()
    similarity(made, data())
    before = {name: value.clone() for name, value in made.state_dict().items()}
    similarity(made, data())
    assert all(torch.equal(value, made.state_dict()[name]) for name, value in before.items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in made.modules())
    assert torch.is_grad_enabled()
    made.train()(data()[0]).sum().backward()
    assert made[1].dense.weight.grad is not None


def test_needs_gradients_is_no_matter():
    given = [batch.requires_grad_() for batch in data()]
    np.testing.assert_array_equal(similarity(network(), given).values, similarity(network(), data()).values)


def test_an_output_changed_by_a_hook_of_the_user_is_what_is_compared():
    made = network()
    made[0].register_forward_hook(lambda _module, _inputs, output: output * 0 + 1.0)
    assert np.isnan(similarity(made, data()).values).all()


def test_two_networks_may_need_other_numbers_of_inputs_and_names_tell_them_apart():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = network(1), network(2)

        def forward(self, x, y):
            return self.one(x) + self.other(y)

    pairs = [(batch, 2 * batch) for batch in data()]
    found = similarity(network(), pairs, Two().eval())
    assert found.values.shape == (3, 6)
    assert found.names_second == [f"{part}.{at}" for part in ("one", "other") for at in (0, 1, 3)]


def test_chosen_layers_and_measures():
    found = similarity(nn.Sequential(network(), network(1, _0=lambda _: nn.Linear(9, 16))).eval(), data(), layers="*")
    assert found.names_first == ["0", "1"]
    several = similarity(network(), data(), network(1), measures=("cka", "rsa_pearson", "deflated"))
    assert [*several.measures] == ["cka", "rsa_pearson", "deflated"]
    np.testing.assert_array_equal(several.values, similarity(network(), data(), network(1)).values)
    assert all(one.values.shape == (3, 3) for one in several.measures.values())
    assert not np.allclose(several.measures["rsa_pearson"].values, several.values, atol=1e-3)


def test_two_networks_on_different_devices_are_compared_on_the_host(monkeypatch):
    """Without a second device: the second network's inputs and Gram matrices are made to look like those of one."""
    expected = similarity(network(), data(), network(1)).values
    made = network(1)
    monkeypatch.setattr(module.on_device, "computes_apart", lambda _: True)
    monkeypatch.setattr(module.on_device, "_stay_on", lambda _: True)
    placed, devices = module._Runner.placed.__func__, iter([torch.device("cpu"), torch.device("cpu", 0)])

    def on_another(cls, *given):
        runner = placed(cls, *given)
        enter = runner.__enter__

        class Moved:
            def __enter__(self):
                found = enter()
                found.device = next(devices)
                return found

            def __exit__(self, *error):
                return runner.__exit__(*error)

        return Moved()

    monkeypatch.setattr(module._Runner, "placed", classmethod(on_another))
    np.testing.assert_allclose(similarity(network(), data(), made).values, expected, atol=1e-6)


def test_a_network_runs_on_a_device_and_returns_to_its_own_also_after_an_error():
    class Moves(nn.Sequential):
        def to(self, device):
            moved.append(str(device))
            return super().to(device)

    made, moved = Moves(nn.Linear(20, 8), nn.ReLU()).eval(), []
    similarity(made, data(), device="cpu")
    assert moved == []
    similarity(made, data(), device="cpu:0")  # for torch another device than "cpu"
    assert moved == ["cpu:0", "cpu"]
    with pytest.raises(UserError):
        similarity(made, data(features=3), device="cpu:0")
    assert moved[2:] == ["cpu:0", "cpu"]


def test_a_network_that_mixes_examples_is_told():
    made = nn.Sequential(nn.Linear(20, 6), nn.BatchNorm1d(6, track_running_stats=False)).eval()
    with pytest.warns(UserWarning, match="depends on the other examples") as told:
        similarity(made, data())
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        similarity(network(), data())


class OfTwelve(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(20, 4)

    def forward(self, x):
        return self.dense(x) + torch.zeros(12, 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: similarity(network(), []), "holds no minibatch"),
        (lambda: similarity(network(), data(n=3)), r"\b3 examples.*\b4\b"),
        (lambda: similarity(network(), [*data(1, 9), *data()]), r"\b12 examples.*\b9\b"),
        (lambda: similarity(network(), [*data(), *data(1, 9), *data()]), r"\b9 examples.*\b12\b"),
        (lambda: similarity(network(_1=lambda part: part.train()), data()), r"training mode \(1\).*eval\(\)"),
        (lambda: similarity(network(), data(), network().train()), "the second network is in training mode"),
        (lambda: similarity(network(), data(features=7)), r"does not take.*\(12, 7\) float32.*RuntimeError"),
        (lambda: similarity(OfTwelve().eval(), data()), "takes 12 examples and not 5"),
        (lambda: similarity(network(), data(), measures=("svca",)), "measure 'svca' is unknown"),
        (lambda: similarity(network(), data(), layers="conv*"), r"'conv\*' matches no module"),
        (lambda: similarity(network(), data(), layers=["0", "7"]), "'7' matches no module"),
        (lambda: similarity(lambda x: x, data()), r"function.*torch\.nn\.Module"),
        (lambda: similarity(network().to("meta"), data()), "device meta"),
        (lambda: similarity(network(), data(), device="gpu"), "device: 'gpu' cannot be used"),
        (lambda: similarity(network(), data(), device="meta"), "device: 'meta' cannot be used"),
        (lambda: similarity(network(), data(), layers=[0]), "layers: holds a int"),
        (lambda: similarity(network(), data(), measures=None), "measures: names none"),
        (lambda: similarity(network(), None), "data is a NoneType"),
        (lambda: similarity(network(), data(), measures=()), "measures: names none"),
        (lambda: similarity(network(), data(), measures=3), "measures: names none"),
        (lambda: similarity(network(), data(), layers=3), "layers: holds a int"),
    ],
)
def test_what_is_refused_is_named(call, words):
    with pytest.raises(UserError, match=words):
        call()


def test_experts_that_are_chosen_by_example_are_left_out_and_the_rest_is_right():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.last = nn.Linear(20, 8), nn.Linear(8, 5)
            self.experts = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)])

        def forward(self, x):
            x = self.first(x)
            chosen, mixed = x[:, :3].argmax(1), torch.zeros_like(x)
            for index, expert in enumerate(self.experts):
                if (chosen == index).any():
                    mixed[chosen == index] = expert(x[chosen == index])
            return self.last(mixed)

    made = Experts().eval()
    found = similarity(made, data(6))
    assert found.names_first == ["first", "last"]
    assert {*found.left_out} == {f"experts.{index}" for index in range(3)}
    with torch.no_grad():
        layers = [torch.cat([step(batch) for batch in data(6)]).double().numpy() for step in (made.first, made)]
    np.testing.assert_allclose(found.values, definition(layers), atol=1e-6)


def test_a_wrapper_that_hands_on_attributes_and_named_inputs_is_run_itself():
    class Wraps(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.adapter, self.model = nn.Linear(20, 20), model

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("model"), name)

        def forward(self, x, **more):
            return self.model(self.adapter(x)) * more["mask"]

    torch.manual_seed(0)
    made = Wraps(torch.compile(network(), backend="eager")).eval()
    found = similarity(made, [{"x": batch, "mask": torch.ones(N, 1)} for batch in data()])
    assert found.names_first == ["adapter", "model.0", "model.1", "model.3"]


def test_gradients_that_a_network_asks_for_inside_are_no_matter():
    class Energy(nn.Module):
        def __init__(self):
            super().__init__()
            self.energy = network()

        def forward(self, x):
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                return torch.autograd.grad(self.energy(x).sum(), x)[0]

    found = similarity(Energy().eval(), data())
    np.testing.assert_allclose(found.values, similarity(network(), data()).values, atol=1e-6)


@torch.no_grad()
def test_autocast_round_the_call_is_that_of_the_network_alone():
    made = nn.Sequential(*network(), nn.LayerNorm(9)).eval()
    made[-1].bias.fill_(100)  # its output is float32, and in half precision little would be left of it
    with torch.autocast("cpu", torch.bfloat16), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = similarity(made, data(), measures=("cka", "rbf_cka"))
        outputs = [torch.cat([part(batch) for batch in data()]).double().numpy() for part in (made[0], made)]
    expected = definition(outputs)
    assert found.values[0, -1] == pytest.approx(expected[0][1], abs=1e-6)


def test_progress_is_shown_where_it_is_asked_for(capsys):
    layer_similarity(network(), data())
    assert "3/3" in capsys.readouterr().err
    similarity(network(), data())
    assert capsys.readouterr().err == ""
