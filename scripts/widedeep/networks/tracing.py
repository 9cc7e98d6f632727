"""The layers of a network in forward order, and their outputs while it runs."""

import collections
import contextlib
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from widedeep.networks import calls
from widedeep.networks.layers import LayerInfo
from widedeep.networks.modules import Add
from widedeep.networks.precision import widest
from widedeep.runtime.errors import UserError

_KINDS = {
    nn.Conv2d: "conv",
    nn.BatchNorm2d: "bn",
    nn.ReLU: "relu",
    Add: "add",
    nn.AdaptiveAvgPool2d: "pool",
    nn.MaxPool2d: "pool",
}
# Modules that compute with the weights of submodules which do not run themselves.
_WHOLE = (nn.MultiheadAttention,)


@dataclass(frozen=True)
class Layer:
    """One operation of a network.

    Attributes:
        name: of the module, as `stage2.block3.add`.
        kind: one of layers.KINDS.
        stage, block: numbers of its stage and residual block; 0 outside the stages.
        module: torch.nn.Module.
    """

    name: str
    kind: str
    stage: int
    block: int
    module: nn.Module


def layers_of(network):
    """Return all layers of a network in forward order, a list of Layer.

    The order is right for networks that have a module for each operation, defined in the order in which they run;
    `described` refuses other networks.
    """
    layers, parts = [], set()
    for name, module in network.named_modules():
        if module not in parts and is_layer(module):
            layers.append(Layer(name, _kind(name, module), _number(name, "stage"), _number(name, "block"), module))
            parts.update(module.modules())
    return layers


def is_layer(module):
    """Return whether a module is a layer: no submodule of it runs, and it changes more than the shape.

    Submodules that compute a weight of it, as of nn.utils.parametrizations, do not count.
    """
    if isinstance(module, _WHOLE):
        return True
    parts = [part for part in module.children() if not isinstance(part, nn.ModuleDict) or not is_parametrized(module)]
    return not (parts or calls.is_unchanging(module) or isinstance(module, nn.Sequential))


def _kind(name, module):
    if isinstance(module, nn.Linear):
        return "logits" if name == "logits" else "dense"
    return _KINDS.get(type(module), "other")


@contextlib.contextmanager
def watching(layers, callback):
    """Call `callback(index, output)` with the output of every layer, while the block runs: of several the first tensor.

    If the callback stores nothing, only one layer's output is in memory at a time.

    Args:
        layers: list of Layer; `index` is the position in it.
        callback: function that is called as soon as a layer has run.
    """

    def hook(index):
        def call(_module, _inputs, output):
            tensor = calls.first_tensor(output)
            callback(index, output if tensor is None else tensor)

        return call

    handles = [layer.module.register_forward_hook(hook(index)) for index, layer in enumerate(layers)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def described(network, layers, image_shape, device):
    """Describe the layers of a network, from a forward pass of two black images.

    Call it before measuring layers: one that runs twice or out of order would give wrong numbers that look right.

    Args:
        network: in evaluation mode, on `device`.
        layers: list of Layer.
        image_shape: (channels, height, width).
        device: torch.device.

    Returns:
        list of LayerInfo

    Raises:
        UserError: a layer does not run exactly once, or not in the order of the definitions, or does not return a
            tensor with a row for each image.
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
                f"module {layer.name} runs {runs[index]} times in a forward pass, and must run once; define a module "
                "for each call, and leave out modules that never run."
            )
        if outputs[index][:1] != (images,):
            raise UserError(
                f"module {layer.name} returns {outputs[index]} for {images} images, and must return a tensor with a "
                "row for each; let a subclass of the module return that tensor."
            )
    for index, ran in enumerate(order):
        if index != ran:
            raise UserError(
                f"module {layers[ran].name} runs before {layers[index].name} but is defined after it; define modules "
                "in the order in which they run."
            )
    return [
        LayerInfo(layer.name, layer.kind, layer.stage, layer.block, outputs[index][1:])
        for index, layer in enumerate(layers)
    ]


def features(output):
    """Return a layer's output as (n, p) real numbers, its features in the order of memory, so that nothing is copied.

    Neither CKA nor the values of a component depend on the order of features. float32 and float64 stay, narrower types
    become float32, integers and booleans float64 (float32 on mps, which has no wider type). Real and imaginary parts
    of complex numbers become separate features, so that the Gram matrix is Re(X X^H).

    Args:
        output: tensor (n, ...).

    Raises:
        UserError: the tensor is nested: its examples differ in their number of features.
    """
    if output.is_nested:
        raise UserError(
            f"a layer returns a nested tensor of {output.size(0)} examples, which may differ in shape; pad them."
        )
    if output.layout != torch.strided:
        output = output.to_dense()
    if output.is_complex():
        output = torch.view_as_real(output.resolve_conj())
    # As channels_last, or a module that permutes, leaves it.
    output = output.permute(0, *sorted(range(1, output.ndim), key=output.stride, reverse=True))
    output = output.resolve_neg().reshape(len(output), math.prod(output.shape[1:]))
    if output.dtype == torch.float64:
        return output
    return output.float() if output.is_floating_point() else output.to(widest(output.device))


def _number(name, part):
    """Return the number after `part` in a module's name: 2 for `stage` in `stage2.block3.add`; 0 without it."""
    for word in name.split("."):
        if word.startswith(part) and word.removeprefix(part).isdigit():
            return int(word.removeprefix(part))
    return 0
