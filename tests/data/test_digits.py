"""The digits embedded in scikit-learn."""

import numpy as np
import small_archives

from widedeep.data import catalogue, loading


def test_they_are_the_known_ones_and_split_by_class(tmp_path):
    assert small_archives.run(["--dataset", "digits", "--out", tmp_path / "dataset.h5"]) is None
    train, test = (loading.read(tmp_path / "dataset.h5", split) for split in ("train", "test"))
    record = catalogue.KNOWN["digits"]
    assert (len(train.labels), len(test.labels)) == (record.train_examples, record.test_examples)
    assert train.images.shape[1:] == (record.channels, record.side, record.side)
    assert train.images.max() == 255
    shares = [np.bincount(split.labels) / len(split.labels) for split in (train, test)]
    np.testing.assert_allclose(*shares, atol=0.01)
    assert len(shares[0]) == record.classes
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in test.images}
