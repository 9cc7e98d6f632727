"""Whatever is measured of a trained network runs in float32, also where torch would take TF32."""

import contextlib
import subprocess
import sys

import numpy as np
import pytest
import small
import torch

from widedeep.analysis import activations, convergence, deletion, first_components, probes
from widedeep.analysis.probe_options import ProbeRecipe
from widedeep.data import minibatches
from widedeep.formats import dataset, dumps
from widedeep.measures import layer_similarity
from widedeep.networks import precision, tracing
from widedeep.networks.build import build
from widedeep.training import loop
from widedeep.training.distributed import Group


@pytest.fixture(autouse=True)
def tf32_wherever_it_can_be():
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    yield
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")


def settings():
    backends = torch.backends
    return backends.cudnn.conv.fp32_precision, backends.cudnn.rnn.fp32_precision, backends.cuda.matmul.fp32_precision


def test_the_settings_come_back_after_an_error_too():
    with contextlib.suppress(KeyError), precision.full_float32():
        assert settings() == ("ieee", "ieee", "ieee")
        raise KeyError
    assert settings() == ("tf32", "tf32", "tf32")
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cudnn.allow_tf32
    with precision.full_products():
        assert settings() == ("tf32", "tf32", "ieee")
    assert settings() == ("tf32", "tf32", "tf32")


IN_A_NEW_PROCESS = """
import torch
from widedeep.networks.precision import full_float32
backends = torch.backends
{before}
with full_float32():
    assert backends.cuda.matmul.fp32_precision == backends.mkldnn.matmul.fp32_precision == "ieee"
{after}
print(backends.cuda.matmul.fp32_precision, backends.mkldnn.matmul.fp32_precision, backends.cudnn.conv.fp32_precision)
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", "none none tf32"),
        ("", "backends.fp32_precision = 'tf32'", "tf32 tf32 tf32"),
        ("backends.fp32_precision = 'tf32'", "", "tf32 tf32 tf32"),
        ("backends.fp32_precision = 'tf32'", "backends.fp32_precision = 'ieee'", "ieee ieee ieee"),
        ("backends.cuda.matmul.fp32_precision = 'tf32'", "", "tf32 none tf32"),
        ("torch.set_float32_matmul_precision('high')", "torch.get_float32_matmul_precision()", "tf32 tf32 tf32"),
        ("backends.cudnn.allow_tf32 = False", "assert not backends.cudnn.allow_tf32", "none none none"),
    ],
)
def test_settings_of_either_kind_hold_afterwards_as_they_would_have_without(before, after, expected):
    words = [sys.executable, "-c", IN_A_NEW_PROCESS.format(before=before, after=after)]
    done = subprocess.run(words, capture_output=True, text=True, cwd="scripts")
    assert done.stdout.strip() == expected, done.stderr


IMAGES = np.random.default_rng(0).integers(0, 256, (16, 1, 8, 8), dtype=np.uint8)
SPLIT = dataset.Split(IMAGES, np.arange(16) % 2)


def dump(network, folder):
    ids = minibatches.minibatches(16, 8, 1, 0)
    origin = dumps.Origin("digits-resnet8-w1-f100", 1, "", "test")
    activations.write_dump(
        folder / "activations.h5", network, tracing.layers_of(network), IMAGES, ids, "gram", origin, small.CPU
    )


def probe(network, _):
    recipe = ProbeRecipe(epochs=1, batch_size=8, learning_rate=0.1, momentum=0.9, flip=False, pool=False)
    probes.Probes(network, probes.probed(network), SPLIT, SPLIT, 2, recipe, "name", small.CPU).accuracies()


def accuracy(network, _):
    examples = loop.examples_on(SPLIT, small.CPU)
    loop.Training(network, examples, examples, small.recipe(batch_size=8), "name", Group(small.CPU)).metrics()


MEASURES = {
    "dump": dump,
    "predictions": lambda network, _: activations.log_probabilities(network, IMAGES, 8, small.CPU),
    "first components": lambda network, _: first_components.first_components(
        network, tracing.layers_of(network)[-2:], IMAGES, 8, small.CPU
    ),
    "accuracy of probes": probe,
    "deletion": lambda network, _: deletion.accuracies(
        network, deletion.deletable(network, (1, 8, 8), small.CPU), SPLIT, 8, small.CPU
    ),
    "figure A": lambda network, _: convergence.gram_of(network, tracing.layers_of(network)[-1], IMAGES, 8, small.CPU),
    "accuracy": accuracy,
    "CKA of running networks": lambda network, _: layer_similarity.layer_cka(network, [torch.rand(8, 1, 8, 8)]),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_run_in_float32(measure, tmp_path):
    network = build("resnet", 8, 1, 2, 1, generator=torch.Generator().manual_seed(0)).eval()
    seen = set()

    def note(_module, inputs, _output):
        if len(inputs[0]) > 2:  # a pass of two images only tells shapes
            seen.add(settings())

    network.logits.register_forward_hook(note)
    MEASURES[measure](network, tmp_path)
    assert seen == {("ieee", "ieee", "ieee")}
    assert settings() == ("tf32", "tf32", "tf32")
