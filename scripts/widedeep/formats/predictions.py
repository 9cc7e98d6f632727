"""predictions.h5: the predictions of a network on the whole evaluation set.

predictions.h5          attributes: kind, schema_version, model, seed, data_checksum, split
    log_probabilities   (examples, classes) float32, in the order of the data set
    labels              (examples,) int64
"""

from dataclasses import dataclass

import numpy as np

from widedeep.formats import hdf5
from widedeep.names import label
from widedeep.runtime.errors import UserError

KIND = "predictions"
SCHEMA_VERSION = 2
_REMEDY = "compute it again (scripts/dump_activations.py --predictions)"


@dataclass(frozen=True)
class Predictions:
    """The predictions of one network.

    Attributes:
        path: of the file.
        model, seed: name of the network's configuration, and its seed.
        data_checksum: of the evaluation split.
        log_probabilities: (examples, classes) float32.
        labels: (examples,) int64.
    """

    path: str
    model: str
    seed: int
    data_checksum: str
    log_probabilities: np.ndarray
    labels: np.ndarray

    @property
    def label(self):
        """Label of the network, as `cifar10-resnet38-w10-f100/seed3`."""
        return label(self.model, self.seed)

    @property
    def classes(self):
        """(examples,) int64: the most probable class of each example; -1, which is never right, where one is NaN."""
        return np.where(np.isnan(self.log_probabilities).any(axis=1), -1, self.log_probabilities.argmax(axis=1))


def write(path, log_probabilities, labels, origin):
    """Write the predictions of a network.

    Args:
        path: of the HDF5 file.
        log_probabilities: (examples, classes).
        labels: (examples,).
        origin: dumps.Origin.
    """
    with hdf5.creating(path) as file:
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        file.attrs.update(vars(origin))
        file["log_probabilities"] = np.asarray(log_probabilities, np.float32)
        file["labels"] = np.asarray(labels, np.int64)


def read_all(paths):
    """Read the Predictions of several networks on the same examples, a list.

    Raises:
        UserError: a file is missing, damaged or something else, or was made from other data than the first.
    """
    read = [_read(path) for path in paths]
    for other in read[1:]:
        if other.data_checksum != read[0].data_checksum:
            raise UserError(
                f"{other.path}: was made from other data than {read[0].path} (checksum {other.data_checksum[:12]} "
                f"where {read[0].data_checksum[:12]} is expected); give networks of one data set."
            )
    return read


def _read(path):
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, _REMEDY) as file, hdf5.explaining_damage(path, _REMEDY):
        kinds = {"model": str, "seed": int, "data_checksum": str}
        names = (hdf5.attribute(file, name, kind) for name, kind in kinds.items())
        labels = hdf5.values(file, "labels", np.int64, (None,))
        answers = hdf5.values(file, "log_probabilities", np.float32, (len(labels), None))
        if not answers.size:
            raise ValueError("it holds no answers")
        return Predictions(path, *names, answers, labels)
