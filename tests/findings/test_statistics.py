"""Intervals and tests of findings, against scipy, slow definitions, and how often they cover what is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import summarise_pairs

from widedeep.findings import statistics
from widedeep.findings.statistics import of_difference, of_jackknife, of_mean, of_mean_over_pairs, of_share
from widedeep.formats import tables


def ends(interval):
    return interval.low, interval.high


def parity(network):
    return network % 2


def jackknife(first, second, values, stratum):
    """(mean, standard error, degrees of freedom), one network left out at a time."""
    pairs = [pair for pair in zip(first, second, values, strict=True) if np.isfinite(pair[2])]
    strata = {}
    for network in {network for a, b, _ in pairs for network in (a, b)}:
        rest = [value for a, b, value in pairs if network not in (a, b)]
        strata.setdefault(stratum(network), []).append(sum(rest) / len(rest))
    squares, freedoms = [], []
    for means in strata.values():
        n, middle = len(means), sum(means) / len(means)
        squares.append((n - 1) / n * sum((mean - middle) ** 2 for mean in means))
        freedoms.append(n - 1)
    freedom = sum(squares) ** 2 / sum(square**2 / count for square, count in zip(squares, freedoms, strict=True))
    return np.mean([value for *_, value in pairs]), np.sqrt(sum(squares)), freedom


def some_pairs(seed, networks=9, share=0.7):
    """Some of the ordered pairs of networks with values, one of them undefined: (first, second, values)."""
    rng = np.random.default_rng(seed)
    pairs = [pair for pair in itertools.permutations(range(networks), 2) if rng.random() < share]
    values = rng.normal(size=len(pairs))
    values[3] = np.nan
    return *(np.array(side) for side in zip(*pairs, strict=True)), values


@pytest.mark.parametrize("stratum", [lambda _network: 0, parity, lambda network: network // 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_jackknife_is_its_definition(seed, stratum):
    pairs = some_pairs(seed)
    mean, error, freedom = jackknife(*pairs, stratum)
    found = of_mean_over_pairs(*pairs, stratum)
    assert found.value == pytest.approx(mean, rel=1e-12)
    np.testing.assert_allclose(ends(found), scipy.stats.t.interval(0.95, freedom, mean, error), rtol=1e-10)
    assert found.detectable == pytest.approx(error * shift_with_power(freedom, 0.95), rel=1e-4)
    assert found.number == 9


def shift_with_power(freedom, level):
    """The smallest shift, in standard errors, that Student's t exceeds its quantile with in four of five studies."""
    quantile = scipy.stats.t.ppf((1 + level) / 2, freedom)
    shifts = np.linspace(0, 3 * quantile, 2000)
    return np.interp(0.8, scipy.stats.nct.sf(quantile, freedom, shifts), shifts)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.995])
def test_a_mean_and_a_difference_are_those_of_scipy(level):
    first, second = [0.1, 0.4, 0.35, 0.2], [0.9, 0.3, 0.5, np.inf, 0.4, 0.45, np.nan]
    defined = np.array(second)[np.isfinite(second)]
    found, expected = of_mean(second, level), scipy.stats.ttest_1samp(defined, 0).confidence_interval(level)
    assert found.value == pytest.approx(defined.mean())
    assert found.number == 5
    np.testing.assert_allclose(ends(found), expected, rtol=1e-12)
    assert found.detectable == pytest.approx(scipy.stats.sem(defined) * shift_with_power(4, level), rel=1e-4)
    found = of_difference(first, second, level)
    expected = scipy.stats.ttest_ind(first, defined, equal_var=False).confidence_interval(level)
    assert found.value == pytest.approx(np.mean(first) - defined.mean())
    assert found.number == 9
    np.testing.assert_allclose(ends(found), expected, rtol=1e-12)


def test_the_detectable_effect_is_seen_in_four_of_five_studies():
    """Four networks whose spread is the true one."""
    spread = np.array([-1, -1, 1, 1]) * np.sqrt(0.75)
    effect = of_mean(spread).detectable
    rng = np.random.default_rng(1)
    studies = 4000
    seen = sum(of_mean(rng.normal(effect, 1, 4)).low > 0 for _ in range(studies))
    low, high = scipy.stats.binom.interval(0.999, studies, statistics.POWER)
    assert low <= seen <= high


def test_where_pairs_add_up_from_networks_the_networks_decide():
    """All pairs of networks whose values are sums: Student's t of the networks, and Welch's of two configurations."""
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=6), rng.normal(0, 3, size=4)
    pairs = [*itertools.combinations(range(6), 2)]
    found = of_mean_over_pairs(*zip(*pairs, strict=True), [one[a] + one[b] for a, b in pairs])
    expected = of_mean(2 * one)
    np.testing.assert_allclose([*ends(found), found.detectable], [*ends(expected), expected.detectable], rtol=1e-9)
    pairs = [*itertools.product(range(0, 12, 2), range(1, 9, 2))]
    found = of_mean_over_pairs(*zip(*pairs, strict=True), [one[a // 2] + other[b // 2] for a, b in pairs], parity)
    np.testing.assert_allclose(ends(found), ends(of_difference(one, -other)), rtol=1e-9)


def test_the_jackknife_of_a_mean_is_student_s_interval():
    """Estimates without one network, up to a constant; and of a difference of means Welch's interval."""
    one, other = np.array([0.1, 0.4, 0.35, 0.2]), np.array([0.9, 0.3, 0.5])
    without = [[np.delete(part, place).mean() for place in range(len(part))] for part in (one, other)]
    found, expected = of_jackknife(7, without[:1]), of_mean(one - one.mean() + 7)
    np.testing.assert_allclose([*ends(found), found.detectable], [*ends(expected), expected.detectable])
    assert (found.value, found.number) == (7, 4)
    found, expected = of_jackknife(one.mean() - other.mean(), without), of_difference(one, other)
    np.testing.assert_allclose(ends(found), ends(expected))
    assert found.number == 7
    assert np.isnan(ends(of_jackknife(0.5, [[0.1, np.nan, 0.2]]))).all()


def test_pairs_that_share_no_network_count_twice():
    """Leaving out either network of a pair leaves out the pair: the error is larger than that of N independent pairs.

    By the root of (2N - 1) / (N - 1): about 1.4, on the safe side.
    """
    values = np.array([0.3, 0.1, 0.7, 0.4, 0.6])
    found = of_mean_over_pairs(range(5), range(5, 10), values)
    error = scipy.stats.sem(values) * np.sqrt(9 / 4)
    np.testing.assert_allclose(ends(found), scipy.stats.t.interval(0.95, 9, values.mean(), error), rtol=1e-12)


@pytest.mark.parametrize("stratum", [lambda _network: 0, parity])
def test_what_changes_no_interval(stratum):
    first, second, values = some_pairs(7)
    expected = of_mean_over_pairs(first, second, values, stratum)

    def same(found, changed=lambda value: value):
        low, high = sorted(map(changed, ends(expected)))
        np.testing.assert_allclose([found.value, *ends(found)], [changed(expected.value), low, high], rtol=1e-9)

    order = np.random.default_rng(3).permutation(len(values))
    same(of_mean_over_pairs(first[order], second[order], values[order], stratum))
    swapped = np.arange(len(values)) % 3 == 0
    same(of_mean_over_pairs(np.where(swapped, second, first), np.where(swapped, first, second), values, stratum))
    both = [np.concatenate(sides) for sides in ((first, second), (second, first), (values, values))]
    same(of_mean_over_pairs(*both, stratum))
    same(of_mean_over_pairs(first, second, 100 - 3 * values, stratum), lambda value: 100 - 3 * value)
    names = [[("network", network) for network in side] for side in (first, second)]
    same(of_mean_over_pairs(*names, values, lambda name: stratum(name[1])))


def test_a_large_mean_costs_no_digits():
    first, second, values = some_pairs(8)
    widths = [np.diff(ends(of_mean_over_pairs(first, second, values + mean))) for mean in (0, 1e9)]
    np.testing.assert_allclose(*widths, rtol=1e-5)


@pytest.mark.parametrize(
    ("found", "value", "number"),
    [
        (of_mean([]), np.nan, 0),
        (of_mean([0.5, np.nan]), 0.5, 1),
        (of_difference([0.5], [0.2, 0.4]), 0.2, 3),
        (of_difference([np.nan], [0.2, 0.4]), np.nan, 2),
        (of_share(0, 0), np.nan, 0),
        (of_mean_over_pairs([], [], []), np.nan, 0),
        (of_mean_over_pairs([1, 2], [2, 3], [np.nan, np.nan]), np.nan, 0),
        (of_mean_over_pairs([1], [2], [0.5]), 0.5, 2),
        # Network 1 is in every pair.
        (of_mean_over_pairs([1, 1, 4], [2, 3, 1], [0.1, 0.2, 0.6]), 0.3, 4),
        (of_mean_over_pairs([1, 2, 3], [2, 3, 1], [0.1, 0.2, np.nan]), 0.15, 3),
        # A configuration with one seed, 1.
        (of_mean_over_pairs([1, 1, 1], [2, 4, 6], [0.1, 0.2, 0.6], parity), 0.3, 4),
        (of_mean_over_pairs([1, 2, 4], [2, 4, 6], [0.1, 0.2, 0.6], parity), 0.3, 4),
    ],
)
def test_too_few_networks_have_no_interval(found, value, number):
    assert found.value == pytest.approx(value, nan_ok=True)
    assert np.isnan([*ends(found), found.detectable]).all()
    assert found.number == number


def test_the_interval_is_a_point_where_nothing_varies():
    pairs = [*itertools.combinations(range(4), 2)]
    over_pairs = of_mean_over_pairs(*zip(*pairs, strict=True), [0.5] * 6, parity)
    for found in (of_mean([0.5] * 3), of_difference([0.75] * 2, [0.25] * 3), over_pairs):
        assert (found.value, *ends(found), found.detectable) == (0.5, 0.5, 0.5, 0)
    # With one configuration that does not vary the other one alone decides.
    found = of_difference([0.75] * 2, [0.1, 0.2, 0.6])
    np.testing.assert_allclose(ends(found), np.subtract(0.75, ends(of_mean([0.1, 0.2, 0.6])))[::-1])


def test_a_pair_of_unequal_length_is_refused():
    with pytest.raises(ValueError, match="shape|length"):
        of_mean_over_pairs([1, 2], [2, 3, 4], [0.1, 0.2, 0.3])


def table_of_pairs(values):
    """pairs.csv in both directions, from a dict of (label, label) to the best CKA inside: (there, back)."""
    line = {"contrast_first": 0.1, "contrast_second": 0.1, "equal_depth": 0.5, "best_outside": np.nan}
    lines = []
    for (first, second), (there, back) in values.items():
        lines.append({**line, "first": first, "second": second, "best_inside": there})
        lines.append({**line, "first": second, "second": first, "best_inside": back})
    return pd.DataFrame(lines, columns=tables.columns("pairs.csv"))


def test_intervals_of_a_configuration_with_itself_do_not_shrink_by_both_directions():
    """Five seeds: the networks' effects decide, whether the two directions of a pair agree or not."""
    effects, rng = [0.1, 0.3, 0.2, 0.6, 0.4], np.random.default_rng(6)
    pairs = [*itertools.combinations(range(5), 2)]
    labels = [f"a/seed{seed}" for seed in range(5)]
    sums = {(labels[one], labels[two]): [effects[one] + effects[two]] * 2 for one, two in pairs}
    (found,) = summarise_pairs.configurations(table_of_pairs(sums)).itertuples()
    expected = of_mean(np.multiply(effects, 2))
    np.testing.assert_allclose(
        [found.best_inside, found.best_inside_low, found.best_inside_high], [0.64, *ends(expected)]
    )
    assert (found.equal_depth, found.equal_depth_low, found.equal_depth_high) == (0.5, 0.5, 0.5)
    assert np.isnan([found.best_outside, found.best_outside_low, found.best_outside_high]).all()
    values = {pair: rng.normal(size=2) for pair in sums}
    (found,) = summarise_pairs.configurations(table_of_pairs(values)).itertuples()
    expected = of_mean_over_pairs(*zip(*values, strict=True), [np.mean(both) for both in values.values()])
    np.testing.assert_allclose([found.best_inside_low, found.best_inside_high], ends(expected))


def test_intervals_between_configurations_are_over_the_seeds_of_both():
    """Seeds of the same number in two configurations are different networks."""
    one, other = [0.1, 0.3, 0.2, 0.5], [0.3, 0.9, 0.1]
    pairs = {
        (f"a/seed{i}", f"b/seed{j}"): (first + second, first - second)
        for (i, first), (j, second) in itertools.product(enumerate(one), enumerate(other))
    }
    found = summarise_pairs.configurations(table_of_pairs(pairs)).set_index(["first", "second"])
    for direction, second in ((("a", "b"), np.negative(other)), (("b", "a"), other)):
        line = found.loc[direction]
        np.testing.assert_allclose([line.best_inside_low, line.best_inside_high], ends(of_difference(one, second)))
    single = {pair: values for pair, values in pairs.items() if pair[1] == "b/seed0"}
    assert summarise_pairs.configurations(table_of_pairs(single)).best_inside_low.isna().all()


def bootstrap(values, draws, rng):
    """95 % percentile interval of the mean over all pairs of n networks, which are drawn anew; (n, n) values."""
    n = len(values)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    weights = drawn[:, :, None] * drawn[:, None] * ~np.eye(n, dtype=bool)
    sums = weights.sum(axis=(1, 2))
    means = (weights * values).sum(axis=(1, 2))[sums > 0] / sums[sums > 0]
    return np.percentile(means, [2.5, 97.5])


def test_how_often_the_true_mean_is_covered():
    """Five networks; a pair's value is the sum of both networks' effects and of noise, and 0 in the mean."""
    rng = np.random.default_rng(5)
    n, studies = 5, 500
    first, second = np.triu_indices(n, 1)
    covered = {"jackknife": 0, "bootstrap": 0}
    for _ in range(studies):
        effects, noise = rng.normal(size=n), rng.normal(0, 0.5, size=(n, n))
        values = effects[:, None] + effects + noise + noise.T
        low, high = ends(of_mean_over_pairs(first, second, values[first, second]))
        covered["jackknife"] += low <= 0 <= high
        low, high = bootstrap(values, 200, rng)
        covered["bootstrap"] += low <= 0 <= high
    # Noise of pairs makes the jackknife cover a little more often.
    least, most = scipy.stats.binom.ppf(0.001, studies, 0.95), scipy.stats.binom.ppf(0.999, studies, 0.98)
    assert least <= covered["jackknife"] <= most
    assert covered["bootstrap"] < scipy.stats.binom.ppf(0.001, studies, 0.9)


@pytest.mark.parametrize(("count", "number"), [(0, 3), (2, 47), (3, 3), (5, 9)])
def test_the_interval_of_a_share_is_exact(count, number):
    """Beyond either end the count would be as far out in less than one of forty studies."""
    found = of_share(count, number)
    assert found.value == count / number
    assert found.number == number
    at_least = scipy.stats.binom.sf(count - 1, number, found.low)
    at_most = scipy.stats.binom.cdf(count, number, found.high)
    assert found.low == 0 if count == 0 else at_least == pytest.approx(0.025)
    assert found.high == 1 if count == number else at_most == pytest.approx(0.025)


@pytest.mark.parametrize(("small", "large"), [((0, 3), (3, 3)), ((0, 4), (3, 3)), ((1, 6), (4, 5)), ((2, 4), (2, 4))])
def test_fishers_test_sums_the_tables_that_are_no_more_likely(small, large):
    count, number = small[0] + large[0], small[1] + large[1]
    law = scipy.stats.hypergeom(number, count, small[1])
    likely = [law.pmf(k) for k in range(number + 1)]
    expected = sum(p for p in likely if p <= likely[small[0]] * (1 + 1e-9))
    assert statistics.fisher(small, large) == pytest.approx(expected)
