"""The ImageNet families against torchvision's resnet50 and the arithmetic of their depths."""

import pytest
import torch
import torchvision

from widedeep.analysis import deletion, probes
from widedeep.networks import families, tracing
from widedeep.networks.build import build
from widedeep.runtime.errors import UserError


def network(family="stagethree", depth=50, width=1, classes=1000):
    return build(family, depth, width, classes, 3, 0.1, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def reference():
    return torchvision.models.resnet50(weights=None).eval()


def copied_from(reference, family):
    """Our network with the reference's weights, taken one after the other by kind of module."""
    ours = network(family).eval()
    names = {"layer": "stage", "downsample.0": "shortcut.conv", "downsample.1": "shortcut.bn", "fc": "logits"}
    state = {}
    for name, tensor in reference.state_dict().items():
        for theirs, mine in names.items():
            name = name.replace(theirs, mine)
        parts = name.split(".")
        if parts[0].startswith("stage"):
            parts[1] = f"block{int(parts[1]) + 1}"
        elif parts[0] in ("conv1", "bn1"):
            parts = ["stem", parts[0].rstrip("1"), *parts[1:]]
        state[".".join(parts)] = tensor
    ours.load_state_dict(state)
    return ours


@pytest.mark.parametrize("family", ["stagethree", "bottleneck"])
def test_unscaled_it_is_torchvisions_resnet50(reference, family):
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    ours = copied_from(reference, family)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in reference.parameters())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference(images))


@pytest.mark.parametrize(
    ("family", "depth", "blocks"),
    [("stagethree", 83, [3, 4, 17, 3]), ("stagethree", 35, [3, 4, 1, 3]), ("bottleneck", 98, [6, 8, 12, 6])],
)
def test_depth_counts_the_layers_with_weights(family, depth, blocks):
    with torch.device("meta"):
        made = families.load(family).build(depth, 1, 10, 3, 0.1)
    assert [len(made.get_submodule(f"stage{stage}")) for stage in (1, 2, 3, 4)] == blocks
    weighted = [layer for layer in tracing.layers_of(made) if layer.kind in ("conv", "logits")]
    assert len([layer for layer in weighted if "shortcut" not in layer.name]) == depth


def test_width_of_stage_three_alone_or_of_all_stages():
    with torch.device("meta"):
        three = families.load("stagethree").build(50, 2.8, 10, 3, 0.1)
        every = families.load("bottleneck").build(50, 0.5, 10, 3, 0.1)
    widths = [three.get_submodule(f"stage{stage}.block1.conv2").out_channels for stage in (1, 2, 3, 4)]
    assert widths == [64, 128, round(2.8 * 256), 512]
    widths = [every.get_submodule(f"stage{stage}.block1.conv2").out_channels for stage in (1, 2, 3, 4)]
    assert widths == [32, 64, 128, 256]
    assert every.stem.conv.out_channels == 64


def test_blocks_start_as_the_identity():
    block = network(classes=3).stage1.block2.eval()
    x = torch.rand(1, 256, 4, 4)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(
    ("family", "depth", "words"),
    [
        ("bottleneck", 60, r"depth 60 .*48k \+ 2"),
        ("stagethree", 51, r"depth 51 .*3n \+ 32"),
        ("stagethree", 32, r"depth 32 .*3n \+ 32"),
        ("resnet", 15, r"depth 15 .*6n \+ 2"),
    ],
)
def test_impossible_depths_are_refused(family, depth, words):
    with pytest.raises(UserError, match=words):
        families.check_depth(family, depth)


def test_a_width_that_leaves_no_filter_is_refused():
    with pytest.raises(UserError, match="width multiplier 0.001 "):
        families.load("bottleneck").build(50, 0.001, 10, 3, 0.1)


def test_layers_probes_and_deletable_blocks():
    made = network(depth=50, classes=3)
    layers = tracing.layers_of(made)
    assert [layer.kind for layer in layers[:4]] == ["conv", "bn", "relu", "pool"]
    names = [layer.name for layer in probes.probed(made)]
    assert names[:2] == ["stage1.block1.bn3", "stage1.block1.add"]
    assert len(names) == 2 * 16
    blocks = deletion.deletable(made.eval(), (3, 32, 32), torch.device("cpu"))
    assert "stage1.block1" not in blocks  # its channels grow
    assert len(blocks) == 12


def test_layers_are_listed_in_the_order_in_which_they_run():
    made = network(classes=3).eval()
    layers, ran = tracing.layers_of(made), []
    with tracing.watching(layers, lambda index, _: ran.append(index)):
        made(torch.rand(1, 3, 32, 32))
    assert ran == list(range(len(layers)))
