"""The CIFAR ResNet family against published sizes and an independent statement of its forward pass."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (torch's custom)

from widedeep.networks import tracing
from widedeep.networks.build import build
from widedeep.runtime.errors import UserError


def network(depth=14, width=1, classes=10, channels=3, family="resnet", seed=0):
    generator = torch.Generator().manual_seed(seed)
    return build(family, depth, width, classes, channels, generator=generator)


def count(depth, width=1):
    return sum(parameter.numel() for parameter in network(depth, width).parameters())


@pytest.mark.parametrize(("depth", "published"), [(20, 0.27e6), (32, 0.46e6), (44, 0.66e6), (56, 0.85e6), (110, 1.7e6)])
def test_has_the_published_number_of_parameters(depth, published):
    """He et al. (2016), table 6; theirs has identity shortcuts, ours two 1x1 convolutions of 2,560 weights together."""
    assert count(depth) - 16 * 32 - 32 * 64 == pytest.approx(published, rel=0.025)


@pytest.mark.parametrize(("depth", "width"), [(14, 1), (20, 2), (38, 10), (8, 0.5)])
def test_has_the_number_of_parameters_that_arithmetic_gives(depth, width):
    n, (a, b, c) = (depth - 2) // 6, (round(f * width) for f in (16, 32, 64))
    kernels = 9 * (3 * a + (2 * n) * a * a + a * b + (2 * n - 1) * b * b + b * c + (2 * n - 1) * c * c) + a * b + b * c
    norms = 2 * (a + 2 * n * (a + b + c))
    assert count(depth, width) == kernels + norms + 10 * c + 10


def restated(state, x, blocks, residual):
    """The forward pass by functional calls on a state dict, in evaluation mode."""

    def norm(x, name):
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)

    x = F.relu(norm(F.conv2d(x, state["stem.conv.weight"], padding=1), "stem.bn"))
    for stage in (1, 2, 3):
        for block in range(1, blocks + 1):
            name, stride = f"stage{stage}.block{block}", 2 if stage > 1 and block == 1 else 1
            y = F.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1)
            y = F.conv2d(F.relu(norm(y, f"{name}.bn1")), state[f"{name}.conv2.weight"], padding=1)
            y = norm(y, f"{name}.bn2")
            if residual and stride == 2:
                x = F.conv2d(x, state[f"{name}.shortcut.weight"], stride=2)
            x = F.relu(y + x) if residual else F.relu(y)
    return F.linear(x.mean(dim=(2, 3)), state["logits.weight"], state["logits.bias"])


@pytest.mark.parametrize("family", ["resnet", "plain"])
@pytest.mark.parametrize(("depth", "size", "channels"), [(8, 8, 1), (14, 32, 3), (20, 28, 1)])
def test_computes_what_the_paper_describes(family, depth, size, channels):
    net = network(depth, 1.5, 7, channels, family).train()
    x = torch.rand(4, channels, size, size, generator=torch.Generator().manual_seed(1))
    net(x)  # so that the running statistics are not 0 and 1
    net.eval()
    expected = restated(net.state_dict(), x, (depth - 2) // 6, family == "resnet")
    torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-5)


def test_lists_every_operation_in_forward_order():
    names = [layer.name for layer in tracing.layers_of(network(8))]
    block = ["conv1", "bn1", "relu1", "conv2", "bn2", "shortcut", "add", "relu2"]
    expected = ["stem.conv", "stem.bn", "stem.relu"]
    for stage in (1, 2, 3):
        expected += [f"stage{stage}.block1.{part}" for part in block if stage > 1 or part != "shortcut"]
    assert names == [*expected, "pool", "logits"]
    layer = tracing.layers_of(network(8))[-4]
    assert (layer.name, layer.kind, layer.stage, layer.block) == ("stage3.block1.add", "add", 3, 1)


@pytest.mark.parametrize("family", ["resnet", "plain"])
def test_layers_are_listed_in_the_order_in_which_they_run(family):
    net = network(20, family=family).eval()
    layers, ran = tracing.layers_of(net), []
    with tracing.watching(layers, lambda index, _: ran.append(index)):
        net(torch.rand(1, 3, 8, 8))
    assert ran == list(range(len(layers)))
    net(torch.rand(1, 3, 8, 8))
    assert len(ran) == len(layers)  # the hooks are gone


def test_plain_networks_have_no_additions_and_no_shortcuts():
    layers = tracing.layers_of(network(14, family="plain"))
    assert {layer.kind for layer in layers} == {"conv", "bn", "relu", "pool", "logits"}
    assert not [layer for layer in layers if "shortcut" in layer.name]


def test_nothing_is_changed_in_place():
    net, kept = network(14).eval(), []
    layers = tracing.layers_of(net)
    with tracing.watching(layers, lambda _, output: kept.append((output, output.clone()))):
        net(torch.rand(2, 3, 8, 8))
    assert all(torch.equal(output, copy) for output, copy in kept)


def test_batch_norm_has_the_authors_constants():
    norms = [module for module in network(8).modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_initial_weights_are_he_normal_and_follow_from_the_generator():
    weight = network(14, 4, seed=3).stage3.block2.conv1.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.01)
    assert weight.mean().item() == pytest.approx(0, abs=1e-4)
    assert torch.equal(weight, network(14, 4, seed=3).stage3.block2.conv1.weight)
    assert not torch.equal(weight, network(14, 4, seed=4).stage3.block2.conv1.weight)
    assert not network(14).logits.bias.any()


@pytest.mark.parametrize("depth", [2, 7, 15, 51])
def test_refuses_impossible_depths(depth):
    with pytest.raises(UserError, match=rf"depth {depth} .*6n \+ 2"):
        network(depth)


def test_a_width_that_leaves_no_filter_is_refused():
    with pytest.raises(UserError, match="width multiplier 0.01 .*1/16"):
        network(width=0.01)
