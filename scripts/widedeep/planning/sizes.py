"""Size of a network: the numbers from which the costs of its jobs follow, counted or estimated.

Counting imports torch, which takes seconds. Estimates serve where that is too long, as in every start of Snakemake.
"""

import functools
import math
from dataclasses import dataclass, replace

# Bytes that safetensors writes beside the tensors: for each tensor, and for our header.
_TENSOR_LINE, _WEIGHTS_HEADER = 100, 700
# Images in the forward pass of tracing.described.
_DESCRIBED = 2


@dataclass(frozen=True)
class Size:
    """Size of a network. Features are the output values of a layer for one image.

    Attributes:
        layers: number of layers.
        forward: floating-point operations of the forward pass of one image; a multiply-add is two.
        weights: bytes of model.safetensors.
        features: features of all layers together.
        largest: features of the largest layer.
        kept: features that are kept for the backward pass.
        probed: features of all layers with a linear probe; 0 if the family has no probes.
        blocks: number of residual blocks.
        outputs: number of layers outside residual blocks and of outputs of blocks (layers.outputs).
        converging: features of the largest of the three layers of appendix A.
        axes: for each layer the number of axes of its output, without that of the examples.
    """

    layers: int
    forward: float
    weights: float
    features: float
    largest: float
    kept: float
    probed: float
    blocks: float
    outputs: int
    converging: float
    axes: tuple = ()


def counted(configuration, images):
    """The Size of a configuration, from its network on torch's meta device, which holds no numbers.

    Args:
        configuration: names.Configuration.
        images: catalogue.Images.

    Raises:
        UserError: the network cannot be built, or its layers cannot be followed.
    """
    # The network is the same for every data set of such images, and for every share of it.
    architecture = replace(configuration, dataset="", fraction=1.0)
    return _counted(architecture, images.shape, images.classes)


@functools.cache
def _counted(architecture, image_shape, classes):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from widedeep.analysis import convergence, probes
    from widedeep.networks import tracing
    from widedeep.networks.build import without_weights
    from widedeep.networks.layers import outputs
    from widedeep.runtime.errors import UserError

    network = without_weights(architecture, image_shape, classes)
    layers = tracing.layers_of(network)
    with FlopCounterMode(display=False) as counter:
        infos = tracing.described(network, layers, image_shape, torch.device("meta"))
    features = {info.name: math.prod(info.shape) for info in infos}
    try:
        probed = sum(features[layer.name] for layer in probes.probed(network))
    except UserError:  # of a family without residual blocks
        probed = 0
    tensors = [tensor.nbytes for tensor in network.state_dict().values()]
    return Size(
        layers=len(layers),
        forward=counter.get_total_flops() // _DESCRIBED,
        weights=sum(tensors) + _TENSOR_LINE * len(tensors) + _WEIGHTS_HEADER,
        features=sum(features.values()),
        largest=max(features.values()),
        # Batch norms keep their input, convolutions and ReLUs the output of a ReLU; additions keep nothing.
        kept=sum(features[layer.name] for layer in layers if layer.kind not in ("bn", "add")),
        probed=probed,
        blocks=len({(layer.stage, layer.block) for layer in layers if layer.block}),
        outputs=len(outputs(layers)),
        converging=max(features[layer.name] for layer in convergence.three_layers(network)),
        axes=tuple(len(info.shape) for info in infos),
    )


def estimated(configuration, images):
    """Estimate the Size of a configuration as if it were a CIFAR ResNet; for other families it is a rough guide.

    A CIFAR ResNet has three stages of equally many residual blocks, with 16, 32 and 64 filters. Their layers have as
    many pixels as the image, a quarter and a sixteenth of them.

    Args:
        configuration: names.Configuration.
        images: catalogue.Images.
    """
    depth, width = configuration.depth, configuration.width
    _, height, side = images.shape
    pixels, blocks = height * side, (depth - 2) / 2
    a_layer = (16 + 8 + 4) / 3 * width * pixels  # features, mean over the stages
    kernels = 2 * 9 * (16**2 + 32**2 + 64**2) / 3 * width**2  # of a block's two convolutions, mean over the stages
    return Size(
        layers=math.ceil(7 * blocks + 7),
        # Each stage has as many operations: a quarter of the pixels, twice the filters in and twice the filters out.
        forward=2 * 9 * 2 * 16**2 * width**2 * blocks * pixels,
        weights=4 * kernels * blocks,
        features=7 * blocks * a_layer,
        largest=16 * width * pixels,
        kept=4 * blocks * a_layer,
        probed=2 * blocks * a_layer,
        blocks=blocks,
        # Convolution, batch norm and ReLU of the stem, pooled features, logits.
        outputs=math.ceil(blocks + 5),
        converging=16 * width * pixels,
    )
