"""Gram matrices without their first principal component (paper, figure 3).

Per minibatch X, centred per feature, the component u1 s1 v1' is taken away, which on the Gram matrix K = XX' is
K - lambda1 u1 u1'.
"""

import numpy as np
from scipy.sparse.linalg import ArpackError, eigsh

from widedeep import cka


def deflated(grams):
    """The Grams of one minibatch without each layer's first component, and the components.

    Args:
        grams: cka.Grams with their diagonals.

    Returns:
        (cka.Grams, share, values): of the same layers, what was zero or not finite stays as it was; (layers,) the
        component's share of the variance; (layers, n) unit vectors of its values over the examples. NaN where there is
        none.
    """
    rows, columns = cka.strict_triangle(grams.n)
    triangles, diagonals = grams.triangles.copy(), grams.diagonals.copy()
    share, values = np.full(len(triangles), np.nan), np.full((len(triangles), grams.n), np.nan)
    for layer, (triangle, diagonal) in enumerate(zip(triangles, diagonals, strict=True)):
        if not (np.isfinite(triangle).all() and diagonal.any()):
            continue
        full = np.empty((grams.n, grams.n))
        full[rows, columns] = full[columns, rows] = triangle
        np.fill_diagonal(full, diagonal)
        # The file's float32 left a little of a mean.
        full = cka.double_centred(full)
        eigenvalue, vector = first_eigenpair(full)
        share[layer], values[layer] = eigenvalue / np.trace(full), vector
        full -= eigenvalue * np.outer(vector, vector)
        # Of a matrix of rank one only rounding is left.
        if np.trace(full) <= grams.n * np.finfo(np.float32).eps * eigenvalue:
            full[:] = 0
        triangle[:], diagonal[:] = full[rows, columns], np.diagonal(full)
    return cka.Grams(triangles, grams.n, diagonals), share, values


def first_eigenpair(matrix):
    """The largest eigenvalue of a symmetric positive semidefinite matrix and its unit vector, by Lanczos' method."""
    try:
        # A fixed start, so that the same dump gives the same bits; any but one orthogonal to the vector does.
        start = np.random.default_rng(0).standard_normal(len(matrix))
        eigenvalues, vectors = eigsh(matrix, k=1, which="LA", v0=start)
    except ArpackError:  # eigenvalues too close for it
        eigenvalues, vectors = np.linalg.eigh(matrix)
    return eigenvalues[-1], vectors[:, -1]
