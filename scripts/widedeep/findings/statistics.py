"""Intervals and tests that decide claims: means over networks and over pairs of networks, shares of networks.

Every interval is at 95 % unless its level is given. benchmarks/verdicts.py measures how often they cover, and the
levels and powers of the verdicts; docs/statistics.md has the results.
"""

from dataclasses import dataclass
from itertools import compress

import numpy as np
import scipy.special
import scipy.stats

# Two-sided level of all intervals and tests.
LEVEL = 0.95
# A test finds a difference if its p is at most this. With three seeds each, no split of them has a p below 0.1.
SIGNIFICANT = 0.05
# The power at which an effect counts as one that the study could have seen.
POWER = 0.8


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Attributes:
        value: the estimate.
        low, high: ends of the interval; NaN if there are too few networks for one. They coincide where nothing varies.
        detectable: a true value that lies this far beyond a threshold is seen there with a power of 0.8, if the
            standard error is the estimated one; NaN as above.
        number: of networks, or whatever else varies independently, behind the estimate.
    """

    value: float
    low: float
    high: float
    detectable: float
    number: int


def of_mean(values, level=LEVEL):
    """Interval of the mean of independent values by Student's t; values that are not finite are left out."""
    values = _finite(values)
    return _student(_mean(values), [values], len(values), level)


def of_difference(first, second, level=LEVEL):
    """Interval of mean(first) - mean(second) by Welch's t, for independent values; not finite ones are left out."""
    parts = [_finite(part) for part in (first, second)]
    return _student(_mean(parts[0]) - _mean(parts[1]), parts, sum(map(len, parts)), level)


def of_mean_over_pairs(first, second, values, stratum=lambda _network: 0):
    """Interval of a mean over pairs of networks: the jackknife that leaves out one network at a time, with Student's t.

    Pairs share networks, so they are not independent. With m_i, the mean over the pairs without network i of n,

        error^2 = (n - 1) / n sum_i (m_i - mean_i m_i)^2 ,  n - 1 degrees of freedom

    In several strata, such as the seeds of two configurations, n and the means are those of each stratum; the squares
    add up, and the degrees of freedom follow Welch and Satterthwaite. Noise of single pairs counts twice, once for
    either network, so the interval is wider than need be where such noise prevails.

    Args:
        first, second: (pairs,) hashable networks of each pair, never the same network twice. Both directions of a pair
            may be there.
        values: (pairs,) float; pairs whose value is not finite are left out.
        stratum: function from a network to its stratum, hashable.

    Returns:
        Interval; its ends are NaN where a stratum has one network, or where a network is in every pair
    """
    values = np.asarray(values, np.float64)
    kept = np.isfinite(values)
    values = values[kept]
    numbers = {}  # of the networks, in order of appearance
    pairs = [
        [numbers.setdefault(network, len(numbers)) for network in compress(side, kept)] for side in (first, second)
    ]
    ends, mean = np.ravel(pairs).astype(int), _mean(values)
    rest = len(values) - np.bincount(ends)
    sums = np.bincount(ends, np.tile(values - mean, 2))
    # m_i - mean; the deviations of all pairs add up to 0.
    shifts = -np.divide(sums, rest, out=np.full(len(sums), np.nan), where=rest > 0)
    strata = {}
    for network, shift in zip(numbers, shifts, strict=True):
        strata.setdefault(stratum(network), []).append(shift)
    return of_jackknife(mean, [*strata.values()])


def of_jackknife(value, without):
    """Interval of an estimate by the jackknife that leaves out one network at a time, as in of_mean_over_pairs.

    Args:
        value: the estimate from all networks.
        without: list of a sequence for each stratum: the estimate without each of its networks, up to a constant.
    """
    # Up to sign and shift these are Tukey's pseudo-values; the error of their mean is the jackknife's.
    return _student(value, [(len(part) - 1) * np.asarray(part) for part in without], sum(map(len, without)))


def of_share(count, number):
    """Exact interval (Clopper and Pearson) of the share of networks with a property, `count` of `number`."""
    if not number:
        return Interval(np.nan, np.nan, np.nan, np.nan, 0)
    found = scipy.stats.binomtest(int(count), int(number)).proportion_ci(LEVEL, method="exact")
    return Interval(count / number, float(found.low), float(found.high), np.nan, int(number))


def fisher(small, large):
    """Two-sided p of Fisher's exact test of two shares, each as (count, number)."""
    table = [[count, number - count] for count, number in (small, large)]
    return float(scipy.stats.fisher_exact(table).pvalue)


def _finite(values):
    values = np.asarray(values, np.float64)
    return values[np.isfinite(values)]


def _mean(values):
    return values.mean() if len(values) else np.nan


def _student(value, parts, number, level=LEVEL):
    """Interval by Student's t of an estimate to which each part adds the squared error of its mean.

    The degrees of freedom follow Welch and Satterthwaite.

    Args:
        value: the estimate.
        parts: list of arrays of independent values.
        number: of networks.
    """
    freedoms = np.array([len(part) - 1 for part in parts])
    if not len(parts) or freedoms.min() < 1:
        return Interval(float(value), np.nan, np.nan, np.nan, number)
    squares = np.array([part.var(ddof=1) / len(part) for part in parts])
    error = np.sqrt(squares.sum())
    freedom = squares.sum() ** 2 / (squares**2 / freedoms).sum() if error else freedoms.min()
    quantile = scipy.stats.t.ppf((1 + level) / 2, freedom)
    # The shift, in standard errors, with which Student's t exceeds the quantile in a share POWER of studies.
    shift = scipy.special.nctdtrinc(freedom, 1 - POWER, quantile)
    numbers = (value, value - error * quantile, value + error * quantile, error * shift)
    return Interval(*map(float, numbers), number)
