"""Splits that are read from a data set's file, checked, and made smaller."""

import h5py
import numpy as np
import pytest
import small

from widedeep.data import loading
from widedeep.formats import dataset, seals
from widedeep.runtime.errors import UserError


@pytest.fixture
def path(tmp_path):
    return small.write_dataset(tmp_path / "dataset.h5")


@pytest.mark.parametrize(("fraction", "examples"), [(1, 50), (0.5, 25), (0.25, 12), (0.06, 3)])
def test_a_fraction_is_the_first_part(path, fraction, examples):
    part = loading.read(path, "train", fraction)
    np.testing.assert_array_equal(part.labels, small.split().labels[:examples])
    assert len(part.images) == examples


def test_files_that_are_missing_truncated_or_altered_are_refused(path):
    whole, again = path.read_bytes(), r"scripts/download\.py"
    with pytest.raises(UserError, match=rf"none: no such file.*{again}"):
        loading.read(path.with_name("none"), "train")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=rf"dataset\.h5: .*damaged.*{again}"):
        loading.read(path, "train")
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file["train/images"][3, 0, 0, 0] += 1
    with pytest.raises(UserError, match=rf"dataset\.h5: .*damaged.*{again}"):
        loading.read(path, "train")
    seals.write(path)
    recorded = dataset.content_checksum(small.split())[:12]
    with pytest.raises(UserError, match=rf"dataset\.h5: .* train .*{recorded}.*{again}"):
        loading.read(path, "train")
    with pytest.raises(UserError, match=rf"dataset\.h5: .* train .*{recorded}.*{again}"):
        loading.check(path, "train")
    loading.read(path, "test")


def test_downscaled_images_are_rounded_means_of_squares():
    images = np.random.default_rng(2).integers(0, 256, (3, 2, 6, 6)).astype(np.uint8)
    found = loading.downscaled(dataset.Split(images, np.arange(3)), 3)
    for place in np.ndindex(3, 2, 3, 3):
        example, channel, row, column = place
        square = images[example, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert found.images[place] == int(square.mean() + 0.5)
    assert found.images.dtype == np.uint8
    assert found.labels.tolist() == [0, 1, 2]
