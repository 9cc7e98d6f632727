"""Spreads over seeds of means over pairs, against a plain resampling and where the answer is known."""

import itertools

import numpy as np
import pytest

from widedeep.findings.statistics import mean_over_pairs


def plain(values, same, repeats=4000):
    """The definition: draw seeds, list all pairs of different networks, take the mean of what is drawn."""
    rng = np.random.default_rng(9)
    first, second = sorted({a for a, _ in values}), sorted({b for _, b in values})
    means = []
    while len(means) < repeats:
        one = rng.choice(first, len(first))
        other = one if same else rng.choice(second, len(second))
        drawn = [values[a, b] for a in one for b in other if (a, b) in values]
        if drawn:
            means.append(np.mean(drawn))
    return np.percentile(means, [2.5, 97.5])


@pytest.mark.parametrize("same", [True, False])
def test_the_spread_is_that_of_drawing_seeds(same):
    rng = np.random.default_rng(4)
    seeds = range(1, 7)
    quality = dict(zip(seeds, rng.normal(size=6), strict=True))
    pairs = itertools.permutations(seeds, 2) if same else itertools.product(seeds, seeds)
    values = {(a, b): quality[a] + quality[b] for a, b in pairs}
    mean, low, high = mean_over_pairs(*zip(*values, strict=True), list(values.values()), same)
    assert mean == pytest.approx(np.mean(list(values.values())))
    np.testing.assert_allclose([low, high], plain(values, same), atol=0.12)


def test_pairs_that_share_a_network_are_not_independent():
    """One odd seed of five: pairs as independent draws would give a spread half as wide."""
    values = {(a, b): float(1 in (a, b)) for a, b in itertools.permutations(range(1, 6), 2)}
    _, low, high = mean_over_pairs(*zip(*values, strict=True), list(values.values()), True)
    independent = 2 * 1.96 * np.std(list(values.values())) / np.sqrt(len(values))
    assert high - low > 1.5 * independent


def test_undefined_values_are_left_out_and_one_seed_has_no_spread():
    assert mean_over_pairs([1, 1, 2, 2], [1, 2, 1, 2], [0.5, np.nan, 0.5, 0.5], False) == (0.5, 0.5, 0.5)
    mean, low, high = mean_over_pairs([1, 1], [1, 2], [0.2, 0.4], False)
    assert mean == pytest.approx(0.3)
    assert np.isnan([low, high]).all()
    assert np.isnan(mean_over_pairs([1], [2], [np.nan], True)).all()


def test_the_same_numbers_come_out_each_time():
    arguments = [1, 1, 2, 2, 3], [4, 5, 4, 5, 5], [0.1, 0.2, 0.3, 0.4, 0.9], False
    assert mean_over_pairs(*arguments) == mean_over_pairs(*arguments)
