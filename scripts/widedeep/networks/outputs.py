"""The layers of any torch network: whose outputs they are, and which axis of each output is the examples.

Nothing is assumed of the network. Two passes show both, the second of the same few examples without the first one: the
axis whose length follows the number of examples is theirs, and each row must be that of the same example in both
passes. For that a pass keeps a few numbers of each row and no output.
"""

import difflib
import fnmatch
import functools
from dataclasses import dataclass

import torch

from widedeep.networks import calls, tracing
from widedeep.networks.layers import LayerOutput
from widedeep.runtime.errors import UserError

# Most examples in the first pass. Few axes of networks have a multiple of 5 entries.
_EXAMPLES = 5
# Numbers that are kept of each row: inner products with fixed vectors.
_NUMBERS = 3
# Two rows are the same if their numbers differ by less than this share of the spread over the examples, ...
_OF_SPREAD = 0.05
# ... or of their size: rounding, which differs with the number of examples, in float32 and in half precision.
_ROUNDING, _ROUNDING_OF_HALF = 1e-4, 0.03
# Smaller norms are taken in float64, since the squares leave the range of float32.
_LEAST_NORM = 1e-15


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

    def features(self, tensor, n):
        """(n, ...) tensor with a row for each of n examples, from the tensor that a module returned.

        Raises:
            ValueError: the tensor is of another number of examples.
        """
        if tensor.ndim <= self.axis or tensor.shape[self.axis] != n * self.rows:
            raise ValueError(f"its output is {tuple(tensor.shape)} for {n} examples")
        return self.by_example(tensor.movedim(self.axis, 0), n)

    def by_example(self, rows, n):
        """(n, ...) tensor from (n times self.rows, ...)."""
        if self.rows == 1:
            return rows
        if self.together:
            return rows.reshape(n, self.rows, *rows.shape[1:])
        return rows.reshape(self.rows, n, *rows.shape[1:]).movedim(1, 0)


@dataclass(frozen=True)
class Found:
    """What the passes over a few examples showed.

    Attributes:
        modules: dict from the modules that give layers to their names.
        layers: list of layers.LayerOutput in the order in which they run.
        places: list of their Places.
        others: names of the calls of these modules that are no layers.
        left_out: dict from a name to the reason why its output is no layer.
        mixing: name of the first layer in which an example's row depends on the other examples; "" without one.
    """

    modules: dict
    layers: list
    places: list
    others: set
    left_out: dict
    mixing: str


def find(network, run, n, patterns=None):
    """Find the layers of a network.

    Args:
        network: torch.nn.Module.
        run: function of a slice of the examples that runs the network on them.
        n: number of examples that there are, at least 3.
        patterns: list of patterns of module names (`matches`); None stands for all modules without submodules that
            run, and change more than the shape.

    Returns:
        Found

    Raises:
        UserError: no output that is asked for has an axis of examples.
    """
    names, count = calls.watched(network), min(n, _EXAMPLES)
    numbers = functools.lru_cache(maxsize=2)(_fixed_numbers)  # layers of one size follow each other

    def first_look(_name, tensor):
        axes = [axis for axis, length in enumerate(tensor.shape) if length % count == 0]
        return {axis: _look(tensor, axis, numbers) for axis in axes}

    def second_look(name, tensor):
        axes = _varying(more[name].shape, tensor.shape) if name in more else []
        return {axis: _look(tensor, axis, numbers) for axis in axes}

    more = calls.trace(names, lambda: run(slice(0, count)), first_look)
    fewer = calls.trace(names, lambda: run(slice(1, count)), second_look)
    wanted = _wanted(names, more, patterns)
    answers = {name: _place(more[name], fewer.get(name), count) for name in wanted}
    found = {name: place for name, (place, _) in answers.items() if isinstance(place, Place)}
    left_out = {name: place for name, (place, _) in answers.items() if name not in found}
    left_out |= dict.fromkeys(_idle(names, more, patterns), "does not run")
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        raise UserError(f"{names[network]}: has no layer to compare ({reasons or 'no module runs'}).")
    used = {more[name].module for name in found}
    return Found(
        {module: name for module, name in names.items() if name in used},
        [LayerOutput(name, more[name].kind, _shape(more[name], place)) for name, place in found.items()],
        list(found.values()),
        {name for name, call in more.items() if call.module in used and name not in found},
        left_out,
        next((name for name in found if answers[name][1]), ""),
    )


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


def check_patterns(networks, patterns):
    """Refuse patterns that match no module of any of the networks.

    Args:
        networks: list of torch.nn.Module.
        patterns: list of patterns of module names.

    Raises:
        UserError: there is no pattern, or one that is no text, or one without a match.
    """
    if not patterns:
        raise UserError("layers: names none; give patterns of module names, or None for all layers.")
    every = [calls.watched(network) for network in networks]
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise UserError(f"layers: holds a {type(pattern).__name__}; give patterns of module names, as 'layer*.*'.")
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


def _wanted(names, traced, patterns):
    """Names of the calls that are asked for."""
    if patterns is None:
        return [name for name, call in traced.items() if call.leaf]
    asked = _matching(names, patterns)
    return [name for name, call in traced.items() if call.module in asked]


def _idle(names, traced, patterns):
    """Names of modules that are asked for and do not run; by default those with weights of their own."""
    ran = {call.module for call in traced.values()}
    if patterns is not None:
        return sorted(_matching(names, patterns) - ran)
    return [name for module, name in names.items() if name not in ran and list(module.parameters(recurse=False))]


def _varying(shape, other):
    """Axes in which two shapes differ; none where they have other numbers of axes."""
    return [axis for axis, sizes in enumerate(zip(shape or (), other, strict=False)) if len({*sizes}) > 1]


def _look(tensor, axis, numbers):
    """What is kept of a tensor's rows along an axis.

    Args:
        tensor: of any shape.
        axis: of the rows.
        numbers: function of a number of features that returns (features, _NUMBERS) fixed numbers.

    Returns:
        ((rows, _NUMBERS) float64 inner products, their rounding)
    """
    rows = tracing.features(tensor.movedim(axis, 0)).cpu()
    norms = torch.linalg.vector_norm(rows, dim=1)
    if not (norms.isfinite() & (norms > _LEAST_NORM)).all():  # the squares may be out of range, or values not finite
        rows = rows.nan_to_num(0, 0, 0)
        norms = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    of_type = _ROUNDING_OF_HALF if tensor.dtype in (torch.float16, torch.bfloat16) else _ROUNDING
    rounding = of_type * norms.max().item()
    with torch.autocast("cpu", enabled=False):  # the network may run under one
        return (rows @ numbers(rows.shape[1]).to(rows.dtype)).double(), rounding


def _fixed_numbers(features):
    """(features, _NUMBERS) normal numbers, the same in every process."""
    return torch.randn(features, _NUMBERS, generator=torch.Generator("cpu").manual_seed(0), device="cpu")


def _place(more, fewer, count):
    """Find the examples from the calls on them and on all but the first.

    Returns:
        (Place or the reason why there is none, whether an example's row depends on the others)
    """
    if more.problem:
        return more.problem, False
    if fewer is None:
        return f"runs for {count} examples and not for {count - 1} of them", False
    if fewer.problem or len(more.shape) != len(fewer.shape):
        return "its output has another form for another number of examples", False
    axes = _varying(more.shape, fewer.shape)
    for_count = f"its output is {more.shape} for {count} examples"
    if not axes:
        return f"{for_count} and for {count - 1}: it has no row for each example", False
    if len(axes) > 1:
        return f"{for_count}: several axes follow their number", False
    (axis,) = axes
    rows = more.shape[axis] // count
    if (more.shape[axis], fewer.shape[axis]) != (count * rows, (count - 1) * rows):
        return f"{for_count} and {fewer.shape} for {count - 1}: no axis is the examples", False
    return _checked(Place(axis, rows), more, fewer, count)


def _checked(place, more, fewer, count):
    """Check that the rows are those of the same examples in both passes; see `_place`."""
    (numbers, rounding), (others, _) = more.seen[place.axis], fewer.seen[place.axis]
    ways = [place] if place.rows == 1 else [Place(place.axis, place.rows, together) for together in (True, False)]
    pairs = [(way.by_example(numbers, count)[1:], way.by_example(others, count - 1)) for way in ways]
    tolerances = [_OF_SPREAD * one.std(0) + rounding for one, _ in pairs]
    fitting = [
        way
        for way, (one, other), tolerance in zip(ways, pairs, tolerances, strict=True)
        if ((one - other).abs() <= tolerance).all()
    ]
    if place.rows > 1:
        told = f"its output has {place.rows} rows for each example, and which ones cannot be told"
        return (fitting[0] if len(fitting) == 1 else told), False
    elsewhere = ((others[:, None] - numbers[None]).abs() <= tolerances[0]).all(2).any(1)
    if not fitting and elsewhere.all():
        return "its rows are in another order than the examples", False
    return place, not fitting


def _shape(call, place):
    shape = (*call.shape[: place.axis], *call.shape[place.axis + 1 :])
    return shape if place.rows == 1 else (place.rows, *shape)
