"""layer_similarity on data as users have them."""

import numpy as np
import torch
from test_any_network import N, activations, data, definition, network, similarity
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from widedeep.measures.layer_similarity import layer_similarity


def test_data_in_any_form_give_the_same_values():
    batches, made = data(), network()
    expected = definition(activations(made, batches))
    labels = torch.zeros(3 * N, dtype=torch.long)
    loader = DataLoader(TensorDataset(torch.cat(batches), labels), N)
    forms = {
        "list": batches,
        "generator": (batch for batch in batches),
        "loader": loader,
        "tuples": [(batch, labels) for batch in batches],
        "dicts": [{"pixels": batch, "labels": labels[:N]} for batch in batches],
        "arrays": [batch.double().numpy() for batch in batches],
    }
    for name, form in forms.items():
        found = similarity(made, form)
        np.testing.assert_allclose(found.values, expected, atol=1e-6, err_msg=name)
        assert (found.minibatches, found.batch_size, found.dropped) == (3, N, 0)
    assert found.names_first == found.names_second == ["0", "1", "3"]
    assert [(layer.kind, layer.shape) for layer in found.first] == [
        ("Linear", (16,)),
        ("ReLU", (16,)),
        ("Linear", (9,)),
    ]


def test_one_tensor_is_all_examples():
    made, whole = network(), torch.cat(data(2, 256))
    found = similarity(made, whole)
    assert (found.minibatches, found.batch_size) == (2, 256)
    np.testing.assert_array_equal(found.values, similarity(made, list(whole.split(256))).values)


def test_an_incomplete_last_minibatch_is_dropped_and_counted():
    found = similarity(network(), [*data(), *data(1, 5)])
    assert (found.minibatches, found.dropped) == (3, 5)
    np.testing.assert_array_equal(found.values, similarity(network(), data()).values)


def test_a_network_that_writes_into_its_input_spoils_it_for_nobody():
    class Scales(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            x /= 255
            return self.inner(x)

    given = [100 * batch for batch in data()]
    kept = [batch.clone() for batch in given]
    first, second = Scales().eval(), network(1)
    found = similarity(first, given, second)
    assert all(torch.equal(one, other) for one, other in zip(given, kept, strict=True))
    expected = similarity(network(), [batch / 255 for batch in given]).values
    np.testing.assert_allclose(similarity(first, given).values, expected, atol=1e-6)
    np.testing.assert_allclose(found.values, similarity(second, given, first).values.T, atol=1e-9)
    array = given[0].numpy().copy()
    similarity(first, [array])
    np.testing.assert_array_equal(array, given[0].numpy())


def test_an_iterable_dataset_gives_minibatches():
    class Batches(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(data())

    found = layer_similarity(network(), Batches())
    assert (found.minibatches, found.batch_size) == (3, N)
