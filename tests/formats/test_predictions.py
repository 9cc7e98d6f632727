"""predictions.h5: what a network answers, and on which examples."""

import dataclasses

import numpy as np
import pytest
from small_dumps import ORIGIN

from widedeep.formats import predictions
from widedeep.runtime.errors import UserError

ANSWERS = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [np.nan, 0.5, 0.5]]))


def test_answers_come_back_with_what_they_are_of(tmp_path):
    predictions.write(tmp_path / "a.h5", ANSWERS, [0, 2, 1], ORIGIN)
    (found,) = predictions.read_all([tmp_path / "a.h5"])
    assert found.label == "blobs-resnet8-w1-f100/seed1"
    np.testing.assert_array_equal(found.log_probabilities, ANSWERS.astype(np.float32))
    assert found.labels.tolist() == [0, 2, 1]
    assert found.classes.tolist() == [0, 2, -1]  # an answer that is no number is never right


def test_networks_on_other_examples_are_refused(tmp_path):
    predictions.write(tmp_path / "a.h5", ANSWERS, [0, 2, 1], ORIGIN)
    predictions.write(tmp_path / "b.h5", ANSWERS, [0, 2, 1], dataclasses.replace(ORIGIN, data_checksum="xyz"))
    with pytest.raises(UserError, match=r"b\.h5: .*a\.h5 .*xyz .*abc"):
        predictions.read_all([tmp_path / "a.h5", tmp_path / "b.h5"])
