"""CKA results on disk: one HDF5 group a pair of networks.

cka.h5          the root is the group of the network with itself
pairs/*.h5      one group a pair, named `seed1--seed2`
/               attributes: kind, schema_version

group           attributes: first, second (labels), minibatches, batch_size
    cka         (layers of first, layers of second) float64, NaN where undefined
    deflated    the same without each layer's first component, taken away in each minibatch
    squared_cosine    the same shape: between the first components of a minibatch, mean over minibatches
    first, second    groups of arrays over layers: name, kind, stage, block, undefined and undefined_deflated (why cka
                     and deflated are NaN, or empty), and first_component_share of the variance of a minibatch, mean
                     over minibatches
"""

import collections
import itertools
from dataclasses import dataclass
from typing import NamedTuple

import h5py
import numpy as np

from widedeep import deflation, dumps, hdf5
from widedeep.cka import Grams, Similarity, cross_hsic, ratio, self_hsic

KIND = "cka"
SCHEMA_VERSION = 5
# Bytes of Gram matrices that a comparison holds at once; two networks that take more are still held together.
MEMORY = 1_000_000_000
_TEXT = h5py.string_dtype()


@dataclass(frozen=True)
class Side:
    """One network of a comparison: its label and, over its layers, what the file's groups hold."""

    label: str
    names: list
    kinds: list
    stages: list
    blocks: list
    undefined: list
    share: np.ndarray
    undefined_deflated: list


@dataclass(frozen=True)
class Comparison:
    """CKA between all layers of two networks, as read from a file.

    Attributes:
        values: (layers of first, layers of second).
        deflated: the same without each layer's first component.
        squared_cosine: between the first components of a minibatch, mean over minibatches; NaN where undefined.
        first, second: Side.
    """

    values: np.ndarray
    deflated: np.ndarray
    squared_cosine: np.ndarray
    first: Side
    second: Side
    minibatches: int
    batch_size: int


class Compared(NamedTuple):
    """What `compare` finds of one pair, over all minibatches.

    Attributes:
        plain, deflated: cka.Similarity, with and without the first components.
        squared_cosine: (layers of first, layers of second) between first components.
        share_first, share_second: (layers,) the first component's share of the variance.
    """

    plain: Similarity
    deflated: Similarity
    squared_cosine: np.ndarray
    share_first: np.ndarray
    share_second: np.ndarray


def compare(pairs):
    """CKA of several pairs of dumps.

    The dumps are read in groups that fit the memory together, each once a minibatch if all of them do. Networks that
    are compared with the same one are compared in one matrix product.

    Args:
        pairs: list of (dumps.Dump, dumps.Dump); both may be the same.

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
            found.update(zip(inside, _compare_in_memory(group, inside), strict=True))
    return [found[pair] for pair in pairs]


def grams_bytes(layers, batch_size):
    """Bytes of memory that one network takes in a comparison: Gram matrices of a minibatch, plain and deflated.

    Args:
        layers: their number.
        batch_size: examples a minibatch.
    """
    return 2 * 8 * layers * batch_size * (batch_size - 1) // 2


def memory(layers, batch_size):
    """Bytes of Gram matrices that a comparison holds at most.

    Args:
        layers: list of the numbers of layers of its networks.
        batch_size: examples a minibatch.
    """
    sizes = sorted(grams_bytes(number, batch_size) for number in layers)
    return min(sum(sizes), max(MEMORY, sum(sizes[-2:])))


def _groups(used):
    """Lists of dumps to hold in memory at once, such that every two of them are together in one of the lists."""
    sizes = [grams_bytes(len(dump.layers), dump.sample_ids.shape[1]) for dump in used]
    if sum(sizes) <= MEMORY:
        return [used]
    blocks, room = [], 0
    for dump, size in zip(used, sizes, strict=True):
        if size > room:
            blocks.append([])
            room = MEMORY / 2
        blocks[-1].append(dump)
        room -= size
    return [first + second for first, second in itertools.combinations(blocks, 2)] or blocks


def _compare_in_memory(used, pairs):
    """list of Compared of pairs of the dumps `used`, all of which are in memory, a minibatch at a time."""
    places = _consecutive([len(dump.layers) for dump in used])
    places = dict(zip(used, places, strict=True))
    stars = _stars(pairs, places)
    minibatches = len(used[0].sample_ids)
    sums, selves, shares = [0.0] * len(stars), 0.0, 0.0
    stacked = _Stack(places, used[0].sample_ids.shape[1])
    for minibatch in range(minibatches):
        stacked.read(minibatch)
        both, vectors = (stacked.plain, stacked.deflated), deflation.unit_vectors(stacked.scores)
        selves = selves + np.stack([self_hsic(grams) for grams in both])
        shares = shares + deflation.shares(stacked.plain, stacked.scores) / minibatches
        for index, (centre, hull, _) in enumerate(stars):
            products = [cross_hsic(grams[centre], grams[hull]) for grams in both]
            cosines = (vectors[centre] @ vectors[hull].T) ** 2 / minibatches
            sums[index] = sums[index] + np.stack([*products, cosines])
    results = {}
    for (centre, hull, members), total in zip(stars, sums, strict=True):
        for pair in members:
            first, second = (places[dump] for dump in pair)
            turned = first != centre
            other = first if turned else second
            part = total[:, :, other.start - hull.start : other.stop - hull.start]
            part = part.transpose(0, 2, 1) if turned else part
            plain, deflated = (
                ratio(cross, values[first], values[second], minibatches)
                for cross, values in zip(part[:2], selves, strict=True)
            )
            results[pair] = Compared(plain, deflated, part[2].copy(), shares[first], shares[second])
    return [results[pair] for pair in pairs]


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

    def read(self, minibatch):
        for dump, place in self.places.items():
            plain, deflated = self.plain[place], self.deflated[place]
            dump.read(minibatch, plain, self.scores[place])
            for name in ("triangles", "diagonals", "row_sums"):
                getattr(deflated, name)[:] = getattr(plain, name)
            deflation.deflate(deflated, self.scores[place])


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


def write(path, named_pairs):
    """Compare pairs of dumps and write the file.

    Args:
        path: of the HDF5 file.
        named_pairs: dict from group name (`/` for the root) to a pair of dumps.Dump.
    """
    results = compare(list(named_pairs.values()))
    with hdf5.creating(path) as file:
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        for (name, (first, second)), result in zip(named_pairs.items(), results, strict=True):
            group = file.require_group(name)
            plain, deflated = result.plain, result.deflated
            sizes = {"minibatches": plain.minibatches, "batch_size": first.sample_ids.shape[1]}
            group.attrs.update({"first": first.label, "second": second.label, **sizes})
            group["cka"] = plain.values
            group["deflated"] = deflated.values
            group["squared_cosine"] = result.squared_cosine
            for side, layers, share in (
                ("first", first.layers, result.share_first),
                ("second", second.layers, result.share_second),
            ):
                reasons = (getattr(similarity, f"undefined_{side}") for similarity in (plain, deflated))
                _write_side(group.create_group(side), layers, *reasons, share)


def read(path, name="/"):
    """The Comparison in group `name` of a file.

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    remedy = "compute it again (scripts/compute_cka.py)"
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, remedy) as file, hdf5.explaining_damage(path, remedy):
        group = file[name]
        first = _read_side(group["first"], group.attrs["first"])
        second = _read_side(group["second"], group.attrs["second"])
        sizes = int(group.attrs["minibatches"]), int(group.attrs["batch_size"])
        shape = (len(first.names), len(second.names))
        values = (hdf5.values(group, key, np.float64, shape) for key in ("cka", "deflated", "squared_cosine"))
        return Comparison(*values, first, second, *sizes)


def names(path):
    """Names of the pairs in a file, in the order in which they were written, empty where the root is the only one."""
    remedy = "compute it again (scripts/compute_pairs.py)"
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, remedy) as file:
        return [name for name in file if "--" in name]


def _write_side(group, layers, undefined, undefined_deflated, share):
    group.create_dataset("name", data=[layer.name for layer in layers], dtype=_TEXT)
    group.create_dataset("kind", data=[layer.kind for layer in layers], dtype=_TEXT)
    group["stage"] = [layer.stage for layer in layers]
    group["block"] = [layer.block for layer in layers]
    group.create_dataset("undefined", data=undefined, dtype=_TEXT)
    group.create_dataset("undefined_deflated", data=undefined_deflated, dtype=_TEXT)
    group["first_component_share"] = share


def _read_side(group, label):
    layers = group["name"].shape
    words = ("name", "kind", "undefined", "undefined_deflated")
    names, kinds, undefined, undefined_deflated = (hdf5.values(group, key, str, layers).tolist() for key in words)
    stages, blocks = (hdf5.values(group, key, np.int64, layers).tolist() for key in ("stage", "block"))
    share = hdf5.values(group, "first_component_share", np.float64, layers)
    return Side(label, names, kinds, stages, blocks, undefined, share, undefined_deflated)
