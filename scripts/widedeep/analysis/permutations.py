"""Permutation tests over seeds: whether two configurations differ on single examples or classes, and the tests' power.

Under the null hypothesis all seeds come from one distribution, so every split of them into two sets of these sizes is
equally likely. All splits are tried if there are at most 2,000; otherwise 2,000 are drawn.

Networks that differ in general ability alone differ on single examples and classes too, and accuracies are never quite
equal. So both tests first take from each network's right predictions what its mean accuracy explains. Where k of n
networks are right on example i, a slightly better network is right more often by an amount proportional to k (n - k);
this is the logistic model of ability and difficulty (Rasch), to first order. With x_si = 1 where network s is right,

    y_si = x_si - v_i sum_j x_sj / sum_j v_j ,  v_i = k_i (n - k_i) .
"""

import bisect
import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from widedeep.analysis.examples import class_accuracies
from widedeep.names import random_seed

# A test tries all splits of the seeds up to this number, and draws this number if there are more.
_MOST_SPLITS = 2000
# Simulated studies behind a power.
_SIMULATIONS = 200
# The test of a simulated study takes so many splits at most; fewer make its power a little lower.
_SIMULATED_SPLITS = 400
# Chances of the right prediction for an example that prefers one configuration: by its networks, by those of the other.
PREFERENCE = (0.75, 0.25)
# The difference in accuracy on one class that a study should see, in percentage points.
POINTS = 5


@dataclass(frozen=True)
class Permutations:
    """Result of the permutation test on single examples.

    Attributes:
        observed: root mean square difference of per-example accuracy between the two configurations, less what their
            mean accuracies explain.
        expected: the same over all splits of the mixed seeds.
        p: share of splits whose difference is at least the observed one; the observed split counts too.
        splits: number of splits.
    """

    observed: float
    expected: float
    p: float
    splits: int


def examples_test(first, second):
    """Test whether two configurations differ on single examples by more than their seeds do.

    The statistic is the mean over examples of d_i^2, with the difference d_i between the sets' means of y_si. Not of
    |d_i|: a difference in ability moves d_i away from 0 where equally many networks of both sets are right.

    Args:
        first, second: (seeds, examples) bool, whether the prediction is right.

    Returns:
        Permutations
    """
    found = _mean_squares(_splits(len(first), len(second)), np.concatenate([first, second]))
    return Permutations(float(found[0]) ** 0.5, float(found.mean()) ** 0.5, _share_as_large(found), len(found))


def classes_test(first, second, labels, classes):
    """Test whether two configurations differ on any class by more than their seeds do.

    The statistic is the largest |d_c| / s_c over classes. For the means of y_si over the examples of a class, d_c is
    the difference between the sets, and s_c the standard deviation over all seeds, whatever their set. So on one class
    the splits have the order of |t| of Student's test, for equally many seeds also of Welch's, but two sets of equal
    seeds give no infinite value. Comparing the largest of all classes with the largest of each split holds the level
    for all classes together. Classes without spread are left out.

    Args:
        first, second: (seeds, examples) bool, whether the prediction is right.
        labels: (examples,) int.
        classes: number of classes.

    Returns:
        p, the share of splits whose statistic is at least the observed one
    """
    known = _Classes.of(np.concatenate([first, second]), labels, classes)
    return _share_as_large(_largest(_splits(len(first), len(second)), known.beyond_ability()))


def power_of_examples(first, second, each_way, level):
    """Power of `examples_test` where `each_way` examples prefer either configuration, by simulation.

    An example that prefers a configuration is answered rightly with probability 0.75 by its networks, and with 0.25 by
    those of the other one. All other examples keep their accuracy over all networks. Predictions are drawn
    independently. Examples that all networks answer alike stay so.

    Args:
        first, second: as in examples_test.
        each_way: number of examples that prefer either one.
        level: largest p that counts as a difference.

    Returns:
        share of simulated studies with a difference
    """
    accuracy = np.concatenate([first, second]).mean(axis=0)
    accuracy = accuracy[(accuracy > 0) & (accuracy < 1)].astype(np.float32)
    weights = _some(_splits(len(first), len(second)))
    # The same draws for every number of examples, so that power hardly falls where the number rises.
    rng = np.random.default_rng(random_seed("power by example", len(first), len(second)))
    seen = 0
    for _ in range(_SIMULATIONS):
        chances = np.tile(accuracy, (2, 1))
        order = rng.permutation(len(accuracy))
        # Every other one, so that a larger number adds examples and takes none away.
        chances[:, order[: 2 * each_way : 2]] = np.array([PREFERENCE]).T
        chances[:, order[1 : 2 * each_way : 2]] = np.array([PREFERENCE[::-1]]).T
        drawn = rng.random((weights.shape[1], len(accuracy)), np.float32)
        correct = np.concatenate([drawn[: len(first)] < chances[0], drawn[len(first) :] < chances[1]])
        seen += _share_as_large(_mean_squares(weights, correct)) <= level
    return seen / _SIMULATIONS


def power_of_classes(first, second, labels, classes, points, level):
    """Power of `classes_test` where the accuracy on one class differs by `points`, by simulation.

    The seeds of both configurations are mixed at random, which makes a study without differences that keeps the spread
    over seeds and the correlation between classes. Then `points` are added to one random class of one configuration.

    Args:
        first, second, labels, classes: as in classes_test.
        points: percentage points.
        level: largest p that counts as a difference.

    Returns:
        share of simulated studies with a difference
    """
    known = _Classes.of(np.concatenate([first, second]), labels, classes)
    weights = _some(_splits(len(first), len(second)))
    rng = np.random.default_rng(random_seed("power by class", len(first), len(second)))
    seen = 0
    for _ in range(_SIMULATIONS):
        mixed, changed = rng.permutation(len(weights[0])), rng.integers(classes)
        study = _Classes(known.accuracies[mixed], known.means[mixed], known.sizes, known.slopes)
        study.accuracies[: len(first), changed] += points / 100
        study.means[: len(first)] += points / 100 * known.sizes[changed]
        seen += _share_as_large(_largest(weights, study.beyond_ability())) <= level
    return seen / _SIMULATIONS


def examples_needed(first, second, level, power):
    """The smallest number of examples each way that `examples_test` finds with a power; NaN if none is enough."""
    most = varying(first, second) // 2
    # Steps of a fifth: the power is known no better.
    numbers = [number for number in sorted({round(1.2**step) for step in range(100)}) if number <= most]
    return _smallest(numbers, lambda number: power_of_examples(first, second, number, level), power)


def points_needed(first, second, labels, classes, level, power):
    """The smallest difference on a class, in whole points, that `classes_test` finds with a power; NaN if none."""
    return _smallest(
        range(1, 101), lambda points: power_of_classes(first, second, labels, classes, points, level), power
    )


def varying(first, second):
    """Number of examples that some networks of two configurations answer rightly and some do not."""
    return int((_spread(np.concatenate([first, second])) > 0).sum())


@dataclass(frozen=True)
class _Classes:
    """Accuracies by class of all seeds of two configurations, the first one's first.

    Attributes:
        accuracies: (seeds, classes).
        means: (seeds,) accuracy over all examples.
        sizes: (classes,) share of the examples.
        slopes: (classes,) by how much a class's accuracy rises with the mean accuracy where ability alone rises.
    """

    accuracies: np.ndarray
    means: np.ndarray
    sizes: np.ndarray
    slopes: np.ndarray

    @classmethod
    def of(cls, correct, labels, classes):
        """Make the record from (seeds, examples) bool, (examples,) int and the number of classes."""
        spread = _spread(correct)
        slopes = class_accuracies(spread[None], labels, classes)[0] / max(spread.mean(), 1 / len(spread))
        sizes = np.bincount(labels, minlength=classes) / len(labels)
        return cls(class_accuracies(correct, labels, classes), correct.mean(axis=1), sizes, slopes)

    def beyond_ability(self):
        """(seeds, classes): means of y_si over the examples of each class."""
        return self.accuracies - np.outer(self.means, self.slopes)


def _spread(correct):
    """(examples,) float64: the product of the numbers of networks that are right and that are not."""
    right = np.asarray(correct).sum(axis=0, dtype=np.float64)
    return right * (len(correct) - right)


@functools.lru_cache(maxsize=1)
def _splits(first, second):
    """(splits, seeds) weights that give the difference of means between the sets of each split of the seeds.

    Args:
        first, second: numbers of seeds in the two sets; the first split is the observed one.
    """
    seeds = first + second
    if math.comb(seeds, first) <= _MOST_SPLITS:
        chosen = list(itertools.combinations(range(seeds), first))
    else:
        rng = np.random.default_rng(random_seed("permutation test", seeds, first))
        drawn = (rng.permutation(seeds)[:first] for _ in range(_MOST_SPLITS - 1))
        chosen = [tuple(range(first)), *drawn]
    weights = np.full((len(chosen), seeds), -1 / second)
    for row, members in zip(weights, chosen, strict=True):
        row[list(members)] = 1 / first
    weights.flags.writeable = False  # it is kept
    return weights


def _some(weights):
    """Evenly spaced splits, the observed one first, for the tests of simulated studies."""
    chosen = np.linspace(0, len(weights) - 1, min(len(weights), _SIMULATED_SPLITS))
    return weights[chosen.astype(int)]


def _mean_squares(weights, correct):
    """Mean over examples of the squared difference of y_si, for each split.

    With differences d_i of x_si, which are the products of weights and x, and D = sum_i d_i,

        sum_i (d_i - v_i D / sum_j v_j)^2 = sum d_i^2 - 2 D sum(v_i d_i) / sum(v_i) + D^2 sum(v_i^2) / sum(v_i)^2 .

    All of it follows from sums over examples, so the number of splits costs little.
    """
    spread = _spread(correct)
    right, spread, number = np.asarray(correct, np.float32)[:, spread > 0], spread[spread > 0], len(spread)
    total = max(spread.sum(), 1)
    squares = ((weights @ (right @ right.T)) * weights).sum(axis=1)  # counts, which float32 holds exactly
    moved = weights @ right.sum(axis=1) / total
    found = squares - 2 * moved * (weights @ (right @ spread)) + moved**2 * (spread @ spread)
    # Smaller ones are rounding errors: on these examples, the mean accuracies explain all.
    return np.where(found > 1e-9 * squares.max(), found, 0) / max(number, 1)


def _largest(weights, values):
    """Largest standardised difference over classes for each split; `values` are (seeds, classes)."""
    spread = values.std(axis=0)
    tested = spread > 1e-12  # smaller ones are rounding errors
    return np.abs(weights @ (values[:, tested] / spread[tested])).max(axis=1, initial=0)


def _share_as_large(found):
    """Share of splits whose statistic is at least that of the first."""
    # A split and its mirror image give the same statistic up to rounding, so the comparison has a tolerance.
    return float((found >= found[0] * (1 - 1e-9)).mean())


def _smallest(effects, power_of, power):
    """The smallest of ascending effects that is found with a power, by bisection; NaN if there is none."""
    place = bisect.bisect_left(effects, power, key=power_of)
    return effects[place] if place < len(effects) else math.nan
