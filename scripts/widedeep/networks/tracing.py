"""The layers of a network in forward order, and a way to see their outputs while it runs."""

import collections
import contextlib
from dataclasses import dataclass

import torch
from torch import nn

from widedeep.networks.layers import LayerInfo
from widedeep.networks.modules import Add
from widedeep.runtime.errors import UserError

_KINDS = {
    nn.Conv2d: "conv",
    nn.BatchNorm2d: "bn",
    nn.ReLU: "relu",
    Add: "add",
    nn.AdaptiveAvgPool2d: "pool",
    nn.MaxPool2d: "pool",
}
# They change nothing in evaluation, or only the shape.
_NO_LAYERS = (nn.Identity, nn.Dropout, nn.Flatten)


@dataclass(frozen=True)
class Layer:
    """One operation of a network: its module name, kind (one of layers.KINDS), stage and block.

    Stage and block are 0 outside the stages.
    """

    name: str
    kind: str
    stage: int
    block: int
    module: nn.Module


def layers_of(network):
    """All layers of a network in forward order.

    Works for any module that gives each operation a submodule and defines them in the order in which they run;
    `described` refuses others.
    """
    return [
        Layer(name, _kind(name, module), _number(name, "stage"), _number(name, "block"), module)
        for name, module in network.named_modules()
        if is_layer(module)
    ]


def is_layer(module):
    """Whether a module is an operation of its own: it has no submodules, and changes more than the shape."""
    return not (list(module.children()) or isinstance(module, (*_NO_LAYERS, nn.Sequential)))


def _kind(name, module):
    if isinstance(module, nn.Linear):
        return "logits" if name == "logits" else "dense"
    return _KINDS.get(type(module), "other")


@contextlib.contextmanager
def watching(layers, callback):
    """While the block runs, call `callback(index, output)` with every layer's output as soon as it is computed.

    The callback must not keep the tensor if memory is to stay bounded by one layer.
    """

    def hook(index):
        def call(_module, _inputs, output):
            callback(index, output)

        return call

    handles = [layer.module.register_forward_hook(hook(index)) for index, layer in enumerate(layers)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def described(network, layers, image_shape, device):
    """What files say of each layer, from a forward pass of two black images.

    Whoever follows layers asks this first: a layer that runs twice or out of order would give numbers that look right.

    Args:
        network: in evaluation mode, on `device`.
        layers: list of Layer.
        image_shape: (channels, height, width).
        device: torch.device.

    Returns:
        list of LayerInfo

    Raises:
        UserError: a layer does not run exactly once and in its place, or returns something else than a tensor with a
            row for each image.
    """
    images, order, outputs = 2, [], {}

    def keep(index, output):
        order.append(index)
        outputs[index] = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__

    with watching(layers, keep):
        network(torch.zeros(images, *image_shape, device=device))
    runs = collections.Counter(order)
    for index, layer in enumerate(layers):
        if runs[index] != 1:
            raise UserError(
                f"module {layer.name} runs {runs[index]} times in a forward pass, and a layer runs once; give each "
                "call a module of its own, and leave out modules that never run."
            )
        if outputs[index][:1] != (images,):
            raise UserError(
                f"module {layer.name} returns {outputs[index]} for {images} images, and a layer returns a tensor with "
                "a row for each; let a subclass of the module return that."
            )
    for index, ran in enumerate(order):
        if index != ran:
            raise UserError(
                f"module {layers[ran].name} runs before {layers[index].name}, and is defined after it; define modules "
                "in the order in which they run."
            )
    return [
        LayerInfo(layer.name, layer.kind, layer.stage, layer.block, outputs[index][1:])
        for index, layer in enumerate(layers)
    ]


def features(output):
    """A layer's output as (n, p) float32.

    In the memory order that the output has, so that nothing is copied; neither CKA nor a component's value depends on
    the order of features.
    """
    if output.ndim == 4 and not output.is_contiguous():  # channels_last
        output = output.permute(0, 2, 3, 1)
    return output.reshape(len(output), -1).float()


def _number(name, part):
    """The number behind `part` in a dotted module name: 2 for `stage` in `stage2.block3.add`, 0 where it is absent."""
    for word in name.split("."):
        if word.startswith(part) and word.removeprefix(part).isdigit():
            return int(word.removeprefix(part))
    return 0
