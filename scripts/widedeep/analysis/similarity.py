"""Similarity between all layers of networks from their dumps (paper, sections 3, 4 and 6).

Networks that are compared with the same one are compared in one matrix product, and each dump is read once a minibatch
as long as all Gram matrices of a minibatch fit the memory together.
"""

import collections
import itertools
from typing import NamedTuple

import numpy as np

from widedeep.formats import dumps, similarities
from widedeep.measures import deflation, memory
from widedeep.measures.cka import Similarity
from widedeep.measures.gram_matrices import Grams
from widedeep.measures.kinds import cka, deflated, squared_cosine
from widedeep.measures.measure import Minibatch

# What the figures are drawn from.
MEASURES = (cka.MEASURE, deflated.MEASURE, squared_cosine.MEASURE)


class Compared(NamedTuple):
    """The result of one pair of networks over all minibatches.

    Attributes:
        measures: dict from the name of a measure to its cka.Similarity.
        share_first, share_second: (layers,) the first component's share of the variance of a minibatch, mean over
            minibatches.
    """

    measures: dict
    share_first: np.ndarray
    share_second: np.ndarray


def write(path, named_pairs, measures=MEASURES):
    """Compare pairs of dumps and write the file (formats/similarities.py).

    Args:
        path: of the HDF5 file.
        named_pairs: dict from group name (`/` for the root) to a pair of dumps.Dump.
        measures: list of measure.Measure.

    Raises:
        UserError: dumps hold other examples or in another order, or the file cannot be written.
    """
    results = compare(list(named_pairs.values()), measures)
    similarities.write(path, dict(zip(named_pairs, zip(named_pairs.values(), results, strict=True), strict=True)))


def compare(pairs, measures=MEASURES):
    """Compare several pairs of dumps.

    Args:
        pairs: list of (dumps.Dump, dumps.Dump); both may be the same.
        measures: list of measure.Measure.

    Returns:
        list of Compared

    Raises:
        UserError: dumps hold other examples, or in another order.
    """
    used = list(dict.fromkeys(dump for pair in pairs for dump in pair))
    dumps.check_aligned(used)
    found = {}
    for group in _groups(used):
        inside = [pair for pair in dict.fromkeys(pairs) if pair not in found and {*pair} <= {*group}]
        if inside:
            found.update(zip(inside, _compare_in_memory(group, inside, measures), strict=True))
    return [found[pair] for pair in pairs]


def _groups(used):
    """Lists of dumps to hold in memory at once, such that every two of them are together in one of the lists."""
    sizes = [memory.grams_bytes(len(dump.layers), dump.sample_ids.shape[1]) for dump in used]
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


def _compare_in_memory(used, pairs, measures):
    """list of Compared of pairs of the dumps `used`, all of which are in memory, a minibatch at a time."""
    places = dict(zip(used, _consecutive([len(dump.layers) for dump in used]), strict=True))
    stars = _stars(pairs, places)
    minibatches = len(used[0].sample_ids)
    cross = [dict.fromkeys((measure.name for measure in measures), 0.0) for _ in stars]
    own, shares = dict.fromkeys((measure.name for measure in measures if measure.own), 0.0), 0.0
    stack = _Stack(places, used[0].sample_ids.shape[1])
    for index in range(minibatches):
        minibatch = stack.read(index)
        shares = shares + deflation.shares(stack.plain, stack.scores) / minibatches
        for measure in measures:
            if measure.own:
                own[measure.name] = own[measure.name] + measure.own(minibatch)
            for sums, (centre, hull, _) in zip(cross, stars, strict=True):
                values = measure.cross(minibatch[centre], minibatch[hull])
                sums[measure.name] = sums[measure.name] + (values if measure.finish else values / minibatches)
    results = {}
    for (centre, hull, members), sums in zip(stars, cross, strict=True):
        for pair in members:
            first, second = (places[dump] for dump in pair)
            found = {}
            for measure in measures:
                part = _part(sums[measure.name], first, second, centre, hull)
                found[measure.name] = _finished(measure, part, own, first, second, minibatches)
            results[pair] = Compared(found, shares[first], shares[second])
    return [results[pair] for pair in pairs]


def _part(total, first, second, centre, hull):
    """The (layers of first, layers of second) part of a star's (layers of centre, layers of hull)."""
    turned = first != centre
    other = first if turned else second
    part = total[:, other.start - hull.start : other.stop - hull.start]
    return part.T if turned else part


def _finished(measure, part, own, first, second, minibatches):
    """The Similarity of one measure and pair; a mean needs no more than to be taken out of its star."""
    if measure.finish:
        return measure.finish(part, own[measure.name][first], own[measure.name][second], minibatches)
    return Similarity(part.copy(), None, None, minibatches)


class _Stack:
    """The Gram matrices of several networks on one minibatch, one below the other, plain and deflated.

    Args:
        places: dict from dumps.Dump to the slice of its layers.
        n: examples in the minibatch.
    """

    def __init__(self, places, n):
        layers = max(place.stop for place in places.values())
        self.places = places
        self.plain, self.deflated = Grams.unfilled(layers, n), Grams.unfilled(layers, n)
        self.scores = np.empty((layers, n))

    def read(self, index):
        """The Minibatch of all layers, of which the next call changes the arrays."""
        for dump, place in self.places.items():
            plain, deflated_part = self.plain[place], self.deflated[place]
            dump.read(index, plain, self.scores[place])
            for name in ("triangles", "diagonals", "row_sums"):
                getattr(deflated_part, name)[:] = getattr(plain, name)
            deflation.deflate(deflated_part, self.scores[place])
        return Minibatch(self.plain, self.deflated, deflation.unit_vectors(self.scores))


def _consecutive(lengths):
    """Slices of these lengths, each beginning where the one before ends."""
    ends = np.cumsum(lengths).tolist()
    return [slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]


def _stars(pairs, places):
    """Pairs by a network that they share, the most of them together.

    Args:
        pairs: list of (dump, dump).
        places: dict from dumps to slices.

    Returns:
        list of (place of the shared network, the slice from the first to the last of the others, the pairs)
    """
    left, stars = list(pairs), []
    while left:
        counts = collections.Counter(dump for pair in left for dump in {*pair})
        # The first of several: a set has no order.
        centre = max(places, key=lambda dump: counts[dump])
        members = [pair for pair in left if centre in pair]
        others = [places[second if first is centre else first] for first, second in members]
        hull = slice(min(other.start for other in others), max(other.stop for other in others))
        stars.append((places[centre], hull, members))
        left = [pair for pair in left if centre not in pair]
    return stars
