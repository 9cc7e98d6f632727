"""Networks of a user's own families in training: what seeds fix, what later stages get, and what is refused before."""

import re

import own_families
import probe_residual_blocks
import pytest
import small
import torch

from widedeep.analysis import probes
from widedeep.data import catalogue
from widedeep.formats import dataset, weights
from widedeep.names import Configuration, Network
from widedeep.planning import sizes
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import Interrupted
from widedeep.training import loop, side_by_side
from widedeep.training.checkpoint import Checkpoint
from widedeep.training.distributed import Group
from widedeep.training.recipe import settings_of

MODEL = Configuration("blobs", "own", 2, 1.0, 1.0)


def test_same_seed_same_bits_with_dropout(family):
    family(own_families.DRAWING)
    torch.manual_seed(0)
    first = small.train(model=MODEL)
    torch.manual_seed(1)
    assert small.same(first.network, small.train(model=MODEL).network)


def test_dropout_differs_from_step_to_step_and_between_processes(family):
    family(own_families.DRAWING)
    drawn = []

    def keep(_running):
        drawn.append(torch.rand(1).item())

    for rank in (0, 1, 0):
        examples = [loop.examples_on(split, small.CPU) for split in (small.split(), small.split(30, 9))]
        group = Group(small.CPU, rank)
        training = loop.training_of(Network(MODEL, 1), (1, 8, 8), *examples, 3, small.recipe(), group)
        side_by_side.run([training], keep)
    assert len(set(drawn)) == 2 * 9
    assert drawn[:9] == drawn[18:]


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_a_resumed_training_with_dropout_ends_with_the_same_bits(family, tmp_path, stop_after):
    family(own_families.DRAWING)
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {"a": 1})
    with pytest.raises(Interrupted):
        small.train(model=MODEL, after_step=small.saving_after(checkpoint, stop_after))
    torch.manual_seed(99)  # another process
    resumed, whole = small.train(model=MODEL, checkpoint=checkpoint), small.train(model=MODEL)
    assert small.same(whole.network, resumed.network)
    assert small.as_text(whole.history) == small.as_text(resumed.history)


def test_a_family_that_asks_for_the_size_of_images_gets_it(family, tmp_path):
    family(own_families.SIZED)
    finished = small.train(model=MODEL)
    assert finished.network.logits.in_features == 64
    description = dataset.describe(small.write_dataset(tmp_path / "blobs.h5"))
    weights.save(tmp_path / "m.safetensors", finished.network, MODEL, {"seed": 1, "data_checksum": ""}, description)
    loaded, _, _ = weights.load(tmp_path / "m.safetensors", small.CPU)
    assert small.same(loaded, finished.network)
    assert sizes.counted(MODEL, catalogue.Images(50, 40, (1, 8, 8), 3)).axes == (1,)


def test_weights_that_two_layers_share_are_saved_and_read(family, tmp_path):
    family(own_families.TIED)
    finished, description = small.train(model=MODEL), dataset.describe(small.write_dataset(tmp_path / "blobs.h5"))
    weights.save(tmp_path / "m.safetensors", finished.network, MODEL, {"seed": 1, "data_checksum": ""}, description)
    loaded, _, _ = weights.load(tmp_path / "m.safetensors", small.CPU)
    assert small.same(loaded, finished.network)
    assert loaded.first.weight is loaded.second.weight


def test_figure_4_of_other_networks_is_refused_before_the_first_probe(family, tmp_path, monkeypatch):
    family(own_families.SIZED)
    data_file = small.write_dataset(tmp_path / "blobs.h5")
    description, finished = dataset.describe(data_file), small.train(model=MODEL)
    settings = settings_of(Network(MODEL, 1), small.recipe(), description.train_checksum)
    weights.save(tmp_path / "m.safetensors", finished.network, MODEL, settings, description)
    monkeypatch.setattr(probes, "Probes", None)
    words = ["--data", f"{data_file}", "--probes", f"{tmp_path}/probes.csv", "--deletion", f"{tmp_path}/deletion.csv"]
    with pytest.raises(UserError, match="figure 4.*stem.*pool"):
        probe_residual_blocks.main([f"{tmp_path}/m.safetensors", *words])


def refused(family, lines):
    """The family whose build ends so: what its training ends in, before its first step."""
    head = ["def build(depth, width, classes, channels, batchnorm_momentum):", "from torch import nn"]
    family("\n    ".join([*head, *lines]))

    def after_step(_):
        raise AssertionError("a step of the training")

    with pytest.raises(UserError) as error:
        small.train(model=MODEL, after_step=after_step)
    return str(error.value)


def test_what_later_stages_cannot_follow_is_refused_before_the_training(family):
    lines = [
        "relu = nn.ReLU()",
        "parts = nn.Flatten(), nn.Linear(64, 9), relu, nn.Linear(9, 9), relu, nn.Linear(9, classes)",
    ]
    found = refused(family, [*lines, "return nn.Sequential(*parts)"])
    assert re.search("^blobs-own2-w1-f100/seed1: .*module 2 .* 2 times", found)


def test_logits_of_another_shape_are_refused_before_the_training(family):
    found = refused(family, ["return nn.Sequential(nn.Flatten(), nn.Linear(64, classes + 1))"])
    assert re.search(r"^blobs-own2-w1-f100/seed1: .*\(2, 4\).*\(2, 3\)", found)
    found = refused(family, ["return nn.Sequential(nn.Flatten(), nn.LSTM(64, classes))"])
    assert re.search(r"^blobs-own2-w1-f100/seed1: .*tuple.*\(2, 3\)", found)


def test_a_network_without_layers_is_refused_before_the_training(family):
    lines = [
        "import torch",
        "class Own(nn.Flatten):",
        "    def __init__(self):",
        "        super().__init__()",
        "        self.matrix = nn.Parameter(torch.randn(64, classes))",
        "    def forward(self, x):",
        "        return x.flatten(1) @ self.matrix",
        "return Own()",
    ]
    assert re.search("^blobs-own2-w1-f100/seed1: .*no layers", refused(family, lines))
