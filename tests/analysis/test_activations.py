"""Layers of a forward sweep, and the answers that it writes; tests/formats/test_dumps.py is about its dumps."""

import numpy as np
import pytest
import small
import torch

from widedeep.analysis import activations
from widedeep.formats import dumps, predictions
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError


def test_what_is_written_is_what_the_network_answers(tmp_path):
    network, split = small.train().network.eval(), small.split(30, 9)
    answers = activations.log_probabilities(network, split.images, 8, small.CPU)
    predictions.write(tmp_path / "p.h5", answers, split.labels, dumps.Origin("m", 3, "abc", "test"))
    (read,) = predictions.read_all([tmp_path / "p.h5"])
    with torch.no_grad():
        expected = network(torch.from_numpy(split.images).float() / 255).softmax(1)
    np.testing.assert_allclose(np.exp(read.log_probabilities), expected.numpy(), rtol=1e-5, atol=1e-7)
    assert read.label == "m/seed3"
    assert read.classes.tolist() == expected.argmax(1).tolist()
    assert read.labels.tolist() == split.labels.tolist()


def test_layers_are_chosen_by_kind_and_name():
    network = small.train().network
    every = [layer.name for layer in tracing.layers_of(network)]
    found = [layer.name for layer in activations.choose(network, ["relu", "add"], "stage2.*")]
    assert found == [name for name in every if name.startswith("stage2.") and ("relu" in name or "add" in name)]
    assert [layer.name for layer in activations.choose(network)] == every
    with pytest.raises(UserError, match=r"--kinds relu --layers stage9\.\*"):
        activations.choose(network, ["relu"], "stage9.*")
