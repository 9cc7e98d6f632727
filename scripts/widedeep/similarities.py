"""CKA results on disk: one HDF5 group a pair of networks.

cka.h5          the root is the group of the network with itself
pairs/*.h5      one group a pair, named `seed1--seed2`
/               attributes: kind, schema_version, checksum (hdf5.seal)

group           attributes: first, second (labels), minibatches, batch_size
    cka         (layers of first, layers of second) float64, NaN where undefined
    deflated    the same without each layer's first component, taken away in each minibatch
    squared_cosine    the same shape: between the first components of a minibatch, mean over minibatches
    first, second    groups of arrays over layers: name, kind, stage, block, undefined (why, or empty), and
                     first_component_share of the variance of a minibatch, mean over minibatches
"""

from dataclasses import dataclass
from typing import NamedTuple

import h5py
import numpy as np

from widedeep import deflation, dumps, hdf5
from widedeep.cka import MinibatchCKA, Similarity

KIND = "cka"
SCHEMA_VERSION = 4
_TEXT = h5py.string_dtype()


@dataclass(frozen=True)
class Side:
    """One network of a comparison: its label and, over its layers, names, kinds, stages, blocks, reasons and shares."""

    label: str
    names: list
    kinds: list
    stages: list
    blocks: list
    undefined: list
    share: np.ndarray


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
    """CKA of several pairs of dumps; each dump is read once a minibatch, whatever the number of pairs.

    Args:
        pairs: list of (dumps.Dump, dumps.Dump); both may be the same.

    Returns:
        list of Compared

    Raises:
        UserError: dumps hold other examples, or in another order.
    """
    used = list(dict.fromkeys(dump for pair in pairs for dump in pair))
    dumps.check_aligned(used)
    results = [(MinibatchCKA(), MinibatchCKA()) for _ in pairs]
    minibatches = len(used[0].sample_ids)
    shares, cosines = dict.fromkeys(used, 0.0), [0.0] * len(pairs)
    for minibatch in range(minibatches):
        grams = {dump: dump.grams(minibatch) for dump in used}
        deflated, values = {}, {}
        for dump, gram in grams.items():
            deflated[dump], share, values[dump] = deflation.deflated(gram)
            shares[dump] = shares[dump] + share / minibatches
        for index, ((plain, without), (first, second)) in enumerate(zip(results, pairs, strict=True)):
            plain.add_grams(grams[first], grams[second])
            without.add_grams(deflated[first], deflated[second])
            cosines[index] = cosines[index] + (values[first] @ values[second].T) ** 2 / minibatches
    return [
        Compared(plain.result(), without.result(), cosine, shares[first], shares[second])
        for (plain, without), cosine, (first, second) in zip(results, cosines, pairs, strict=True)
    ]


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
            plain = result.plain
            sizes = {"minibatches": plain.minibatches, "batch_size": first.sample_ids.shape[1]}
            group.attrs.update({"first": first.label, "second": second.label, **sizes})
            group["cka"] = plain.values
            group["deflated"] = result.deflated.values
            group["squared_cosine"] = result.squared_cosine
            _write_side(group.create_group("first"), first.layers, plain.undefined_first, result.share_first)
            _write_side(group.create_group("second"), second.layers, plain.undefined_second, result.share_second)
        hdf5.seal(file)


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
        values = (group[key][:] for key in ("cka", "deflated", "squared_cosine"))
        return Comparison(*values, first, second, *sizes)


def names(path):
    """Names of the pairs in a file, in the order in which they were written, empty where the root is the only one."""
    remedy = "compute it again (scripts/compute_pairs.py)"
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, remedy) as file:
        return [name for name in file if "--" in name]


def _write_side(group, layers, undefined, share):
    group.create_dataset("name", data=[layer.name for layer in layers], dtype=_TEXT)
    group.create_dataset("kind", data=[layer.kind for layer in layers], dtype=_TEXT)
    group["stage"] = [layer.stage for layer in layers]
    group["block"] = [layer.block for layer in layers]
    group.create_dataset("undefined", data=undefined, dtype=_TEXT)
    group["first_component_share"] = share


def _read_side(group, label):
    names, kinds, undefined = (group[key].asstr()[:].tolist() for key in ("name", "kind", "undefined"))
    places = group["stage"][:].tolist(), group["block"][:].tolist()
    return Side(label, names, kinds, *places, undefined, group["first_component_share"][:])
