"""pca.h5: the first principal components of all layers of one network over the whole evaluation set.

pca.h5          attributes: kind, schema_version, model, seed, data_checksum, split
    share       (layers,) float64: the largest eigenvalue of the covariance, divided by the sum of all
    residual    (layers,) float64: residual of the eigenvalue equation, relative to the eigenvalue
    values      (layers, examples) float64: the component's value for each example, in the order of the data set
    name        (layers,) str: names of the layers, in forward order
"""

import contextlib
from dataclasses import dataclass

import h5py
import numpy as np

from widedeep.formats import hdf5
from widedeep.names import label

# A first component has converged below this residual, which bounds the relative error of the eigenvalue. With 1e-3, the
# iteration ended at the second eigenvector where the two largest eigenvalues differ by 0.4 %.
TOLERANCE = 1e-4
KIND = "first components"
SCHEMA_VERSION = 2
_REMEDY = "compute it again (scripts/dump_activations.py --components)"


@dataclass(frozen=True)
class FirstComponents:
    """First principal components of all layers of one network over the whole evaluation set.

    Attributes:
        names: of the layers, in forward order.
        share: (layers,) float64 in (0, 1], the first component's share of the variance; NaN for a constant layer.
        residual: (layers,) float64, ||C v - lambda v|| / lambda for the covariance C.
        values: (layers, examples) float64 unit vectors; the entry of largest magnitude is positive.
    """

    names: list
    share: np.ndarray
    residual: np.ndarray
    values: np.ndarray

    @classmethod
    def unfilled(cls, names, examples):
        """Return FirstComponents with uninitialised arrays in memory."""
        return cls(names, np.empty(len(names)), np.empty(len(names)), np.empty((len(names), examples)))


@contextlib.contextmanager
def creating(path, names, examples, origin):
    """Create a file of first components, to be filled in place, so that they take no memory.

    Args:
        path: of the HDF5 file, which appears when the block ends without an error.
        names: of the layers.
        examples: number of examples.
        origin: dumps.Origin.

    Yields:
        FirstComponents whose arrays are the datasets of the open file.
    """
    with hdf5.creating(path) as file:
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        file.attrs.update(vars(origin))
        file.create_dataset("name", data=names, dtype=h5py.string_dtype())
        shapes = (len(names),), (len(names),), (len(names), examples)
        made = (
            file.create_dataset(name, shape, np.float64)
            for name, shape in zip(("share", "residual", "values"), shapes, strict=True)
        )
        yield FirstComponents(names, *made)


def read(path):
    """Read a pca.h5; return (label of the network, FirstComponents).

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, _REMEDY) as file, hdf5.explaining_damage(path, _REMEDY):
        of = label(hdf5.attribute(file, "model", str), hdf5.attribute(file, "seed", int))
        names = hdf5.values(file, "name", str, (None,)).tolist()
        shapes = {"share": (len(names),), "residual": (len(names),), "values": (len(names), None)}
        parts = (hdf5.values(file, name, np.float64, shape) for name, shape in shapes.items())
        return of, FirstComponents(names, *parts)
