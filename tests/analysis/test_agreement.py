"""Agreement of predictions against its definitions."""

import itertools

import numpy as np
import pytest
import scipy.special
import scipy.stats
from sklearn.metrics import cohen_kappa_score

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


def test_kappa_of_errors_is_cohens_of_right_and_wrong():
    right = RNG.random((5, 60)) < np.array([[0.5], [0.7], [0.9], [0.95], [0.97]])
    found, largest = agreement.kappa_of_errors(right)
    for row, column in itertools.product(range(5), repeat=2):
        assert found[row, column] == pytest.approx(cohen_kappa_score(right[row], right[column]))
        # The most that equally many right predictions of each could agree: those of the better one hold the other's.
        nested = np.arange(60) < right[row].sum(), np.arange(60) < right[column].sum()
        assert largest[row, column] == pytest.approx(cohen_kappa_score(*nested))


def test_kappa_is_0_for_independent_errors_whatever_the_accuracies():
    found, _ = agreement.kappa_of_errors(RNG.random((4, 200000)) < np.array([[0.5], [0.8], [0.95], [0.99]]))
    np.testing.assert_allclose(found, np.eye(4), atol=0.01)


@pytest.mark.filterwarnings("error")
def test_a_network_that_is_always_right_or_always_wrong_has_no_kappa():
    right = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]], bool)
    for found in agreement.kappa_of_errors(right):
        assert np.isnan(found[:2]).all()
        assert np.isnan(found[:, :2]).all()
        assert np.isfinite(found[2:, 2:]).all()


def test_kappa_among_errors_is_cohens_of_the_predictions_that_both_get_wrong():
    labels = RNG.integers(0, 4, 300)
    classes = np.where(RNG.random((3, 300)) < 0.5, RNG.integers(0, 4, 300), RNG.integers(0, 4, (3, 300)))
    found = agreement.kappa_among_errors(classes, labels)
    for row, column in itertools.product(range(3), repeat=2):
        pairs = [
            (a, b)
            for a, b, label in zip(classes[row], classes[column], labels, strict=True)
            if a != label and b != label
        ]
        assert found[row, column] == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
    assert 0.1 < found[0, 1] < 0.9


@pytest.mark.filterwarnings("error")
def test_kappa_among_errors_needs_common_errors_of_several_classes():
    labels = np.zeros(4, int)
    right, other, one_kind, two_kinds = np.zeros(4, int), [0, 0, 1, 2], [1, 1, 1, 1], [1, 1, 2, 2]
    silent = [1, 1, 2, -1]
    found = agreement.kappa_among_errors([right, other, one_kind, two_kinds, silent], labels)
    assert np.isnan(found[0]).all()
    assert np.isnan(found[4]).all()
    assert np.isnan(found[2, 2])
    assert found[2, 3] == 0
    assert found[1, 3] == 0  # on two examples, classes 1 and 2 against 2 and 2
    assert found[3, 3] == 1
