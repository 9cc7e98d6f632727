"""CKA of the layers of usual networks, against the definition on cloned outputs, in float64.

Which axis of an output is the examples is found in another way than the library's: the examples of a minibatch are
rolled by one place, and the output must roll with them.
"""

import collections

import numpy as np
import oracles
import pytest
import torch
import usual_networks

from widedeep.measures.layer_similarity import layer_similarity

# Layers of a network that are compared with each other, so that the slow definition takes seconds.
COMPARED = 30
# Largest norm of the features, relative to that of the centred ones, to which 1e-7 is promised.
SHIFTED = 1e4


def outputs(network, batch, names):
    """{call: first tensor of its output, cloned} of the calls of these names."""
    kept, calls, handles = {}, collections.Counter(), []

    def hook(name):
        def keep(_module, _inputs, output):
            calls[name] += 1
            call = f"{name}#{calls[name]}" if calls[name] > 1 else name
            while isinstance(output, tuple | list | dict) and len(output):
                output = next(iter(output.values() if isinstance(output, dict) else output))
            if call in names:
                kept[call] = output.clone()

        return keep

    for name, module in network.named_modules():
        handles.append(module.register_forward_hook(hook(name)))
    with torch.no_grad():
        network(**batch) if isinstance(batch, dict) else network(batch)
    for handle in handles:
        handle.remove()
    return kept


def roll(batch):
    if isinstance(batch, dict):
        return {name: value.roll(1, 0) for name, value in batch.items()}
    return batch.roll(1, 0)


def features(output, rolled, n):
    """(n, p) float64 of an output, by all ways to read it in which the examples of `rolled` are those of it, rolled."""
    found = []
    for axis, size in enumerate(output.shape):
        if size % n:
            continue
        one, other = (value.movedim(axis, 0) for value in (output, rolled))
        ways = [(x.reshape(n, size // n, -1) for x in (one, other))]
        if size > n:
            ways.append(x.reshape(size // n, n, -1).movedim(1, 0) for x in (one, other))
        for way in ways:
            x, y = (value.reshape(n, -1).double().numpy() for value in way)
            if np.allclose(np.roll(x, 1, 0), y, rtol=0, atol=1e-3 * np.abs(x).max()):
                found.append(x)
    return found


def is_nearly_constant(x):
    return np.linalg.norm(x) > SHIFTED * np.linalg.norm(x - x.mean(axis=0))


@pytest.mark.parametrize("name", usual_networks.ALL)
def test_the_layers_of_usual_networks_have_the_cka_of_the_definition(name):
    network, data = usual_networks.ALL[name]()
    n = usual_networks.N
    state = {key: value.clone() for key, value in network.state_dict().items()}
    found = layer_similarity(network, data, progress=False)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in state.items())
    defined = [at for at, value in enumerate(np.diagonal(found.values)) if np.isfinite(value)]
    assert len(defined) > 5
    chosen = sorted(np.random.default_rng(0).choice(defined, min(COMPARED, len(defined)), replace=False))
    layers = {at: [] for at in chosen}
    for batch in data:
        names = {found.first[at].name for at in layers}
        kept, rolled = outputs(network, batch, names), outputs(network, roll(batch), names)
        for at in list(layers):
            layer = found.first[at]
            ways = features(kept[layer.name], rolled[layer.name], n)
            if len(ways) != 1 or is_nearly_constant(ways[0]):
                # A layer that is the same for all examples up to rounding, which any way fits.
                assert all(map(is_nearly_constant, ways)), layer.name
                assert ways, layer.name
                del layers[at]
                continue
            assert ways[0].shape[1] == np.prod(layer.shape, dtype=int)
            layers[at].append(ways[0])
    assert len(layers) > 3
    whole = {at: np.concatenate(parts) for at, parts in layers.items()}
    expected = [[oracles.minibatch_cka(x, y, n) for y in whole.values()] for x in whole.values()]
    np.testing.assert_allclose(found.values[np.ix_([*whole], [*whole])], expected, atol=1e-6)


def test_the_blocks_of_a_transformer_are_its_residual_stream():
    network, data = usual_networks.of_transformers("bert")
    found = layer_similarity(network, data, layers="encoder.layer.*", progress=False)
    assert found.names_first == ["encoder.layer.0", "encoder.layer.1"]
    with torch.no_grad():
        streams = [network(**batch, output_hidden_states=True).hidden_states[1:] for batch in data]
    first, second = (np.concatenate([stream[at].flatten(1).double().numpy() for stream in streams]) for at in (0, 1))
    assert found.values[0, 1] == pytest.approx(oracles.minibatch_cka(first, second, usual_networks.N), abs=1e-6)
