"""HDF5 files whose checksum is right, and whose content is not what it says."""

import h5py
import numpy as np
import pytest

from widedeep.formats import components, dumps, hdf5, predictions, seals
from widedeep.runtime.errors import UserError

REMEDY = "make it again"
MANY = 1 << 34


@pytest.fixture
def path(tmp_path):
    """Predictions of two examples."""
    with hdf5.creating(tmp_path / "x.h5") as file:
        hdf5.stamp(file, predictions.KIND, predictions.SCHEMA_VERSION)
        file.attrs.update({"model": "m", "seed": 1, "data_checksum": "c"})
        file["log_probabilities"], file["labels"] = np.zeros((2, 3), np.float32), [0, 1]
    return tmp_path / "x.h5"


def replace(path, name, **how):
    """Put another dataset, of which nothing is written, in the place of one."""
    with h5py.File(path, "a") as file:
        del file[name]
        file.create_dataset(name, **how)
    seals.write(path)


@pytest.mark.parametrize("chunks", [None, (1 << 20,)])
def test_a_small_file_that_claims_much_is_refused_before_memory_is_taken_for_it(path, chunks):
    (whole,) = predictions.read_all([path])
    assert whole.labels.tolist() == [0, 1]
    replace(path, "labels", shape=(MANY,), dtype=np.int64, chunks=chunks)
    with pytest.raises(UserError, match=rf"x\.h5: .*labels.* {8 * MANY} .*scripts/dump_activations\.py"):
        predictions.read_all([path])


def test_a_large_file_that_holds_less_than_it_claims_is_refused(path):
    """What compression makes small, or no one wrote."""
    zeros = np.zeros(100_000, np.int64)
    with h5py.File(path, "a") as file:
        file["ballast"] = zeros
    replace(path, "labels", data=zeros, chunks=True, compression="gzip")
    with pytest.raises(UserError, match=r"x\.h5: .*labels.* 800000 "):
        predictions.read_all([path])


def test_no_answers_are_refused(path):
    replace(path, "log_probabilities", shape=(2, 0), dtype=np.float32)
    with pytest.raises(UserError, match=r"x\.h5: .*answers"):
        predictions.read_all([path])


def test_texts_are_held_too(tmp_path):
    with components.creating(tmp_path / "pca.h5", ["a", "b"], 3, dumps.Origin("m", 1, "c", "test")):
        pass
    replace(tmp_path / "pca.h5", "name", shape=(MANY,), dtype=h5py.string_dtype())
    with pytest.raises(UserError, match=r"pca\.h5: .*name.* bytes"):
        components.read(tmp_path / "pca.h5")


def test_a_file_that_does_not_fit_into_memory_is_not_called_damaged(path):
    with (
        pytest.raises(UserError, match=r"x\.h5: .*memory") as no,
        hdf5.explaining_damage(path, REMEDY),
    ):
        np.empty(1 << 50)
    assert REMEDY not in str(no.value)
