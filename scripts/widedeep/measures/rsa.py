"""Representational similarity analysis: the correlation of distances between examples (Kriegeskorte et al. 2008)."""

import numpy as np

from widedeep.measures.distances import squared_distances
from widedeep.measures.gram_matrices import rounding_of

UNDEFINED = "constant, not finite, or at equal distances in a minibatch"


def standardised(grams, values):
    """What correlates of each layer: centred and of unit length, so that inner products are correlations.

    Args:
        grams: gram_matrices.Grams with diagonals.
        values: function of the (n (n - 1) / 2,) distances of a layer that returns as many numbers.

    Returns:
        (layers, n (n - 1) / 2) float64; NaN where undefined
    """
    return np.stack([_standardised(np.sqrt(squares), values) for squares in squared_distances(grams)])


def ranks(values):
    """Ranks from 1 of (m,) numbers; equal ones get the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def correlations(first, second):
    """Correlations of standardised distances, (layers of first, layers of second)."""
    return first @ second.T


def of_itself(distances):
    """Correlation of each layer with itself, (layers,): 1, and NaN where undefined."""
    return np.vecdot(distances, distances)


def _standardised(distances, values):
    spread = ((distances - distances.mean()) ** 2).sum()
    # Of equal distances, nothing but rounding errors would correlate; of NaN neither comparison is true.
    if not spread > rounding_of((distances**2).sum(), np.float32):
        return np.full(len(distances), np.nan)
    centred = values(distances)
    centred = centred - centred.mean()
    return centred / np.linalg.norm(centred)
