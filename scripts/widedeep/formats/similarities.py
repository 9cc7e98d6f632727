"""cka.h5, pairs/*.h5, measures/*.h5: similarity between layers of two networks, an HDF5 group for each pair of them.

cka.h5          the root is the group of the network with itself; holds CKA, CKA without first components, and squared
                cosines of first components
pairs/*.h5      one group for each pair, named `seed1--seed2`; holds the same
measures/*.h5   as cka.h5, but holds the one measure that it is named after
/               attributes: kind, schema_version

group           attributes: first, second (labels), minibatches, batch_size
    MEASURE     for each measure (measures/kinds/): (layers of first, layers of second) float64, NaN where undefined
    first, second    a group for each network, of arrays (layers,): name, kind, stage, block; first_component_share of
                     the variance in a minibatch, mean over minibatches; undefined_MEASURE for each measure, the reason
                     why it is NaN, or empty
"""

from dataclasses import dataclass

import h5py
import numpy as np

from widedeep.formats import hdf5
from widedeep.measures.kinds import OF_FIGURES

KIND = "cka"
SCHEMA_VERSION = 6
_TEXT = h5py.string_dtype()


@dataclass(frozen=True)
class Side:
    """One network of a comparison: its label, and for its layers the content of the file's group (see above).

    `undefined` is a dict from the name of a measure to the reasons.
    """

    label: str
    names: list
    kinds: list
    stages: list
    blocks: list
    undefined: dict
    share: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """Similarity between all layers of two networks, as read from a file.

    Attributes:
        measures: dict from the name of a measure to (layers of first, layers of second) values, NaN where undefined.
        first, second: Side.
        minibatches, batch_size: number of the minibatches, and of the examples in each.
    """

    measures: dict
    first: Side
    second: Side
    minibatches: int
    batch_size: int

    @property
    def cka(self):
        """Minibatch CKA, (layers of first, layers of second)."""
        return self.measures["cka"]

    @property
    def deflated(self):
        """Minibatch CKA without each layer's first component, of the same shape."""
        return self.measures["deflated"]

    @property
    def squared_cosine(self):
        """Squared cosines of the first components in a minibatch, mean over minibatches, of the same shape."""
        return self.measures["squared_cosine"]


def write(path, groups):
    """Write comparisons of dumps.

    Args:
        path: of the HDF5 file.
        groups: dict from group name (`/` for the root) to ((dumps.Dump, dumps.Dump), analysis.similarity.Compared).
    """
    with hdf5.creating(path) as file:
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        for name, ((first, second), result) in groups.items():
            group = file.require_group(name)
            minibatches, batch_size = first.sample_ids.shape
            labels = {"first": first.label, "second": second.label}
            group.attrs.update({**labels, "minibatches": minibatches, "batch_size": batch_size})
            for measure, found in result.measures.items():
                group[measure] = found.values
            for side, dump in (("first", first), ("second", second)):
                reasons = {measure: getattr(found, f"undefined_{side}") for measure, found in result.measures.items()}
                _write_side(group.create_group(side), dump.layers, reasons, getattr(result, f"share_{side}"))


def read(path, name="/", measure=None):
    """Read the Comparison in a group of a file.

    Args:
        path: of the file.
        name: of the group, as `seed1--seed2`; `/` in a cka.h5.
        measure: name of the measure that a file of scripts/compute_measure.py must hold; None: those of a cka.h5.

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    program = f"compute_measure.py --measure {measure}" if measure else "compute_cka.py"
    remedy = f"compute it again (scripts/{program})"
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, remedy) as file, hdf5.explaining_damage(path, remedy):
        group = file[name]
        named = [measure] if measure else OF_FIGURES
        first, second = (
            _read_side(group[side], hdf5.attribute(group, side, str), named) for side in ("first", "second")
        )
        sizes = hdf5.attribute(group, "minibatches", int), hdf5.attribute(group, "batch_size", int)
        shape = (len(first.names), len(second.names))
        measures = {one: hdf5.values(group, one, np.float64, shape) for one in named}
        if first.label == second.label:
            _check_of_itself(measures)
        return Comparison(measures, first, second, *sizes)


def _check_of_itself(measures):
    """Refuse a measure of a network with itself that is not symmetric, or undefined for a pair of defined layers.

    Raises:
        ValueError: the file is damaged.
    """
    for name, values in measures.items():
        undefined = np.isnan(np.diagonal(values))
        if not np.array_equal(np.isnan(values), undefined[:, None] | undefined):
            raise ValueError(f"{name} is undefined for layers that are defined")
        if (np.abs(values - values.T) > 0.001).any():
            raise ValueError(f"{name} is not symmetric")


def names(path):
    """Return the names of the pairs in a file, as `seed1--seed2`; an empty list for a cka.h5."""
    remedy = "compute it again (scripts/compute_pairs.py)"
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, remedy) as file, hdf5.explaining_damage(path, remedy):
        return [name for name in file if "--" in name]


def _write_side(group, layers, reasons, share):
    group.create_dataset("name", data=[layer.name for layer in layers], dtype=_TEXT)
    group.create_dataset("kind", data=[layer.kind for layer in layers], dtype=_TEXT)
    group["stage"] = [layer.stage for layer in layers]
    group["block"] = [layer.block for layer in layers]
    for measure, undefined in reasons.items():
        group.create_dataset(f"undefined_{measure}", data=undefined, dtype=_TEXT)
    group["first_component_share"] = share


def _read_side(group, label, measures):
    layers = group["name"].shape
    names, kinds = (hdf5.values(group, key, str, layers).tolist() for key in ("name", "kind"))
    undefined = {name: hdf5.values(group, f"undefined_{name}", str, layers).tolist() for name in measures}
    stages, blocks = (hdf5.values(group, key, np.int64, layers).tolist() for key in ("stage", "block"))
    share = hdf5.values(group, "first_component_share", np.float64, layers)
    return Side(label, names, kinds, stages, blocks, undefined, share)
