"""Similarity between all layers of pairs of networks, computed from their dumps (paper, sections 3, 4 and 6).

All networks that are compared with the same network take part in one matrix product. Each dump is read once, if the
Gram matrices of all networks on one minibatch fit into memory together.
"""

import collections
import itertools
from typing import NamedTuple

import numpy as np

from widedeep.formats import dumps, similarities
from widedeep.measures import deflation, memory
from widedeep.measures.kinds import cka, deflated, squared_cosine
from widedeep.measures.stacked import Stack

# The figures are drawn from these, so every file holds them. Imported by name, they are part of a job's fingerprint.
MEASURES = (cka.MEASURE, deflated.MEASURE, squared_cosine.MEASURE)


class Compared(NamedTuple):
    """The result for one pair of networks over all minibatches.

    Attributes:
        measures: dict from the name of a measure to its cka.Similarity.
        share_first, share_second: (layers,) first component's share of the variance within minibatches, mean over them.
    """

    measures: dict
    share_first: np.ndarray
    share_second: np.ndarray


def write(path, named_pairs, measures=MEASURES):
    """Compare pairs of dumps and write the results (formats/similarities.py).

    Args:
        path: HDF5 file to write.
        named_pairs: dict from the name of an HDF5 group (`/` for the root) to a pair of dumps.Dump.
        measures: list of measure.Measure.

    Raises:
        UserError: dumps hold different examples or another order of them, or the file cannot be written.
    """
    results = compare(list(named_pairs.values()), measures)
    similarities.write(path, dict(zip(named_pairs, zip(named_pairs.values(), results, strict=True), strict=True)))


def compare(pairs, measures=MEASURES):
    """Compare several pairs of dumps.

    Args:
        pairs: list of (dumps.Dump, dumps.Dump); both may be the same one.
        measures: list of measure.Measure.

    Returns:
        list of Compared, one per pair

    Raises:
        UserError: dumps hold different examples, or another order of them.
    """
    # The first networks of all pairs, then the second ones: so those that share a partner are neighbours (_stars).
    used = list(dict.fromkeys([*(first for first, _ in pairs), *(second for _, second in pairs)]))
    dumps.check_aligned(used)
    found = {}
    for group in _groups(used):
        inside = [pair for pair in dict.fromkeys(pairs) if pair not in found and {*pair} <= {*group}]
        if inside:
            found.update(zip(inside, _compare_in_memory(group, inside, measures), strict=True))
    return [found[pair] for pair in pairs]


def _groups(used):
    """Split dumps into lists to hold in memory at once, such that any two dumps are together in one of the lists."""
    entry = np.dtype(_precision(used)).itemsize
    sizes = [memory.grams_bytes(len(dump.layers), dump.sample_ids.shape[1], entry) for dump in used]
    if sum(sizes) <= memory.AT_ONCE:
        return [used]
    parts, room = [], 0
    for dump, size in zip(used, sizes, strict=True):
        if size > room:
            parts.append([])
            room = memory.AT_ONCE / 2
        parts[-1].append(dump)
        room -= size
    return [first + second for first, second in itertools.combinations(parts, 2)] or parts


def _precision(used):
    """The type that holds the Gram matrices of all these dumps without rounding."""
    return np.result_type(*(dump.precision for dump in used))


def _compare_in_memory(used, pairs, measures):
    """compare() for pairs of the dumps `used`, whose Gram matrices on one minibatch are in memory together."""
    places = dict(zip(used, _consecutive([len(dump.layers) for dump in used]), strict=True))
    stars = _stars(pairs, places)
    minibatches = len(used[0].sample_ids)
    cross = [dict.fromkeys((measure.name for measure in measures), 0.0) for _ in stars]
    own, shares = dict.fromkeys((measure.name for measure in measures), 0.0), 0.0
    layers, n = sum(len(dump.layers) for dump in used), used[0].sample_ids.shape[1]
    stack = Stack(layers, n, _precision(used), [(centre, span) for centre, span, _ in stars])
    for index in range(minibatches):
        for dump, place in places.items():
            dump.read(index, stack.triangles[place], stack.diagonals[place], stack.scores[place])
        minibatch = stack.minibatch()
        shares = shares + deflation.shares(minibatch.plain, stack.scores) / minibatches
        for measure in measures:
            value = measure.of(minibatch)
            own[measure.name] = own[measure.name] + measure.own(value)
            for sums, (centre, span, _) in zip(cross, stars, strict=True):
                one = value[centre]
                sums[measure.name] = sums[measure.name] + measure.cross(one, one if span == centre else value[span])
    results = {}
    for (centre, span, members), sums in zip(stars, cross, strict=True):
        for pair in members:
            first, second = (places[dump] for dump in pair)
            found = {}
            for measure in measures:
                part = _part(sums[measure.name], first, second, centre, span)
                own_sums = own[measure.name]
                found[measure.name] = measure.similarity(part, own_sums[first], own_sums[second], minibatches)
            results[pair] = Compared(found, shares[first], shares[second])
    return [results[pair] for pair in pairs]


def _part(total, first, second, centre, span):
    """Cut the (layers of first, layers of second) values of a pair out of those of its star, (centre, span)."""
    transposed = first != centre
    other = first if transposed else second
    part = total[:, other.start - span.start : other.stop - span.start]
    return part.T if transposed else part


def _consecutive(lengths):
    """Return consecutive slices of these lengths, starting at 0."""
    ends = np.cumsum(lengths).tolist()
    return [slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]


def _stars(pairs, places):
    """Group pairs into stars: pairs that share one network, their centre. The largest stars come first.

    Args:
        pairs: list of (dumps.Dump, dumps.Dump).
        places: dict from dumps.Dump to the slice of its layers.

    Returns:
        list of (slice of the centre, slice from the first to the last of the other networks, list of pairs)
    """
    left, stars = list(pairs), []
    while left:
        counts = collections.Counter(dump for pair in left for dump in {*pair})
        # Of several, max takes the first in `places`; a set would have no order.
        centre = max(places, key=lambda dump: counts[dump])
        members = [pair for pair in left if centre in pair]
        others = [places[second if first is centre else first] for first, second in members]
        span = slice(min(other.start for other in others), max(other.stop for other in others))
        stars.append((places[centre], span, members))
        left = [pair for pair in left if centre not in pair]
    return stars
