"""Euclidean distances between the examples of a minibatch, from Gram matrices: d_ij² = K_ii + K_jj - 2 K_ij.

Examples with equal features, as all those on which a ReLU is dead, get exactly equal distances. Rounding errors of the
Gram matrix would otherwise decide their order, and with it ranks and nearest neighbours. Two examples count as equal if
float32 cannot tell their distance from zero: if it is below 0.0005 of their distances from the mean.
"""

from functools import cache

import numpy as np

# Rounding-error bound of a squared distance, relative to K_ii + K_jj: twice what rounding K to float32 makes.
_ROUNDING = 2 * float(np.finfo(np.float32).eps)


def squared_distances(grams):
    """Squared distances between the examples, layer by layer.

    Args:
        grams: gram_matrices.Grams with diagonals.

    Yields:
        (n (n - 1) / 2,) float64 for each layer, row by row as in gram_matrices.PackedGram; NaN for a layer that is
        constant or not finite
    """
    triangles = grams.triangles  # of a StackedGrams made anew each time
    for triangle, diagonal in zip(triangles, grams.diagonals, strict=True):
        yield _of_layer(triangle, diagonal)


def squareform(packed, n):
    """The symmetric (n, n) matrix with zeros on the diagonal of packed distances or other values of pairs."""
    full = np.zeros((n, n))
    full[_pairs(n)] = packed
    return full + full.T


def _of_layer(triangle, diagonal):
    rows, columns = _pairs(len(diagonal))
    with np.errstate(invalid="ignore"):
        sums = diagonal[rows] + diagonal[columns]
        squares = sums - 2 * triangle
    nothing = squares <= _ROUNDING * sums
    if nothing.all() or not np.isfinite(squares).all():
        return np.full(len(squares), np.nan)
    if nothing.any():
        squares[nothing] = 0
        full = squareform(squares, len(diagonal))
        first = (full == 0).argmax(axis=1)  # the first example with the same features
        squares = full[first[rows], first[columns]]
    return squares


@cache
def _pairs(n):
    return np.triu_indices(n, 1)
