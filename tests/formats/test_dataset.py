"""dataset.h5: what is written comes back, and is described and told from other content."""

import numpy as np
import pytest
import small

from widedeep.data import loading
from widedeep.formats import dataset
from widedeep.runtime.errors import UserError


def test_a_file_gives_back_what_was_written_and_describes_itself(tmp_path):
    path = small.write_dataset(tmp_path / "dataset.h5")
    train = loading.read(path, "train")
    np.testing.assert_array_equal(train.images, small.split().images)
    np.testing.assert_array_equal(train.labels, small.split().labels)
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
    described = dataset.describe(path)
    assert (described.name, described.classes) == ("blobs", ["dark", "grey", "light"])
    assert (described.image_shape, described.train_examples, described.test_examples) == ((1, 8, 8), 50, 40)
    assert described.train_checksum == dataset.content_checksum(small.split())


def test_the_checksum_depends_on_content_order_and_labels_only():
    split = small.split()
    checksum = dataset.content_checksum(split)
    strided = np.asfortranarray(split.images)
    assert dataset.content_checksum(dataset.Split(strided, split.labels.astype(np.uint8))) == checksum
    parts = np.split(split.images, [7, 30])
    assert dataset.checksum_of_blocks(split.images.shape, parts, split.labels) == checksum
    swapped = split.images.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    relabelled = split.labels.copy()
    relabelled[0] = 2
    assert dataset.content_checksum(dataset.Split(swapped, split.labels)) != checksum
    assert dataset.content_checksum(dataset.Split(split.images, relabelled)) != checksum


def test_a_missing_file_is_named_with_the_program_that_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"none\.h5: no such file.*scripts/download\.py"):
        dataset.describe(tmp_path / "none.h5")
