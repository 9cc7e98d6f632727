"""The calls of modules while any torch network runs: which of them give a layer, and where its examples are.

Modules are watched by hooks. So a layer is an output as it is when the module returns, before a later module overwrites
it in place.
"""

import collections
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrize

from widedeep.runtime.errors import UserError

# Modules that change nothing in evaluation mode, or only the shape. Packages have their own classes of some.
_UNCHANGING = (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)
_UNCHANGING_NAMES = {"StochasticDepth", "DropPath", "DropBlock2d", "DropBlock3d"}


@dataclass(frozen=True)
class Call:
    """One call of a module.

    Attributes:
        name: of the module, as `layer1.0.conv1`; of the network itself the name of its class. A further call of a
            module has #2, #3 and so on.
        module: its name alone.
        kind: class of the module, as `Conv2d`.
        leaf: whether no other module ran in it, and it changes more than the shape.
        shape: of the tensor it returned, or of the first one in what it returned; None without one.
        problem: why that tensor cannot be read, or "".
    """

    name: str
    module: str
    kind: str
    leaf: bool
    shape: tuple | None
    problem: str


def watched(network):
    """dict from each module of a network to its name, without modules that only compute another module's weights.

    Args:
        network: torch.nn.Module.
    """
    names, weights = {}, set()
    for name, module in network.named_modules():
        if isinstance(module, parametrize.ParametrizationList):
            weights.update(module.modules())
        if module not in weights:
            name = ".".join(part for part in name.split(".") if part != "_orig_mod")
            names[module] = name or type(network).__name__
    return names


def is_unchanging(module):
    """Whether a module changes nothing in evaluation mode, or only the shape."""
    return isinstance(module, _UNCHANGING) or type(module).__name__ in _UNCHANGING_NAMES


@contextlib.contextmanager
def watching(names, callback):
    """Call `callback(name, output)` when a module returns, with the name of the call, while the block runs.

    Args:
        names: dict from modules to their names.
        callback: function; what it returns is ignored.
    """
    counts = collections.Counter()

    def hook(module, _inputs, output):
        counts[module] += 1
        callback(names[module] + (f"#{counts[module]}" if counts[module] > 1 else ""), output)

    with contextlib.ExitStack() as hooks:
        for module in names:
            hooks.callback(module.register_forward_hook(hook).remove)
        yield


def trace(names, run):
    """All calls in one forward pass.

    Args:
        names: see `watched`.
        run: function without arguments that runs the network.

    Returns:
        (dict from the name of a call to its Call in the order in which they end, what `run` returned)
    """
    modules = {name: module for module, name in names.items()}
    calls, running = {}, []

    def begin(module, _inputs):
        if running:
            running[-1][1] = True
        running.append([module, False])

    def end(name, output):
        module = name.split("#")[0]
        # A call that raised an error, which the network caught, has no end.
        while running[-1][0] is not modules[module]:
            running.pop()
        _, has_calls = running.pop()
        kind = type(modules[module])
        leaf = not (has_calls or is_unchanging(modules[module]) or issubclass(kind, nn.Sequential))
        calls[name] = Call(name, module, kind.__name__, leaf, *_described(output))

    with contextlib.ExitStack() as hooks:
        for module in names:
            hooks.callback(module.register_forward_pre_hook(begin).remove)
        with watching(names, end):
            returned = run()
    return calls, returned


def first_tensor(value):
    """The first tensor in the output of a module: itself, or in a tuple, list or dict; None without one."""
    if isinstance(value, torch.Tensor):
        return value
    entries = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((found for found in map(first_tensor, entries) if found is not None), None)


def _described(output):
    """(shape, problem) of a module's output."""
    tensor = first_tensor(output)
    if tensor is None:
        return None, f"returns no tensor, but a {type(output).__name__}"
    if tensor.is_nested or tensor.layout is not torch.strided:
        return None, "returns a sparse or nested tensor"
    if tensor.is_quantized:
        return None, "returns a quantized tensor"
    return tuple(tensor.shape), ""


def evaluating(network, which):
    """Refuse a network of which a part is in training mode.

    Raises:
        UserError: batch norms would change with each minibatch, and dropout would make a layer unlike itself.
    """
    training = [name for module, name in watched(network).items() if module.training]
    if training:
        parts = "" if network.training else f" ({', '.join(training[:3])}{', ...' if len(training) > 3 else ''})"
        raise UserError(
            f"{which} is in training mode{parts}, where batch norms change with each batch and dropout is random; call "
            "eval() of the network first."
        )


def unwrapped(network, which):
    """The module whose submodules run when a network runs, without wrappers.

    Raises:
        UserError: it is no torch.nn.Module, or one whose layers no hook sees.
    """
    if not isinstance(network, nn.Module):
        raise UserError(f"{which} is a {type(network).__name__}, not a torch.nn.Module; wrap it in one.")
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        network = network.module
    network = getattr(network, "_orig_mod", network)
    scripted = (torch.jit.ScriptModule, torch.jit.ScriptFunction)
    if any(isinstance(module, scripted) for module in network.modules()):
        raise UserError(
            f"{which} holds scripted or traced modules, whose layers cannot be watched; give the network they were "
            "made of."
        )
    return network


def is_compiled(network):
    """Whether torch.compile made a part of a network, whose layers would run without their hooks."""
    return any(hasattr(module, "_orig_mod") or module._compiled_call_impl is not None for module in network.modules())
