"""The layers of any torch network: whose outputs they are, and which axis of each output is the examples.

Two passes of three and of two examples show both, so that nothing is assumed of the network.
"""

import difflib
import fnmatch
import itertools
from dataclasses import dataclass

import torch

from widedeep.networks import calls, tracing
from widedeep.networks.layers import LayerOutput
from widedeep.runtime.errors import UserError

# Numbers of examples in the two passes: an axis of 3 entries in one and of 2 in the other is that of the examples.
_MORE, _FEWER = slice(0, 3), slice(1, 3)
# Largest difference, relative to the largest value, of an example's output in two minibatches.
_SAME = 0.02


@dataclass(frozen=True)
class Place:
    """Where an output has its examples.

    Attributes:
        axis: of the tensor.
        rows: entries of that axis for each example: more than 1 where another axis is merged with the examples, as
            windows of an image.
        together: whether the rows of an example are neighbours.
    """

    axis: int
    rows: int = 1
    together: bool = True

    def features(self, output, n):
        """(n, ...) tensor with a row for each of n examples, from what a module returned.

        Raises:
            ValueError: the output is of another number of examples.
        """
        tensor = calls.first_tensor(output).movedim(self.axis, 0)
        if len(tensor) != n * self.rows:
            raise ValueError(f"{tuple(tensor.shape)} for {n} examples")
        if self.rows == 1:
            return tensor
        if self.together:
            return tensor.reshape(n, self.rows, *tensor.shape[1:])
        return tensor.reshape(self.rows, n, *tensor.shape[1:]).movedim(1, 0)


@dataclass(frozen=True)
class Found:
    """What the passes over a few examples showed.

    Attributes:
        modules: dict from the modules that give layers to their names.
        layers: list of layers.LayerOutput in the order in which they run.
        places: list of their Places.
        left_out: dict from a name to the reason why its output is no layer.
        mixes: whether an example's output depends on the other examples of its minibatch.
    """

    modules: dict
    layers: list
    places: list
    left_out: dict
    mixes: bool


def find(network, run, patterns=None):
    """Find the layers of a network.

    Args:
        network: torch.nn.Module.
        run: function of a slice of the examples that runs the network on them and returns its output.
        patterns: list of patterns of module names (`matches`); None stands for all modules without submodules that
            run, and change more than the shape.

    Returns:
        Found

    Raises:
        UserError: no output that is asked for has an axis of examples, or other modules run for another number of
            examples.
    """
    names = calls.watched(network)
    more, returned = calls.trace(names, lambda: run(_MORE))
    fewer, returned_fewer = calls.trace(names, lambda: run(_FEWER))
    if list(more) != list(fewer):
        other = next(a or b for a, b in itertools.zip_longest(more, fewer) if a != b)
        raise UserError(f"{other}: does not run for 2 examples as it does for 3; a layer must run for any number.")
    wanted = _wanted(names, more, patterns)
    places = {name: _place(more[name], fewer[name]) for name in wanted}
    merged = [name for name, place in places.items() if isinstance(place, Place) and place.rows > 1]
    if merged:
        watched = {module: name for module, name in names.items() if name in {more[one].module for one in merged}}
        places |= _of_merged(watched, {name: places[name] for name in merged}, run)
    found = {name: place for name, place in places.items() if isinstance(place, Place)}
    left_out = {name: place for name, place in places.items() if name not in found}
    left_out |= dict.fromkeys(_idle(names, more, patterns), "does not run")
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        raise UserError(f"the network has no layer to compare ({reasons or 'no module runs'}).")
    used = {more[name].module for name in found}
    layers = [LayerOutput(name, more[name].kind, _shape(more[name], place)) for name, place in found.items()]
    modules = {module: name for module, name in names.items() if name in used}
    whole = _place(more[names[network]], fewer[names[network]])
    mixes = isinstance(whole, Place) and not _same(whole.features(returned, 3)[1:], whole.features(returned_fewer, 2))
    return Found(modules, layers, list(found.values()), left_out, mixes)


def matches(name, pattern):
    """Whether a module's name matches a pattern.

    Both are split at dots. In the pattern `*` stands for any text in one part and `**` for any number of parts:
    `layer*.*` matches `layer1.0` and not `layer1.0.conv1`, and `**.conv1` matches `conv1` and `layer1.0.conv1`.
    """

    def fit(parts, left):
        if not left:
            return not parts
        if left[0] == "**":
            return fit(parts, left[1:]) or (bool(parts) and fit(parts[1:], left))
        return bool(parts) and fnmatch.fnmatchcase(parts[0], left[0]) and fit(parts[1:], left[1:])

    return fit(name.split("."), pattern.split("."))


def _wanted(names, traced, patterns):
    """Names of the calls that are asked for."""
    if patterns is None:
        return [name for name, call in traced.items() if call.leaf]
    asked = _matching(names, patterns)
    return [name for name, call in traced.items() if call.module in asked]


def check_patterns(networks, patterns):
    """Refuse patterns that match no module of any of the networks.

    Args:
        networks: list of torch.nn.Module.
        patterns: list of patterns of module names.

    Raises:
        UserError: names the pattern, and modules with similar names.
    """
    for pattern in patterns:
        every = [calls.watched(network) for network in networks]
        if not any(_matching(names, [pattern]) for names in every):
            parts = [name for names in every for name in [*names.values()][1:]]
            near = difflib.get_close_matches(pattern, parts, 3, 0.3) or parts[:3]
            raise UserError(
                f"layers: '{pattern}' matches no module; `*` stands for one part of a name and `**` for any number. "
                f"There are {', '.join(near) or 'no parts'}, for example."
            )


def _matching(names, patterns):
    """Names of the modules that a pattern matches; the network itself only by its own name: in torch it has none."""
    whole, *parts = names.values()
    return {whole} & {*patterns} | {name for name in parts if any(matches(name, pattern) for pattern in patterns)}


def _idle(names, traced, patterns):
    """Names of modules with weights of their own that are asked for and do not run."""
    ran = {call.module for call in traced.values()}
    return [
        name
        for module, name in names.items()
        if name not in ran
        and list(module.parameters(recurse=False))
        and (patterns is None or any(matches(name, pattern) for pattern in patterns))
    ]


def _place(more, fewer):
    """The Place of the examples, or the reason why there is none; from the calls on three and on two examples."""
    if more.problem:
        return more.problem
    if fewer.problem or len(more.shape) != len(fewer.shape):
        return "its output has another form for another number of examples"
    axes = [axis for axis, sizes in enumerate(zip(more.shape, fewer.shape, strict=True)) if len({*sizes}) > 1]
    if not axes:
        return f"its output is {more.shape} for 3 and for 2 examples: it has no row for each example"
    if len(axes) > 1:
        return f"its output is {more.shape} for 3 examples: several axes follow their number"
    (axis,) = axes
    rows = more.shape[axis] // 3
    if (more.shape[axis], fewer.shape[axis]) != (3 * rows, 2 * rows):
        return f"its output is {more.shape} for 3 examples and {fewer.shape} for 2: no axis is the examples"
    return Place(axis, rows)


def _of_merged(modules, places, run):
    """Find which rows belong to an example, for outputs with several for each.

    Args:
        modules: dict from modules to their names.
        places: dict from names of calls to their Places.
        run: see `find`.

    Returns:
        dict from the names of calls to a Place or a reason
    """
    outputs = []
    for part in (_MORE, _FEWER):
        kept = {}
        with calls.watching(modules, lambda name, output, kept=kept: kept.update({name: _copy(output)})):
            run(part)
        outputs.append(kept)
    found = {}
    for name, place in places.items():
        ways = [Place(place.axis, place.rows, together) for together in (True, False)]
        fitting = [
            way for way in ways if _same(way.features(outputs[0][name], 3)[1:], way.features(outputs[1][name], 2))
        ]
        found[name] = (
            fitting[0]
            if len(fitting) == 1
            else (f"its output has {place.rows} rows for each example, and which ones cannot be told")
        )
    return found


def _copy(output):
    tensor = calls.first_tensor(output)
    return None if tensor is None else tensor.clone()


def _same(one, other):
    """Whether two tensors hold the same up to the rounding of half precision."""
    one, other = tracing.features(one), tracing.features(other)
    largest = one.nan_to_num(0, 0, 0).abs().max().item()
    return bool(torch.allclose(one, other, rtol=0, atol=_SAME * largest, equal_nan=True))


def _shape(call, place):
    shape = (*call.shape[: place.axis], *call.shape[place.axis + 1 :])
    return shape if place.rows == 1 else (place.rows, *shape)
