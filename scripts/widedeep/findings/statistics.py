"""Confidence interval of a mean over pairs of seeds. Pairs share networks, so they are not independent."""

import numpy as np

from widedeep.names import random_seed

# Draws of the bootstrap.
_REPEATS = 1000


def mean_over_pairs(first, second, values, same):
    """Mean over pairs of seeds with its 95 % bootstrap interval; seeds are resampled, not pairs.

    The weight of a pair is the product of how often its two seeds were drawn. No network is paired with itself.

    Args:
        first, second: (pairs,) seeds.
        values: (pairs,) float; pairs with NaN are left out.
        same: whether both seeds of a pair belong to one configuration, so that they are drawn together.

    Returns:
        (mean, low, high): low and high are the 2.5th and 97.5th percentile of 1,000 draws; NaN with fewer than two
        seeds of either network
    """
    first, second, values = (np.asarray(part) for part in (first, second, values))
    defined = np.isfinite(values)
    first, second, values = first[defined], second[defined], values[defined].astype(np.float64)
    if not len(values):
        return np.nan, np.nan, np.nan
    if len(np.unique(first)) < 2 or len(np.unique(second)) < 2:
        return values.mean(), np.nan, np.nan
    rng = np.random.default_rng(random_seed("pairs of seeds", len(values)))
    seeds = [np.union1d(first, second)] * 2 if same else [np.unique(first), np.unique(second)]
    means = []
    while len(means) < _REPEATS:
        drawn = _counts(rng, seeds[0])
        other = drawn if same else _counts(rng, seeds[1])
        weights = drawn[np.searchsorted(seeds[0], first)] * other[np.searchsorted(seeds[1], second)]
        if weights.any():
            means.append(np.average(values, weights=weights))
    return values.mean(), *np.percentile(means, [2.5, 97.5])


def _counts(rng, seeds):
    """Draw as many seeds as there are, with replacement; return how often each was drawn."""
    return rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)))
