"""Accuracies of configurations by example and by class, where the answer is known."""

import numpy as np
import pytest
import scipy.stats

from widedeep.analysis import examples
from widedeep.runtime.errors import UserError

RNG = np.random.default_rng(3)


def answers(probability, seeds):
    """(seeds, examples) bool: each example is answered rightly with its probability."""
    return RNG.random((seeds, np.shape(probability)[-1])) < probability


def configuration(name, depth, width, accuracy, fraction=1.0):
    correct = np.arange(100)[None] < 100 * accuracy
    return examples.Configuration(name, depth, width, fraction, correct)


def test_the_closest_pair_is_wide_against_deep_on_the_same_data():
    small = configuration("small", 14, 1, 0.5)
    wide, wider = configuration("wide", 14, 2, 0.62), configuration("wider", 14, 4, 0.7)
    deep, less_data = configuration("deep", 38, 1, 0.6), configuration("deep, less data", 38, 1, 0.62, 0.5)
    found = examples.closest_pair([small, wide, wider, deep, less_data])
    assert [one.name for one in found] == ["wide", "deep"]


def test_without_a_wide_and_a_deep_configuration_figure_6_is_refused():
    with pytest.raises(UserError, match=r"figure 6.*wider.*deeper.*figures\.fig6"):
        examples.closest_pair([configuration("a", 14, 1, 0.5), configuration("b", 38, 2, 0.5)])


def test_sets_are_as_large_as_the_control_allows():
    wide, deep = np.zeros((10, 5), bool), np.ones((4, 5), bool)
    first, second, *control = examples.matched_sets(wide, deep)
    assert [len(part) for part in (first, second, *control)] == [4, 4, 4, 4]
    assert second.all()
    assert not control[0].any()
    assert [len(part) for part in examples.matched_sets(wide, wide)] == [5] * 4
    with pytest.raises(UserError, match="figure 6 .*two seeds"):
        examples.matched_sets(wide[:1], deep[:1])


def test_class_accuracies_are_means_over_the_examples_of_a_class():
    correct, labels = answers(RNG.random(40), 3), RNG.integers(0, 4, 40)
    found = examples.class_accuracies(correct, labels, 4)
    assert found.shape == (3, 4)
    assert found[1, 2] == np.mean([answer for answer, label in zip(correct[1], labels, strict=True) if label == 2])


def test_welch_and_benjamini_hochberg_by_hand():
    wide, deep = RNG.normal(0.7, 0.05, (6, 5)), RNG.normal(0.65, 0.1, (4, 5))
    found = examples.class_differences(wide, deep)
    p = []
    for one in range(5):
        a, b = wide[:, one], deep[:, one]
        va, vb = a.var(ddof=1) / 6, b.var(ddof=1) / 4
        freedom = (va + vb) ** 2 / (va**2 / 5 + vb**2 / 3)
        t = (a.mean() - b.mean()) / np.sqrt(va + vb)
        p.append(2 * scipy.stats.t.sf(abs(t), freedom))
        half = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(va + vb)
        assert found["low"][one] == pytest.approx(a.mean() - b.mean() - half)
        assert found["high"][one] == pytest.approx(a.mean() - b.mean() + half)
    np.testing.assert_allclose(found["p"], p)
    order = np.argsort(p)
    q = np.empty(5)
    for rank, one in enumerate(order, 1):
        q[one] = min(p[other] * 5 / place for place, other in enumerate(order, 1) if place >= rank)
    np.testing.assert_allclose(found["q"], np.minimum(q, 1))


def test_a_class_that_all_seeds_answer_alike_has_no_p():
    wide, deep = RNG.random((3, 2)), RNG.random((3, 2))
    wide[:, 0] = deep[:, 0] = 1
    found = examples.class_differences(wide, deep)
    assert np.isnan(found["p"][0])
    assert found["q"][1] == found["p"][1]
    alone = examples.class_differences(wide[:1], deep)
    assert np.isnan(alone["q"]).all()
