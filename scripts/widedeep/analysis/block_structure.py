"""The block structure of a network: a range of layers that are highly similar, as a number (paper, sections 4, 5.1).

The paper shows it as a large bright square in the heatmap, and has no number for it. Here a block structure is a range
of at least a quarter of the layers, over three or more residual blocks, in which four of five pairs of layers are
nearer, by 0.06 of a right angle, than pairs at equal distance across its edges. The threshold is from heatmaps that one
person labelled by eye (docs/method.md).

    >>> import numpy as np
    >>> from widedeep.analysis.block_structure import find_block
    >>> layers = np.arange(40)
    >>> cka = np.exp(-np.abs(layers[:, None] - layers) / 20)
    >>> blocks = layers // 5
    >>> find_block(cka, blocks).is_block  # neighbours are similar, which is no block
    False
    >>> cka[10:30, 10:30] = 0.95
    >>> found = find_block(cka, blocks)
    >>> found.start, found.stop, found.size, found.is_block
    (10, 30, 0.5, True)
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import ArrayLike

from widedeep.measures import arrays
from widedeep.runtime.errors import UserError, first_line

# A range is a block if its contrast is at least this, in right angles.
LEAST_CONTRAST = 0.06
# The size of a block is at least this share of the layers, and less than all of them.
LEAST_SIZE = 0.25
# Residual blocks in which a block has layers, at least.
FEWEST_RESIDUAL_BLOCKS = 3
# A CKA above this counts as this: of two layers that are nearly equal the angle is mostly noise.
_HIGHEST_CKA = 0.98
# CKA is at most 1, and no rounding makes it this large.
_IMPOSSIBLE = 1.5
# What most pairs of a range reach is one of these levels, 0, 0.005 to 0.995, and most are four of five.
_LEVELS = np.arange(200) / 200
_MOST = (4, 5)


@dataclass(frozen=True)
class Block:
    """The range of layers of a network that is most like a block structure.

    Attributes:
        start, stop: half-open range of layers, indices into the matrix that was given.
        size: share of the defined layers that are in it.
        contrast: how much nearer its layers are than pairs across its edges, in right angles.
        is_block: whether the contrast is at least LEAST_CONTRAST.
    """

    start: int
    stop: int
    size: float
    contrast: float
    is_block: bool


def find_block(cka: ArrayLike, blocks: Sequence[Hashable] | np.ndarray) -> Block | None:
    """Find the block structure in a heatmap of CKA.

    With S = 1 - 2/pi arccos(clip(CKA, 0, 0.98)), the contrast of a range of L layers is c = inside - outside, where

        inside  = the smaller of: mean of S over its pairs; the largest level that 80 % of its pairs reach
        outside = sum_d (L - d) m(d) / sum_d (L - d), d = 1 .. L - 1

    and m(d) is the mean of S over the pairs at distance d of which exactly one layer is in the range. The range of a
    share s of the layers with the largest sqrt(s (1 - s)) c is found; ties: the smallest start, then stop. If
    similarity depends on the distance of layers alone, no range has a positive contrast. The time grows with the cube
    of the layers: a third of a second for 383.

    Args:
        cka: (layers, layers) CKA of a network with itself, in forward order, without pooled features and logits. A
            layer whose CKA with every other one is NaN is undefined and left out.
        blocks: (layers,) any hashable label of each layer's residual block; equal neighbours are in one. The layers of
            the stem count as one too, those of a shortcut belong to their block.

    Returns:
        Block; None if no range of a quarter of the layers or more, and not of all, is in three residual blocks

    Raises:
        UserError: the matrix is not square, not symmetric, or not of numbers from -1 to 1; the labels are no list,
            not one per layer, not hashable, or NaN; or a pair of defined layers has no value.
    """
    kept, values = _defined(cka)
    labels = _labels(blocks, len(cka), kept)
    layers = len(kept)
    if layers < 2:
        return None
    ordinal = np.cumsum([0, *(one != other for one, other in zip(labels, labels[1:], strict=False))])
    contrasts = _contrasts(_angles(values))
    first, last = np.indices((layers, layers))
    length = last - first + 1
    eligible = (length >= LEAST_SIZE * layers) & (length < layers)
    eligible &= ordinal[last] - ordinal[first] + 1 >= FEWEST_RESIDUAL_BLOCKS
    if not eligible.any():
        return None
    share = length / layers
    score = np.where(eligible, np.sqrt(np.abs(share * (1 - share))) * contrasts, -np.inf)
    # Equal scores differ by rounding; argmax takes the first one.
    a, b = divmod(int(np.argmax(score.round(12))), layers)
    found = float(contrasts[a, b])
    return Block(int(kept[a]), int(kept[b]) + 1, (b - a + 1) / layers, found, found >= LEAST_CONTRAST)


def block_of_network(cka, stages, blocks):
    """Find the block structure of a network whose layers have the numbers of their stage and residual block.

    The layers after the last residual block, pooled features and logits, are left out.

    Args:
        cka: (layers, layers) CKA of the network with itself.
        stages, blocks: (layers,) numbers of the stage and the residual block of each layer; 0 outside.

    Returns:
        Block, as find_block; None also where no layer has a residual block

    Raises:
        UserError: as find_block.
    """
    values = compared(cka, blocks)
    return find_block(values, list(zip(stages, blocks, strict=True))[: len(values)])


def compared(values, blocks):
    """Leave out the layers after the last residual block, on all axes; without residual blocks none is left.

    Args:
        values: (layers,) or (layers, layers) numbers.
        blocks: (layers,) numbers of the residual blocks; 0 outside.
    """
    layers = max((layer for layer, block in enumerate(blocks) if block), default=-1) + 1
    values = np.asarray(values)
    return values[(slice(layers),) * values.ndim]


def layers_in(block, layers):
    """Which layers are in the block structure, (layers,) bool; none if there is none.

    Args:
        block: Block, or None.
        layers: number of all layers of the network.
    """
    places = np.arange(layers)
    return (places >= block.start) & (places < block.stop) if block and block.is_block else places < 0


def contrast(cka, start, stop):
    """Contrast of a given range of layers as in find_block, to follow a block from one matrix into another.

    Args:
        cka: (layers, layers) CKA as in find_block.
        start, stop: half-open range of layers.

    Returns:
        float; NaN if fewer than two defined layers are in the range, or none outside

    Raises:
        UserError: as in find_block.
    """
    values, inside = _around(cka, start, stop)
    if inside is None:
        return float("nan")
    angles = _angles(values)
    pairs = _pairs_among(angles, inside)
    return min(pairs.mean(), _level_of_most(pairs)) - _mean_across(angles, inside)


def means_inside_and_across(values, start, stop):
    """Means over the pairs of layers in a range, and over pairs at equal distance across its edges.

    The second is `outside` in the formula of find_block, of these values.

    Args:
        values: (layers, layers) symmetric similarity, as squared cosines of first components; undefined layers are NaN.
        start, stop: half-open range of layers.

    Returns:
        (mean inside, mean across); NaN if fewer than two defined layers are in the range, or none outside

    Raises:
        UserError: as in find_block.
    """
    values, inside = _around(values, start, stop)
    if inside is None:
        return float("nan"), float("nan")
    return float(_pairs_among(values, inside).mean()), _mean_across(values, inside)


def rounded_down(value):
    """Round a contrast down to three decimals, as figures and explorer show it.

    So it reaches a threshold of three decimals or fewer exactly if the number that is shown does.
    """
    # By the shortest decimal of the float, since the float 0.06 itself is a little less than 0.06.
    return float(Decimal(repr(float(value))).quantize(Decimal("0.001"), ROUND_FLOOR))


def similar_range(values, threshold=0.9):
    """Length of the largest contiguous range of layers in which all pairs have a CKA of at least `threshold`.

    A number that describes, and decides nothing: neighbouring layers of a small network are similar too.

    Args:
        values: (layers, layers) CKA of a network with itself; NaN ends a range.
        threshold: smallest CKA of a pair in the range.

    Returns:
        int, number of layers; 0 where no layer is defined
    """
    alike = np.asarray(values) >= threshold
    largest = start = 0
    for end in range(len(alike)):
        # No pair in [start, end] may be below the threshold, so start after the last layer that is unlike layer `end`.
        unlike = np.flatnonzero(~(alike[end, start : end + 1] & alike[start : end + 1, end]))
        if len(unlike):
            start += int(unlike[-1]) + 1
        largest = max(largest, end + 1 - start)
    return largest


def squared_cosines(components):
    """Squared cosines between the first components of all pairs of layers (paper, figure 3).

    Args:
        components: (layers, examples) unit vectors; NaN where a layer is constant.

    Returns:
        (layers, layers) float64 in [0, 1]; NaN where undefined
    """
    return np.minimum((components @ components.T) ** 2, 1.0)


def equal_depth(first, second):
    """For each layer of a network of `first` layers, the layer at the nearest relative depth in one of `second` layers.

    Returns:
        (first,) int indices
    """
    return np.rint(np.linspace(0, second - 1, first)).astype(int)


def _labels(blocks, layers, kept):
    """The labels of the residual blocks of the layers that are kept, a list; checks those of all layers."""
    if isinstance(blocks, Mapping) or not isinstance(blocks, Iterable):
        raise UserError(f"labels of residual blocks are given as one {type(blocks).__name__}; give a list of them.")
    labels = list(blocks)
    if len(labels) != layers:
        raise UserError(f"there are {len(labels)} labels of residual blocks for {layers} layers; give one per layer.")
    for layer, label in enumerate(labels):
        if not isinstance(label, Hashable) or label != label:
            raise UserError(
                f"the label of the residual block of layer {layer} is {first_line(label)}; give a number or text."
            )
    return [labels[layer] for layer in kept]


def _defined(values):
    """(indices of the layers that are defined, (kept, kept) values symmetrised): checks the matrix first."""
    if isinstance(values, np.ndarray) and values.shape == (0, 0):
        return np.zeros(0, int), np.zeros((0, 0))
    values = arrays.checked(values, "the matrix")
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise UserError(f"the matrix has shape {values.shape}; give that of a network with itself, (layers, layers).")
    if values.dtype.kind == "c":
        raise UserError(f"the matrix holds values of type {values.dtype}; give real numbers.")
    values = arrays.real(values).astype(np.float64)
    pairs = np.isfinite(values) & ~np.eye(len(values), dtype=bool)
    kept = np.flatnonzero((pairs | pairs.T).any(axis=1))
    values = values[np.ix_(kept, kept)]
    missing = np.argwhere(~np.isfinite(values) & ~np.eye(len(kept), dtype=bool))
    if len(missing):
        first, second = kept[missing[0]]
        raise UserError(
            f"layers {first} and {second} have no value, though each has one with another layer; leave one of them out."
        )
    np.fill_diagonal(values, 1)
    impossible = np.argwhere(np.abs(values) > _IMPOSSIBLE)
    if len(impossible):
        first, second = kept[impossible[0]]
        raise UserError(f"layers {first} and {second} have a value above 1 or below -1; give a matrix of CKA.")
    lopsided = np.argwhere(np.abs(values - values.T) > 0.001)
    if len(lopsided):
        first, second = kept[lopsided[0]]
        raise UserError(
            f"the matrix is not symmetric at layers {first} and {second}; give that of a network with itself."
        )
    return kept, (values + values.T) / 2


def _around(values, start, stop):
    """(values of the defined layers, which of them are in the range; None if fewer than two are, or all of them)."""
    kept, values = _defined(values)
    inside = (kept >= start) & (kept < stop)
    return values, inside if np.count_nonzero(inside) > 1 and not inside.all() else None


def _angles(cka):
    """1 for layers that are alike, 0 for those at a right angle: 0.8 to 0.9 counts for more than 0.1 to 0.2."""
    return 1 - 2 / np.pi * np.arccos(np.clip(cka, 0, _HIGHEST_CKA))


def _pairs_among(values, inside):
    """Values of the pairs of different layers that are inside; (pairs,)."""
    part = values[np.ix_(inside, inside)]
    return part[np.triu_indices(len(part), 1)]


def _level_of_most(pairs):
    """The largest level that most of the pairs reach."""
    reached = (pairs >= _LEVELS[:, None]).sum(axis=1)
    return _LEVELS[np.flatnonzero(_are_most(reached, len(pairs)))[-1]]


def _are_most(part, whole):
    return _MOST[1] * part >= _MOST[0] * whole


def _mean_across(values, inside):
    """Mean over distances, weighted as in a range of this length, of the pairs of which one layer is inside."""
    length = np.count_nonzero(inside)
    distances = np.arange(1, length)
    means = [np.diagonal(values, d)[inside[:-d] != inside[d:]].mean() for d in distances]
    return float(np.average(means, weights=length - distances))


def _contrasts(angles):
    """Contrasts of all ranges of layers: (layers, layers), at [a, b] that of a to b inclusive; NaN for b <= a."""
    layers = len(angles)
    first, last = np.indices((layers, layers))
    length = last - first + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = length * (length - 1) / 2
        inside = np.minimum(_sums_inside(angles) / pairs, _levels_of_most(angles))
        contrasts = inside - _sums_across(angles) / pairs
    return np.where(length > 1, contrasts, np.nan)


def _sums_inside(angles):
    """Sums over the pairs in each range; (layers, layers) as _contrasts."""
    layers = len(angles)
    sums = np.zeros((layers, layers))
    for b in range(1, layers):
        # With layer b the range gains its pairs with a .. b - 1.
        sums[:b, b] = sums[:b, b - 1] + np.cumsum(angles[:b, b][::-1])[::-1]
    return sums


def _levels_of_most(angles):
    """_level_of_most for each range; (layers, layers) as _contrasts."""
    layers = len(angles)
    levels = np.zeros((layers, layers))
    reached = np.zeros((layers, len(_LEVELS)), np.int64)  # by first layer: pairs of the range that reach each level
    for b in range(1, layers):
        reaches = angles[:b, b, None] >= _LEVELS
        reached[:b] += np.cumsum(reaches[::-1], axis=0)[::-1]
        length = b + 1 - np.arange(b)
        enough = _are_most(reached[:b], (length * (length - 1) // 2)[:, None])
        levels[:b, b] = _LEVELS[enough.sum(axis=1) - 1]
    return levels


def _sums_across(angles):
    """sum_d (L - d) m(d) for each range, (layers, layers) as _contrasts; undefined for the range of all layers."""
    layers = len(angles)
    sums = np.zeros((layers, layers))
    for d in range(1, layers):
        summed = np.concatenate([[0.0], np.cumsum(np.diagonal(angles, d))])  # over pairs (i, i + d) with i below
        a, b = np.arange(layers - d), np.arange(d, layers)
        # Pairs across the first edge depend on a alone, those across the last edge on b alone.
        from_a = np.maximum(a - d, 0)
        to_b = np.minimum(b + 1, layers - d)
        before, after = summed[a] - summed[from_a], summed[to_b] - summed[b - d + 1]
        counts = (a - from_a)[:, None] + (to_b - (b - d + 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            means = (before[:, None] + after) / counts
        weights = np.maximum(b - a[:, None] + 1 - d, 0)
        sums[: layers - d, d:] += np.where(weights > 0, weights * means, 0)
    return sums
