"""Permutation tests over seeds against their definitions, on networks whose answer is known, and their power."""

import itertools

import numpy as np
import pytest
import scipy.stats

from widedeep.analysis import examples, permutations

RNG = np.random.default_rng(3)
# Of 200 studies without a difference, the share that finds one, but for one in a hundred times.
MOST_BY_CHANCE = scipy.stats.binom.ppf(0.99, 200, 0.05) / 200


def answers(chance, seeds, rng=RNG):
    """(seeds, examples) bool: each example is answered rightly with its chance, one for all seeds or a row each."""
    return rng.random((seeds, np.shape(chance)[-1])) < chance


def of_one_ability(seeds, gap, number, rng):
    """Two configurations, (seeds, examples) bool each, of seeds that differ in general ability alone, and labels."""
    labels = rng.integers(0, 8, number)
    difficulty = rng.normal(-2.5, 1.6, number) + rng.normal(0, 0.7, 8)[labels]
    abilities = (rng.normal(mean, 0.05, (seeds, 1)) for mean in (0, gap))
    return *(answers(1 / (1 + np.exp(difficulty - ability)), seeds, rng) for ability in abilities), labels


def beyond_ability(correct):
    """Right predictions less what a network's accuracy explains: that many, shared out as k (n - k)."""
    result = np.zeros(correct.shape)
    share = [sum(column) * (len(column) - sum(column)) for column in correct.T.astype(int)]
    for network, row in enumerate(correct):
        for example, right in enumerate(row):
            result[network, example] = right - sum(row) * share[example] / sum(share)
    return result


def splits_by_hand(first, second, statistic):
    """The statistic of every split of the mixed seeds, the observed one first."""
    together = np.concatenate([first, second])
    found = []
    for members in itertools.combinations(range(len(together)), len(first)):
        rest = [seed for seed in range(len(together)) if seed not in members]
        found.append(statistic(together[list(members)], together[rest]))
    return np.array(found)


def test_examples_against_every_split_by_hand():
    first, second = answers(RNG.random(20), 3), answers(RNG.random(20), 4)
    values = beyond_ability(np.concatenate([first, second]))
    found = splits_by_hand(values[:3], values[3:], lambda a, b: np.mean((a.mean(axis=0) - b.mean(axis=0)) ** 2))
    result = permutations.examples_test(first, second)
    assert result.observed == pytest.approx(found[0] ** 0.5)
    assert result.expected == pytest.approx(found.mean() ** 0.5)
    assert result.p == np.mean(found >= found[0] - 1e-9)
    assert result.splits == 35


def test_classes_against_every_split_by_hand():
    """The largest |t| of Student's test, except where it is infinite."""
    labels = np.arange(40) % 4
    first, second = answers(RNG.random(40), 3), answers(RNG.random(40), 4)
    values = beyond_ability(np.concatenate([first, second]))
    accuracies = np.stack([values[:, labels == one].mean(axis=1) for one in range(4)], axis=1)
    found = splits_by_hand(
        accuracies[:3], accuracies[3:], lambda a, b: np.abs(scipy.stats.ttest_ind(a, b).statistic).max()
    )
    assert permutations.classes_test(first, second, labels, 4) == np.mean(found >= found[0] - 1e-9)


def test_for_equally_many_seeds_splits_have_the_order_of_welchs_t():
    labels = np.arange(40) % 4
    first, second = answers(RNG.random(40), 4), answers(RNG.random(40), 4)
    values = beyond_ability(np.concatenate([first, second]))
    accuracies = np.stack([values[:, labels == one].mean(axis=1) for one in range(4)], axis=1)
    found = splits_by_hand(
        accuracies[:4],
        accuracies[4:],
        lambda a, b: np.abs(scipy.stats.ttest_ind(a, b, equal_var=False).statistic).max(),
    )
    assert permutations.classes_test(first, second, labels, 4) == np.mean(found >= found[0] - 1e-9)


@pytest.mark.filterwarnings("error")
def test_classes_without_spread_decide_nothing_and_equal_seeds_give_nothing_infinite():
    alike = np.ones((3, 12), bool)
    labels = np.arange(12) % 3
    assert permutations.classes_test(alike, alike, labels, 3) == 1
    assert permutations.examples_test(alike, alike).p == 1
    assert permutations.power_of_examples(alike, alike, 0, 0.05) == 0
    other = alike.copy()
    other[:, [2, 5, 8]] = False
    # All examples that vary are equally hard, so the mean accuracies explain all.
    assert permutations.examples_test(alike, other).p == permutations.classes_test(alike, other, labels, 3) == 1
    first, other = alike.copy(), alike.copy()
    first[:, 0] = other[:, 1] = False  # images of classes 0 and 1
    # The seeds of a set are equal, so t is infinite; of 20 splits, this one and its mirror image are as large.
    assert permutations.classes_test(first, other, labels, 3) == 0.1


def test_seeds_of_one_configuration_give_a_uniform_p():
    """Of 400 tests of either kind at most one in twenty is significant, and about one in ten has p of at most 0.1."""
    rng = np.random.default_rng(1)
    studies = [of_one_ability(4, 0, 200, rng) for _ in range(400)]
    by_example = np.array([permutations.examples_test(first, second).p for first, second, _ in studies])
    by_class = np.array([permutations.classes_test(*study, 8) for study in studies])
    for values in (by_example, by_class):
        assert (values <= 0.05).sum() <= scipy.stats.binom.ppf(0.99, 400, 0.05)
        assert scipy.stats.binom.ppf(0.001, 400, 0.08) < (values <= 0.1).sum() <= scipy.stats.binom.ppf(0.99, 400, 0.1)


def test_a_better_configuration_is_not_taken_for_one_of_other_examples_or_classes():
    """Seeds that differ in ability alone, the configurations by 1.5 points: at most one in twenty is mistaken.

    The tests for each class alone, corrected for their number, are mistaken more often.
    """
    rng = np.random.default_rng(5)
    studies = [of_one_ability(16, 0.15, 2000, rng) for _ in range(100)]
    most = scipy.stats.binom.ppf(0.99, 100, 0.05)
    assert sum(permutations.examples_test(first, second).p <= 0.05 for first, second, _ in studies) <= most
    assert sum(permutations.classes_test(*study, 8) <= 0.05 for study in studies) <= most
    accuracies = [
        [examples.class_accuracies(part, labels, 8) for part in (first, second)] for first, second, labels in studies
    ]
    plain = sum((examples.class_differences(*pair)["q"] < 0.05).any() for pair in accuracies)
    assert plain > 3 * most


def test_configurations_that_differ_on_examples_are_told_apart_at_equal_accuracy():
    chance = RNG.random(300)
    test = permutations.examples_test(answers(chance, 5), answers(chance[::-1], 5))
    assert test.p == 2 / 252  # itself and its mirror image, of all splits
    assert test.splits == 252
    assert test.observed > test.expected


def test_configurations_that_differ_on_one_class_are_told_apart():
    labels = np.arange(600) % 6
    chances = [np.where(labels == 2, chance, 0.8) for chance in (0.6, 0.9)]
    first, second = (answers(chance, 5) for chance in chances)
    assert permutations.classes_test(first, second, labels, 6) == 2 / 252


def test_many_seeds_are_drawn_and_the_same_each_time():
    first, second = answers(RNG.random(30), 12), answers(RNG.random(30), 12)
    assert permutations.examples_test(first, second) == permutations.examples_test(first, second)
    assert permutations.examples_test(first, second).splits == 2000


def within_margin(share, other, studies):
    """Whether two shares of so many simulated studies are as near as chance makes them, but for one in a thousand."""
    error = np.sqrt(max(share * (1 - share), other * (1 - other), 0.01) * 2 / studies)
    return abs(share - other) < 3.3 * error


def test_the_power_by_example_is_the_share_of_studies_that_see_the_effect():
    """Simulated anew: some images at 75:25, equally many at 25:75, the others at the accuracy of all networks."""
    first, second = answers(np.linspace(0.05, 0.95, 60), 4), answers(np.linspace(0.05, 0.95, 60), 4)
    mean = np.concatenate([first, second]).mean(axis=0)
    seen = 0
    for _ in range(200):
        images = RNG.permutation(np.flatnonzero((mean > 0) & (mean < 1)))
        for_first, for_second = mean.copy(), mean.copy()
        for_first[images[:9]], for_second[images[:9]] = 0.75, 0.25
        for_first[images[9:18]], for_second[images[9:18]] = 0.25, 0.75
        seen += permutations.examples_test(answers(for_first, 4), answers(for_second, 4)).p <= 0.05
    power = permutations.power_of_examples(first, second, 9, 0.05)
    assert 0.3 < power < 0.95
    assert within_margin(power, seen / 200, 200)
    assert permutations.power_of_examples(first, second, 0, 0.05) <= MOST_BY_CHANCE


def test_the_power_by_class_is_the_share_of_studies_that_see_the_effect():
    """Simulated anew, on predictions: seeds mixed, then images of one class answered rightly that were not."""
    labels = np.arange(1000) % 2
    first, second = (answers(np.full(1000, 0.6), 5) for _ in range(2))
    together = np.concatenate([first, second])
    seen = 0
    for _ in range(200):
        mixed = together[RNG.permutation(10)]
        changed = RNG.integers(2)
        for network in mixed[:5]:
            wrong = np.flatnonzero((labels == changed) & ~network)
            network[RNG.choice(wrong, 25, replace=False)] = True  # 5 points of 500 images
        seen += permutations.classes_test(mixed[:5], mixed[5:], labels, 2) <= 0.05
    power = permutations.power_of_classes(first, second, labels, 2, 5, 0.05)
    assert 0.3 < power < 0.9
    assert within_margin(power, seen / 200, 200)
    assert permutations.power_of_classes(first, second, labels, 2, 0, 0.05) <= MOST_BY_CHANCE


def test_the_least_effect_is_the_first_with_the_power():
    chance, labels = np.linspace(0.05, 0.95, 60), np.arange(60) % 3
    first, second = answers(chance, 4), answers(chance, 4)
    number = permutations.examples_needed(first, second, 0.05, 0.8)
    assert permutations.power_of_examples(first, second, number, 0.05) >= 0.8
    assert permutations.power_of_examples(first, second, number * 2 // 3, 0.05) < 0.8
    points = permutations.points_needed(first, second, labels, 3, 0.05, 0.8)
    assert permutations.power_of_classes(first, second, labels, 3, points, 0.05) >= 0.8
    assert permutations.power_of_classes(first, second, labels, 3, points - 1, 0.05) < 0.8


def test_three_and_three_seeds_see_no_effect():
    """Of twenty splits each has its mirror image, so p is at least 0.1."""
    chance, labels = np.linspace(0.05, 0.95, 60), np.arange(60) % 3
    first, second = answers(chance, 3), answers(chance, 3)
    assert permutations.power_of_examples(first, second, 30, 0.05) == 0
    assert np.isnan(permutations.examples_needed(first, second, 0.05, 0.8))
    assert permutations.power_of_classes(first, second, labels, 3, 50, 0.05) == 0
    assert np.isnan(permutations.points_needed(first, second, labels, 3, 0.05, 0.8))


def test_examples_vary_that_some_networks_answer_rightly_and_some_do_not():
    assert permutations.varying(np.array([[1, 0, 1, 1]], bool), np.array([[1, 0, 0, 1], [1, 0, 1, 0]], bool)) == 2
