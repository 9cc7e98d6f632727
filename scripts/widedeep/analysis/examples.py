"""Whether wide and deep networks differ on single examples and classes (paper, section 7 and figure 6).

What figure 6 draws: accuracies by example and by class. permutations.py has the tests of both, which decide.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.stats

from widedeep.runtime.errors import UserError


@dataclass(frozen=True)
class Configuration:
    """The predictions of all seeds of one configuration.

    Attributes:
        name: as in figures.
        depth, width, fraction: as in names.Configuration.
        correct: (seeds, examples) bool, whether the prediction is right.
    """

    name: str
    depth: int
    width: float
    fraction: float
    correct: np.ndarray

    @property
    def accuracy(self):
        """Mean accuracy over seeds and examples."""
        return float(self.correct.mean())


def closest_pair(configurations):
    """Choose the wide and the deep configuration of closest mean accuracy.

    Considers all pairs on the same share of the data in which one is wider and the other deeper. Ties: the first.

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
            "figure 6 compares a wider and a deeper configuration on the same share of the data, and there is no such "
            "pair; add one to the grid, or name it in figures.fig6."
        )
    return min(pairs, key=lambda pair: abs(pair[0].accuracy - pair[1].accuracy))


def matched_sets(wide, deep):
    """Take equally many seeds of two configurations, and two disjoint sets of the same size as control.

    The control sets are seeds of the configuration that has more of them. All sets begin at the first seed.

    Args:
        wide, deep: (seeds, examples) bool, whether the prediction is right.

    Returns:
        (wide, deep, control, control), each (seeds in a set, examples) bool

    Raises:
        UserError: there are too few seeds for two disjoint sets.
    """
    more = wide if len(wide) >= len(deep) else deep
    size = min(len(wide), len(deep), len(more) // 2)
    if size < 1:
        raise UserError("figure 6 needs at least two seeds of one of its configurations; add seeds.")
    return wide[:size], deep[:size], more[:size], more[size : 2 * size]


def mean_difference(first, second):
    """Mean absolute difference of per-example accuracies between two sets of seeds, (seeds, examples) bool each."""
    return float(np.abs(first.mean(axis=0) - second.mean(axis=0)).mean())


def class_accuracies(correct, labels, classes):
    """Accuracy of each seed on each class.

    Args:
        correct: (seeds, examples) bool, whether the prediction is right.
        labels: (examples,) int.
        classes: number of classes.

    Returns:
        (seeds, classes) float64
    """
    return np.stack([correct[:, labels == one].mean(axis=1) for one in range(classes)], axis=1)


def class_differences(wide, deep):
    """Welch's t-test for each class, with the correction of Benjamini and Hochberg over the classes.

    Args:
        wide, deep: (seeds, classes) accuracies.

    Returns:
        dict of (classes,) arrays: difference (wide minus deep), low and high (its 95 % interval), p, and q (corrected
        p). All but the difference are NaN for classes without spread over seeds, or if a configuration has one seed.
    """
    spread = wide.var(axis=0) + deep.var(axis=0)
    difference = wide.mean(axis=0) - deep.mean(axis=0)
    result = {"difference": difference, **{key: np.full(len(difference), np.nan) for key in ("low", "high", "p", "q")}}
    testable = spread > 1e-12  # smaller ones are rounding errors
    if min(len(wide), len(deep)) < 2 or not testable.any():
        return result
    test = scipy.stats.ttest_ind(wide[:, testable], deep[:, testable], equal_var=False)
    interval = test.confidence_interval(0.95)
    result["low"][testable], result["high"][testable] = interval.low, interval.high
    result["p"][testable] = test.pvalue
    result["q"][testable] = scipy.stats.false_discovery_control(test.pvalue, method="bh")
    return result
