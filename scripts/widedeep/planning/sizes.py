"""The size of a network: the numbers that the cost of its jobs follows from, counted or estimated.

Counting needs torch, which takes seconds to import; estimates are for where that is too long, as in each start of
Snakemake.
"""

import functools
import math
from dataclasses import dataclass

# What safetensors writes beside the tensors: a line a tensor, and our header, in bytes.
_TENSOR_LINE, _WEIGHTS_HEADER = 100, 700


@dataclass(frozen=True)
class Size:
    """What the cost of a network's jobs depends on. Features are values that a layer has for one image.

    Attributes:
        layers: their number.
        forward: floating-point operations of the forward pass of one image, two a multiply-add.
        weights: bytes of model.safetensors.
        features: of all layers.
        largest: features of the largest layer.
        kept: features that the backward pass needs.
        probed: features of all layers with a linear probe; 0 if the network cannot have probes.
        blocks: residual blocks.
        converging: features of the largest layer of appendix A.
        axes: numbers of axes of the layers' outputs, without that of the examples.
    """

    layers: int
    forward: float
    weights: float
    features: float
    largest: float
    kept: float
    probed: float
    blocks: float
    converging: float
    axes: tuple = ()


@functools.cache
def counted(configuration, images):
    """The Size of a names.Configuration, from its network on torch's meta device, which holds no numbers.

    Args:
        configuration: names.Configuration.
        images: catalogue.Images.

    Raises:
        UserError: the network cannot be built, or its layers cannot be followed.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from widedeep.analysis import convergence, probes
    from widedeep.networks import tracing
    from widedeep.networks.build import without_weights
    from widedeep.runtime.errors import UserError

    network, meta = without_weights(configuration, images.shape, images.classes), torch.device("meta")
    layers = tracing.layers_of(network)
    infos = {info.name: info for info in tracing.described(network, layers, images.shape, meta)}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *images.shape, device=meta))
    features = {name: math.prod(info.shape) for name, info in infos.items()}
    try:
        probed = sum(features[layer.name] for layer in probes.probed(network))
    except UserError:  # of a family without residual blocks
        probed = 0
    tensors = [tensor.nbytes for tensor in network.state_dict().values()]
    return Size(
        layers=len(layers),
        forward=counter.get_total_flops(),
        weights=sum(tensors) + _TENSOR_LINE * len(tensors) + _WEIGHTS_HEADER,
        features=sum(features.values()),
        largest=max(features.values()),
        # Batch norms keep their input, convolutions and ReLUs the output of a ReLU; additions keep nothing.
        kept=sum(features[layer.name] for layer in layers if layer.kind not in ("bn", "add")),
        probed=probed,
        blocks=len({(layer.stage, layer.block) for layer in layers if layer.block}),
        converging=max(features[layer.name] for layer in convergence.three_layers(network)),
        axes=tuple(len(info.shape) for info in infos.values()),
    )


def estimated(configuration, images):
    """About the Size of a names.Configuration: of the CIFAR ResNets, and no more than a guide for other families.

    With n blocks a stage, of 16, 32 and 64 filters on as many pixels as the image has, a quarter and a sixteenth of
    them.
    """
    depth, width = configuration.depth, configuration.width
    _, height, side = images.shape
    pixels, blocks = height * side, (depth - 2) / 2
    a_layer = (16 + 8 + 4) / 3 * width * pixels  # features, mean over the stages
    kernels = 2 * 9 * (16**2 + 32**2 + 64**2) / 3 * width**2  # of the two convolutions of a block
    return Size(
        layers=math.ceil(7 * blocks + 7),
        # As many operations in each stage: a quarter of the pixels, and twice the filters before and behind.
        forward=2 * 9 * 2 * 16**2 * width**2 * blocks * pixels,
        weights=4 * kernels * blocks,
        features=7 * blocks * a_layer,
        largest=16 * width * pixels,
        kept=4 * blocks * a_layer,
        probed=2 * blocks * a_layer,
        blocks=blocks,
        converging=16 * width * pixels,
    )
