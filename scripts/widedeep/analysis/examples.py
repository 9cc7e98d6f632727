"""Do two configurations answer different examples rightly, beyond what their seeds explain (paper, section 5)?"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import scipy.stats

from widedeep.names import random_seed
from widedeep.runtime.errors import UserError

# Splits of the seeds that the permutation test draws where there are more than it can try.
_MOST_SPLITS = 2000


@dataclass(frozen=True)
class Configuration:
    """All seeds of one configuration.

    Attributes:
        name: of the configuration.
        depth, width, fraction: of it.
        correct: (seeds, examples) bool, which answers are right.
    """

    name: str
    depth: int
    width: float
    fraction: float
    correct: np.ndarray

    @property
    def accuracy(self):
        return float(self.correct.mean())


def closest_pair(configurations):
    """The wide and the deep configuration of closest mean accuracy.

    Of all pairs on the same share of the data in which one is wider and the other deeper; of ties the first.

    Args:
        configurations: list of Configuration.

    Returns:
        (wide, deep)

    Raises:
        UserError: there is no such pair.
    """
    pairs = [
        (wide, deep)
        for wide, deep in itertools.permutations(configurations, 2)
        if wide.width > deep.width and wide.depth < deep.depth and wide.fraction == deep.fraction
    ]
    if not pairs:
        raise UserError(
            "figure 6 needs two configurations of one share of the data of which one is wider and the other deeper; "
            "add them to the grid, or name them in figures.fig6."
        )
    return min(pairs, key=lambda pair: abs(pair[0].accuracy - pair[1].accuracy))


def matched_sets(wide, deep):
    """Equally many seeds of both, and the control: two disjoint sets, as large, of the one with more seeds.

    Args:
        wide, deep: (seeds, examples) bool, which answers are right.

    Returns:
        (wide, deep, control, control): four (sets' seeds, examples) arrays; the sets are of the first seeds

    Raises:
        UserError: there are too few seeds for two disjoint sets.
    """
    more = wide if len(wide) >= len(deep) else deep
    size = min(len(wide), len(deep), len(more) // 2)
    if size < 1:
        raise UserError("figure 6 needs at least two seeds of one of its configurations; add seeds.")
    return wide[:size], deep[:size], more[:size], more[size : 2 * size]


def mean_difference(first, second):
    """Mean over examples of the absolute difference of two sets' per-example accuracies."""
    return float(np.abs(first.mean(axis=0) - second.mean(axis=0)).mean())


@dataclass(frozen=True)
class Permutations:
    """A permutation test over seeds.

    Attributes:
        observed: the statistic of the two configurations as they are.
        expected: its mean where the seeds of both are mixed.
        p: share of all splits whose statistic is at least the observed one, itself counted.
        accuracy_p: the same of another statistic, the difference of mean accuracy.
        splits: how many were tried.
    """

    observed: float
    expected: float
    p: float
    accuracy_p: float
    splits: int


def permutation_test(first, second):
    """Whether two configurations differ on single examples by more than their seeds do.

    Under the null hypothesis all seeds are drawn from one distribution, so any split of them into two sets of these
    sizes is as likely. The statistic is `mean_difference`. All splits are tried where they are few, else 2,000 drawn.

    A configuration that is better in general differs on single examples too: `accuracy_p` tells whether it is, by the
    same splits.

    Args:
        first, second: (seeds, examples) bool.

    Returns:
        Permutations
    """
    together = np.concatenate([first, second]).astype(np.float64)
    seeds = len(together)
    if math.comb(seeds, len(first)) <= _MOST_SPLITS:
        chosen = list(itertools.combinations(range(seeds), len(first)))  # the first of them is as it is
    else:
        rng = np.random.default_rng(random_seed("permutation test", seeds, len(first)))
        drawn = (rng.permutation(seeds)[: len(first)] for _ in range(_MOST_SPLITS - 1))
        chosen = [tuple(range(len(first))), *drawn]
    weights = np.full((len(chosen), seeds), -1 / len(second))
    for row, members in zip(weights, chosen, strict=True):
        row[list(members)] = 1 / len(first)
    by_example = np.array([np.abs(row @ together).mean() for row in weights])
    accuracy = np.abs(weights @ together.mean(axis=1))
    # Equal up to rounding counts as equal: mirrored splits are the same split.
    p, accuracy_p = (float((found >= found[0] - 1e-12).mean()) for found in (by_example, accuracy))
    return Permutations(float(by_example[0]), float(by_example.mean()), p, accuracy_p, len(chosen))


def class_accuracies(correct, labels, classes):
    """Accuracy by class of each seed.

    Args:
        correct: (seeds, examples) bool.
        labels: (examples,) int.
        classes: their number.

    Returns:
        (seeds, classes) float64
    """
    return np.stack([correct[:, labels == one].mean(axis=1) for one in range(classes)], axis=1)


def class_differences(wide, deep):
    """Welch's t-test by class, with the correction of Benjamini and Hochberg over the classes.

    Args:
        wide, deep: (seeds, classes) accuracies.

    Returns:
        dict of (classes,) arrays: difference (wide less deep), low and high (its 95 % interval), p and q (p corrected);
        NaN where no seed of either differs from another, or a configuration has a single one.
    """
    spread = wide.var(axis=0) + deep.var(axis=0)
    difference = wide.mean(axis=0) - deep.mean(axis=0)
    result = {"difference": difference, **{key: np.full(len(difference), np.nan) for key in ("low", "high", "p", "q")}}
    testable = spread > 1e-12  # rounding alone is no spread
    if min(len(wide), len(deep)) < 2 or not testable.any():
        return result
    test = scipy.stats.ttest_ind(wide[:, testable], deep[:, testable], equal_var=False)
    interval = test.confidence_interval(0.95)
    result["low"][testable], result["high"][testable] = interval.low, interval.high
    result["p"][testable] = test.pvalue
    result["q"][testable] = scipy.stats.false_discovery_control(test.pvalue, method="bh")
    return result
