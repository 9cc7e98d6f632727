"""Families of one's own: what seeds fix, what their files may say, and what is refused before a training."""

import probe_blocks
import pytest
import small
import torch
from test_training import as_text, same
from torch import nn

from widedeep.analysis import probes
from widedeep.formats import dataset, weights
from widedeep.names import Configuration
from widedeep.networks import families
from widedeep.networks.build import build
from widedeep.planning import costs
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import Interrupted
from widedeep.training import loop
from widedeep.training.checkpoint import Checkpoint
from widedeep.training.distributed import Group

# All that He-normal weights of Conv2d and Linear leave alone, and dropout.
DRAWING = """
def build(depth, width, classes, channels, batchnorm_momentum):
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factors = nn.Parameter(torch.randn(16))

        def forward(self, x):
            return x * self.factors

    network = nn.Sequential()
    network.flatten = nn.Flatten(2)
    network.conv = nn.Conv1d(channels, 16, 64)
    network.flat = nn.Flatten()
    network.scale = Scale()
    network.drop = nn.Dropout(0.5)
    network.logits = nn.Linear(16, classes)
    return network
"""
INITIALISED = """
initialises_itself = True


def build(depth, width, classes, channels, batchnorm_momentum):
    from torch import nn

    network = nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, classes))
    nn.init.orthogonal_(network[1].weight)
    nn.init.constant_(network[1].bias, 0.5)
    return network
"""
SIZED = """
def build(depth, width, classes, channels, batchnorm_momentum, image_size):
    from torch import nn

    height, width = image_size
    assert type(image_size) is tuple
    network = nn.Sequential()
    network.flatten = nn.Flatten()
    network.logits = nn.Linear(channels * height * width, classes)
    return network
"""
TIED = """
def build(depth, width, classes, channels, batchnorm_momentum):
    from torch import nn

    network = nn.Sequential()
    network.flatten = nn.Flatten()
    network.first = nn.Linear(channels * 64, channels * 64)
    network.second = nn.Linear(channels * 64, channels * 64)
    network.second.weight = network.first.weight
    network.logits = nn.Linear(channels * 64, classes)
    return network
"""
MODEL = Configuration("blobs", "own", 2, 1.0, 1.0)


@pytest.fixture
def family(tmp_path, monkeypatch):
    """Writes the file of the family `own`."""
    folder = tmp_path / "families"
    folder.mkdir()
    monkeypatch.setattr(families, "FOLDER", folder)
    return (folder / "own.py").write_text


def built(seed=1, family="own", **more):
    return build(family, 2, 1, 3, 1, 0.1, torch.Generator().manual_seed(seed), **more)


def test_all_initial_weights_follow_from_the_seed(family):
    family(DRAWING)
    torch.manual_seed(0)
    first = built()
    torch.manual_seed(1)
    again, other = built(), built(2)
    assert same(first, again)
    assert not torch.equal(first.conv.weight, other.conv.weight)
    assert not torch.equal(first.scale.factors, other.scale.factors)


def test_building_a_network_leaves_torch_s_generator_as_it_was(family):
    family(DRAWING)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    built()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(("name", "depth"), [("resnet", 8), ("plain", 8), ("bottleneck", 50), ("stagethree", 35)])
def test_the_paper_s_families_have_he_normal_weights_from_the_generator_alone(name, depth):
    made = build(name, depth, 0.25, 10, 3, 0.1, torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            expected = nn.init.kaiming_normal_(
                torch.empty_like(module.weight), nonlinearity="relu", generator=generator
            )
            assert torch.equal(module.weight, expected)


def test_a_family_that_initialises_itself_keeps_its_weights(family):
    family(INITIALISED)
    weight, bias = built()[1].weight, built()[1].bias
    torch.testing.assert_close(weight @ weight.T, torch.eye(3))
    assert (bias == 0.5).all()
    assert torch.equal(weight, built()[1].weight)
    family(INITIALISED.replace("True", "False"))
    assert not built()[1].bias.any()


def test_same_seed_same_bits_with_dropout(family):
    family(DRAWING)
    torch.manual_seed(0)
    first = small.train(model=MODEL)
    torch.manual_seed(1)
    assert same(first.network, small.train(model=MODEL).network)


def test_dropout_differs_from_step_to_step_and_between_processes(family):
    family(DRAWING)
    drawn = []
    for rank in (0, 1, 0):
        group, no_checkpoint = Group(small.CPU, rank), small.NoCheckpoint()
        splits, recipe = (small.split(), small.split(30, 9)), small.recipe()
        loop.train_network(
            MODEL, 1, *splits, 3, recipe, group, no_checkpoint, lambda _: drawn.append(torch.rand(1).item())
        )
    assert len(set(drawn)) == 2 * 9
    assert drawn[:9] == drawn[18:]


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_a_resumed_training_with_dropout_ends_with_the_same_bits(family, tmp_path, stop_after):
    family(DRAWING)
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {"a": 1})
    with pytest.raises(Interrupted):
        small.train(model=MODEL, after_step=small.saving_after(checkpoint, stop_after))
    torch.manual_seed(99)  # another process
    resumed, whole = small.train(model=MODEL, checkpoint=checkpoint), small.train(model=MODEL)
    assert same(whole.network, resumed.network)
    assert as_text(whole.history) == as_text(resumed.history)


def test_a_family_that_asks_for_the_size_of_images_gets_it(family, tmp_path):
    family(SIZED)
    assert built(image_size=(6, 7)).logits.in_features == 42
    finished = small.train(model=MODEL)
    assert finished.network.logits.in_features == 64
    description = dataset.describe(small.write_dataset(tmp_path / "blobs.h5"))
    weights.save(tmp_path / "m.safetensors", finished.network, MODEL, {"seed": 1}, description)
    loaded, _, _ = weights.load(tmp_path / "m.safetensors", small.CPU)
    assert same(loaded, finished.network)
    layers, _ = costs.counted(
        costs.unfilled(MODEL, costs.Images(50, 40, (1, 8, 8), 3)), costs.Images(50, 40, (1, 8, 8), 3)
    )
    assert [layer.shape for layer in layers] == [(3,)]


def test_weights_that_two_layers_share_are_saved_and_read(family, tmp_path):
    family(TIED)
    finished, description = small.train(model=MODEL), dataset.describe(small.write_dataset(tmp_path / "blobs.h5"))
    weights.save(tmp_path / "m.safetensors", finished.network, MODEL, {"seed": 1}, description)
    loaded, _, _ = weights.load(tmp_path / "m.safetensors", small.CPU)
    assert same(loaded, finished.network)
    assert loaded.first.weight is loaded.second.weight


def test_figure_4_of_other_networks_is_refused_before_the_first_probe(family, tmp_path, monkeypatch):
    family(SIZED)
    data_file = small.write_dataset(tmp_path / "blobs.h5")
    description, finished = dataset.describe(data_file), small.train(model=MODEL)
    settings = loop.settings(MODEL, 1, small.recipe(), description.train_checksum)
    weights.save(tmp_path / "m.safetensors", finished.network, MODEL, settings, description)
    monkeypatch.setattr(probes, "Probes", None)
    words = ["--data", f"{data_file}", "--probes", f"{tmp_path}/probes.csv", "--deletion", f"{tmp_path}/deletion.csv"]
    with pytest.raises(UserError, match="this one has no stem and no pool"):
        probe_blocks.main([f"{tmp_path}/m.safetensors", *words])


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
    assert "blobs-own2-w1-f100/seed1: module 2 runs 2 times in a forward pass" in refused(
        family, [*lines, "return nn.Sequential(*parts)"]
    )


def test_logits_of_another_shape_are_refused_before_the_training(family):
    found = refused(family, ["return nn.Sequential(nn.Flatten(), nn.Linear(64, classes + 1))"])
    assert "blobs-own2-w1-f100/seed1: the network answers (2, 4) to 2 images, and logits of the shape (2, 3)" in found
    found = refused(family, ["return nn.Sequential(nn.Flatten(), nn.LSTM(64, classes))"])
    assert "the network answers tuple to 2 images" in found


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
    assert "no operation of the network is a module, so it has no layers" in refused(family, lines)
