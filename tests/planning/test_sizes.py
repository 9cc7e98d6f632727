"""The sizes of networks: counted ones against counts by hand, estimated ones against counted ones."""

import math

import pytest
from torch import nn

from widedeep.data.catalogue import Images
from widedeep.names import Configuration
from widedeep.networks import families, tracing
from widedeep.networks.build import without_weights
from widedeep.planning import sizes

CIFAR = Images(50_000, 10_000, (3, 32, 32), 10)
IMAGENET = Images(1_281_167, 50_000, (3, 224, 224), 1000)
FAMILIES = {
    "resnet": (Configuration("cifar10", "resnet", 20, 2, 1), CIFAR),
    "plain": (Configuration("cifar10", "plain", 14, 0.5, 1), CIFAR),
    "bottleneck": (Configuration("imagenet", "bottleneck", 50, 0.5, 1), IMAGENET),
    "stagethree": (Configuration("imagenet", "stagethree", 56, 1, 1), IMAGENET),
}


def test_operations_are_those_of_a_count_by_hand():
    """ResNet-14 on 32 x 32: a stem, three stages of two blocks of two 3 x 3 convolutions, two shortcuts, the logits."""
    convolutions, filters_in = [(3, 3, 16, 32)], 16  # kernel, filters before and of it, side of its output
    for filters, side in ((16, 32), (32, 16), (64, 8)):
        for _block in range(2):
            convolutions += [(3, filters_in, filters, side), (3, filters, filters, side)]
            if filters != filters_in:
                convolutions.append((1, filters_in, filters, side))
            filters_in = filters
    multiply_adds = 0
    for kernel, before, filters, side in convolutions:
        for _pixel in range(side * side):
            for _filter in range(filters):
                multiply_adds += kernel * kernel * before
    multiply_adds += 64 * 10
    found = sizes.counted(Configuration("cifar10", "resnet", 14, 1, 1), CIFAR)
    assert found.forward == 2 * multiply_adds
    # Three of the stem; two convolutions, two batch norms, two ReLUs and an addition a block; two shortcuts; two.
    assert found.layers == 3 + 7 * 6 + 2 + 2
    assert found.blocks == 6
    assert found.outputs == 3 + 6 + 2
    assert found.largest == 16 * 32 * 32


def test_operations_of_imagenets_resnet_50_are_those_that_torchvision_tells():
    """Its documentation gives 4.09 GFLOPs, of multiply-adds: with strides, and a dense layer of 1000 classes."""
    found = sizes.counted(Configuration("imagenet", "bottleneck", 50, 1, 1), IMAGENET)
    assert found.forward / 2 == pytest.approx(4.09e9, rel=0.005)


def by_shapes(configuration, images):
    """What a slow walk over the layers finds: dict of the same names as sizes.Size."""
    network = without_weights(configuration, images.shape, images.classes)
    layers = tracing.layers_of(network)
    infos = tracing.described(network, layers, images.shape, next(network.parameters()).device)
    modules, operations, features, kept = dict(network.named_modules()), 0, [], 0
    for info in infos:
        module, values = modules[info.name], math.prod(info.shape)
        features.append(values)
        if isinstance(module, nn.Conv2d):
            channels, height, width = info.shape
            for _position in range(height * width):
                operations += 2 * channels * module.in_channels * module.kernel_size[0] * module.kernel_size[1]
        if isinstance(module, nn.Linear):
            operations += 2 * module.in_features * module.out_features
        kept += 0 if info.kind in ("bn", "add") else values
    return {
        "layers": len(infos),
        "forward": operations,
        "features": sum(features),
        "largest": max(features),
        "kept": kept,
        "blocks": len({(info.stage, info.block) for info in infos if info.block}),
        "outputs": len({(info.stage, info.block) if info.block else info.name for info in infos}),
        "axes": tuple(len(info.shape) for info in infos),
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_counted_as_a_slow_walk_over_its_layers_does(family):
    expected = by_shapes(*FAMILIES[family])
    found = sizes.counted(*FAMILIES[family])
    assert {name: getattr(found, name) for name in expected} == expected
    assert expected["forward"] > 1e6


def test_a_network_without_the_parts_of_figure_4_has_no_probes(tmp_path, monkeypatch):
    (tmp_path / "flat.py").write_text(
        "def build(depth, width, classes, channels, batchnorm_momentum):\n"
        "    from torch import nn\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 7), nn.ReLU(), nn.Linear(7, classes))\n"
    )
    monkeypatch.setattr(families, "FOLDER", tmp_path)
    found = sizes.counted(Configuration("cifar10", "flat", 1, 1, 1), CIFAR)
    assert found.forward == 2 * (3072 * 7 + 7 * 10)
    assert (found.probed, found.blocks) == (0, 0)


@pytest.mark.parametrize(("depth", "width"), [(38, 1), (110, 1), (164, 1), (26, 10)])
def test_estimates_of_cifar_resnets_are_near_the_counted_sizes(depth, width):
    configuration = Configuration("cifar10", "resnet", depth, width, 1)
    found, counted = (size_of(configuration, CIFAR) for size_of in (sizes.estimated, sizes.counted))
    for name in {*vars(found)} - {"axes"}:
        assert getattr(found, name) == pytest.approx(getattr(counted, name), rel=0.15), name
