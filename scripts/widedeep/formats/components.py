"""First principal components of all layers of one network, their file, and what is computed from them.

pca.h5          attributes: kind, schema_version, model, seed, data_checksum, split
    share       (layers,) float64: first eigenvalue over the sum of all, of the covariance over the whole evaluation set
    residual    (layers,) float64: of the eigenvalue equation, relative to the eigenvalue
    values      (layers, examples) float64: the component's value for each example, in the order of the data set
    name        (layers,) of the layers in forward order
"""

import contextlib
from dataclasses import dataclass

import h5py
import numpy as np

from widedeep.formats import hdf5
from widedeep.names import label

# The residual at which a first component counts as found. It bounds the relative error of the eigenvalue; 1e-3 was seen
# to end at the second eigenvector where the two largest eigenvalues differ by 0.4 %.
TOLERANCE = 1e-4
KIND = "first components"
SCHEMA_VERSION = 2
_REMEDY = "compute it again (scripts/dump_activations.py --components)"


@dataclass(frozen=True)
class FirstComponents:
    """First principal components of all layers of one network over the whole evaluation set.

    Attributes:
        names: of the layers, in forward order.
        share: (layers,) float64 in (0, 1]: the first component's share of the variance; NaN for a constant layer.
        residual: (layers,) ||C v - lambda v|| / lambda of the covariance C.
        values: (layers, examples) float64 unit vectors; the entry of largest size is positive.
    """

    names: list
    share: np.ndarray
    residual: np.ndarray
    values: np.ndarray

    @classmethod
    def unfilled(cls, names, examples):
        """In memory, to be filled."""
        return cls(names, np.empty(len(names)), np.empty(len(names)), np.empty((len(names), examples)))

    @property
    def agreement(self):
        """Squared cosines between the first components of all pairs of layers (paper, figure 3).

        (layers, layers) float64 in [0, 1]; NaN where a layer is constant.
        """
        return np.minimum((self.values @ self.values.T) ** 2, 1.0)


@contextlib.contextmanager
def creating(path, names, examples, origin):
    """Make a file of first components that is filled while they are computed, so that they take no memory.

    Args:
        path: of the HDF5 file, which takes its place when the block ends well.
        names: of the layers.
        examples: their number.
        origin: dumps.Origin.

    Yields:
        FirstComponents whose arrays are the file's datasets, to be filled.
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
    """(label of the network, FirstComponents) of a pca.h5.

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, _REMEDY) as file, hdf5.explaining_damage(path, _REMEDY):
        of = label(file.attrs["model"], int(file.attrs["seed"]))
        names = hdf5.values(file, "name", str, (None,)).tolist()
        shapes = {"share": (len(names),), "residual": (len(names),), "values": (len(names), None)}
        parts = (hdf5.values(file, name, np.float64, shape) for name, shape in shapes.items())
        return of, FirstComponents(names, *parts)
