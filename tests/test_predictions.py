"""Agreement of predictions against their definitions, and the file."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import small
import torch

from widedeep import dumps, predictions, sweep
from widedeep.errors import UserError

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(size=(4, 30, 7)) * 3
LOGS = scipy.special.log_softmax(LOGITS, axis=2)


def test_kl_divergence_is_scipys_on_every_example():
    found = predictions.kl_divergence(LOGS)
    for row in range(4):
        for column in range(4):
            expected = scipy.stats.entropy(np.exp(LOGS[row]), np.exp(LOGS[column]), axis=1).mean()
            assert found[row, column] == pytest.approx(expected, abs=1e-12)
    assert found[0, 1] != pytest.approx(found[1, 0])


def test_kl_divergence_stays_finite_where_a_probability_vanishes():
    logs = scipy.special.log_softmax(np.array([[[500.0, 0, 0]], [[0, 0, 0]]]), axis=2).astype(np.float32)
    found = predictions.kl_divergence(logs)
    assert found[0, 1] == pytest.approx(np.log(3))
    assert np.isfinite(found).all()


def test_agreement_is_the_share_of_equal_classes():
    classes = LOGS.argmax(axis=2)
    found = predictions.agreement(classes)
    for row in range(4):
        for column in range(4):
            equal = sum(a == b for a, b in zip(classes[row], classes[column], strict=True))
            assert found[row, column] == equal / 30


def test_class_shares_count_networks():
    classes = LOGS.argmax(axis=2)
    shares = predictions.class_shares(classes, 7)
    assert shares.shape == (30, 7)
    assert shares[3].tolist() == [classes[:, 3].tolist().count(one) / 4 for one in range(7)]


def test_hellinger_is_a_mean_over_examples_from_0_to_1():
    first, second = np.exp(LOGS[0]), np.exp(LOGS[1])
    expected = np.mean(
        [np.sqrt(1 - np.sum(np.sqrt(p * q))) for p, q in zip(first, second, strict=True)]  # from the affinity
    )
    assert predictions.hellinger(first, second) == pytest.approx(expected)
    assert predictions.hellinger(first, first) == 0
    assert predictions.hellinger(np.eye(7), np.roll(np.eye(7), 1, axis=0)) == pytest.approx(1)


def test_what_is_written_is_what_the_network_answers(tmp_path):
    network, split = small.train().network.eval(), small.split(30, 9)
    answers = sweep.log_probabilities(network, split.images, 8, small.CPU)
    predictions.write(tmp_path / "p.h5", answers, split.labels, dumps.Origin("m", 3, "abc", "test"))
    (read,) = predictions.read_all([tmp_path / "p.h5"])
    with torch.no_grad():
        expected = network(torch.from_numpy(split.images).float() / 255).softmax(1)
    np.testing.assert_allclose(np.exp(read.log_probabilities), expected.numpy(), rtol=1e-5, atol=1e-7)
    assert read.label == "m/seed3"
    assert read.classes.tolist() == expected.argmax(1).tolist()
    assert read.labels.tolist() == split.labels.tolist()


def test_predictions_on_other_data_are_refused(tmp_path):
    for name in "ab":
        predictions.write(tmp_path / name, LOGS[0], np.zeros(30), dumps.Origin("m", 1, name * 12, "test"))
    with pytest.raises(UserError, match=r"b: was made from other data than .*a \(checksum bbbb"):
        predictions.read_all([tmp_path / "a", tmp_path / "b"])


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="x.h5: is truncated or damaged"):
        predictions.read_all([tmp_path / "x.h5"])
