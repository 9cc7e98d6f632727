"""The calls of modules while any torch network runs: which of them may be layers, and what they returned.

Modules are watched by hooks. So a layer is an output as it is when the module returns, before a later module overwrites
it in place.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

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
        seen: what `look` returned; None without a tensor.
        problem: why that tensor cannot be read, or "".
    """

    name: str
    module: str
    kind: str
    leaf: bool
    shape: tuple | None
    seen: object
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
        if module not in weights and not is_compiler(module):
            names[module] = ".".join(part for part in name.split(".") if part != "_orig_mod")
    whole = type(network).__name__
    names[network] = whole if whole not in names.values() else f"{whole}()"
    return names


def is_compiler(module):
    """Whether a module is the wrapper of torch.compile round another one."""
    return "_orig_mod" in module._modules


def is_unchanging(module):
    """Whether a module changes nothing in evaluation mode, or only the shape."""
    return isinstance(module, _UNCHANGING) or type(module).__name__ in _UNCHANGING_NAMES


@contextlib.contextmanager
def watching(names, callback):
    """Call `callback(module, name, output)` when a module returns, while the block runs.

    Args:
        names: dict from modules to their names.
        callback: function of the module, the name of the call, and what the module returned.
    """
    counts = collections.Counter()

    def hook(module, _inputs, output):
        counts[module] += 1
        callback(module, names[module] + (f"#{counts[module]}" if counts[module] > 1 else ""), output)

    with contextlib.ExitStack() as hooks:
        for module in names:
            hooks.callback(module.register_forward_hook(hook).remove)
        yield


def trace(names, run, look):
    """All calls in one forward pass.

    Args:
        names: see `watched`.
        run: function without arguments that runs the network.
        look: function of the name of a call and the tensor that it returned, called at once.

    Returns:
        dict from the name of a call to its Call, in the order in which they end
    """
    calls, running = {}, []

    def begin(module, _inputs):
        if running:
            running[-1][1] = True
        running.append([module, False])

    def end(module, name, output):
        # A call that raised an error, which the network caught, has no end.
        while running[-1][0] is not module:
            running.pop()
        _, has_calls = running.pop()
        leaf = not (has_calls or is_unchanging(module) or isinstance(module, nn.Sequential))
        tensor, problem = first_tensor(output), problem_of(output)
        found = (None, None) if problem else (tuple(tensor.shape), look(name, tensor))
        calls[name] = Call(name, names[module], type(module).__name__, leaf, *found, problem)

    with contextlib.ExitStack() as hooks:
        for module in names:
            hooks.callback(module.register_forward_pre_hook(begin).remove)
        with watching(names, end):
            run()
    return calls


def first_tensor(value):
    """The first tensor in the output of a module, without its graph: itself, or in a tuple, list, dict or dataclass.

    Returns:
        torch.Tensor; None without one, or where it is a packed sequence, whose rows are sorted by length.
    """
    first = next(_parts(value), None)
    return first.detach() if isinstance(first, torch.Tensor) else None


def _parts(value):
    """Yield the tensors and packed sequences in the output of a module, in their order."""
    if isinstance(value, torch.Tensor | PackedSequence):
        yield value
        return
    if isinstance(value, Mapping):
        entries = value.values()
    elif isinstance(value, list | tuple):
        entries = value
    else:
        entries = vars(value).values() if dataclasses.is_dataclass(value) else ()
    for entry in entries:
        yield from _parts(entry)


def problem_of(output):
    """Why no tensor in the output of a module can be read, or ""."""
    tensor = first_tensor(output)
    if tensor is None:
        packed = isinstance(next(_parts(output), None), PackedSequence)
        return "returns a packed sequence" if packed else f"returns no tensor, but a {type(output).__name__}"
    if tensor.is_nested:
        return "returns a nested tensor; a TransformerEncoder with enable_nested_tensor=False would not"
    if tensor.layout is not torch.strided:
        return "returns a sparse tensor"
    if tensor.is_quantized:
        return "returns a quantized tensor"
    return "" if tensor.numel() else "returns a tensor without entries"


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
    network = network._modules.get("_orig_mod", network)
    scripted = (torch.jit.ScriptModule, torch.jit.ScriptFunction)
    if any(isinstance(module, scripted) for module in network.modules()):
        raise UserError(
            f"{which} holds scripted or traced modules, whose layers cannot be watched; give the network they were "
            "made of."
        )
    if any(value.is_meta for value in (*network.parameters(), *network.buffers())):
        raise UserError(f"{which} has weights on the device meta, which holds no values; load them first.")
    return network


def is_compiled(network):
    """Whether torch.compile made a part of a network, whose layers would run without their hooks."""
    return any(is_compiler(module) or module._compiled_call_impl is not None for module in network.modules())
