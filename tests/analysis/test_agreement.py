"""Agreement of predictions against its definitions."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from widedeep.analysis import agreement

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(size=(4, 30, 7)) * 3
LOGS = scipy.special.log_softmax(LOGITS, axis=2)


def test_kl_divergence_is_scipys_on_every_example():
    found = agreement.kl_divergence(LOGS)
    for row in range(4):
        for column in range(4):
            expected = scipy.stats.entropy(np.exp(LOGS[row]), np.exp(LOGS[column]), axis=1).mean()
            assert found[row, column] == pytest.approx(expected, abs=1e-12)
    assert found[0, 1] != pytest.approx(found[1, 0])


def test_kl_divergence_stays_finite_where_a_probability_vanishes():
    logs = scipy.special.log_softmax(np.array([[[500.0, 0, 0]], [[0, 0, 0]]]), axis=2).astype(np.float32)
    found = agreement.kl_divergence(logs)
    assert found[0, 1] == pytest.approx(np.log(3))
    assert np.isfinite(found).all()


def test_agreement_is_the_share_of_equal_classes():
    classes = LOGS.argmax(axis=2)
    found = agreement.agreement(classes)
    for row in range(4):
        for column in range(4):
            equal = sum(a == b for a, b in zip(classes[row], classes[column], strict=True))
            assert found[row, column] == equal / 30


def test_class_shares_count_networks():
    classes = LOGS.argmax(axis=2)
    shares = agreement.class_shares(classes, 7)
    assert shares.shape == (30, 7)
    assert shares[3].tolist() == [classes[:, 3].tolist().count(one) / 4 for one in range(7)]


def test_hellinger_is_a_mean_over_examples_from_0_to_1():
    first, second = np.exp(LOGS[0]), np.exp(LOGS[1])
    expected = np.mean(
        [np.sqrt(1 - np.sum(np.sqrt(p * q))) for p, q in zip(first, second, strict=True)]  # from the affinity
    )
    assert agreement.hellinger(first, second) == pytest.approx(expected)
    assert agreement.hellinger(first, first) == 0
    assert agreement.hellinger(np.eye(7), np.roll(np.eye(7), 1, axis=0)) == pytest.approx(1)
