"""Deflation: remove the first principal component from Gram matrices (paper, section 5.1 and figure 3).

X holds the features of a minibatch, centred, and X = U S V' is its singular value decomposition. Removing the first
component leaves X - u1 s1 v1'. The Gram matrix K = XX' becomes K - tt', where t = s1 u1 are the component's scores. So
the Gram matrix is enough.
"""

import numpy as np

from widedeep.measures import gram_matrices


def first_scores(triangle, diagonal):
    """Scores of one layer's first component on the examples of a minibatch.

    Args:
        triangle: (n (n - 1) / 2,) strict upper triangle of the layer's centred Gram matrix, row by row.
        diagonal: (n,) diagonal of that matrix.

    Returns:
        (n,) float64, the first left singular vector times its singular value; NaN for a layer that is constant or not
        finite.
    """
    n = len(diagonal)
    if not (np.isfinite(triangle).all() and np.isfinite(diagonal).all() and diagonal.any()):
        return np.full(n, np.nan)
    full = np.zeros((n, n))
    full.reshape(-1)[gram_matrices.flat_triangle(n)] = triangle
    full += full.T
    np.fill_diagonal(full, diagonal)
    # Dumps store float32, so rows do not sum exactly to zero.
    eigenvalue, vector = first_eigenpair(gram_matrices.double_centred(full))
    return np.sqrt(eigenvalue) * vector


def shares(grams, scores):
    """Shares of the variance that the first components explain, (layers,); NaN for layers without one.

    Args:
        grams: gram_matrices.Grams with diagonals.
        scores: (layers, n) scores of the first components.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return (scores**2).sum(axis=1) / grams.diagonals.sum(axis=1)


def unit_vectors(scores):
    """Scale (layers, n) scores to length 1 per layer; NaN stays NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return scores / np.linalg.norm(scores, axis=1)[:, None]


def deflate(grams, scores):
    """Remove the first components from Gram matrices, in place; layers without one do not change.

    Args:
        grams: gram_matrices.Grams with diagonals.
        scores: (layers, n) scores of the first components, NaN for layers without one.
    """
    for triangle, of_layer in zip(grams.triangles, removed(scores), strict=True):
        triangle -= gram_matrices.packed(np.outer(of_layer, of_layer))
    grams.diagonals[:], grams.row_sums[:], nothing = deflated_rows(grams.diagonals, grams.row_sums, scores)
    grams.triangles[nothing] = 0


def removed(scores):
    """The scores that deflation removes, (layers, n): zeros for layers without a first component."""
    return np.where(np.isfinite(scores).all(axis=1)[:, None], scores, 0)


def deflated_rows(diagonals, row_sums, scores):
    """Diagonals and row sums of Gram matrices without their first components.

    Args:
        diagonals, row_sums: (layers, n), as in gram_matrices.Grams.
        scores: (layers, n) scores of the first components, NaN for layers without one.

    Returns:
        ((layers, n) diagonals, (layers, n) row sums, (layers,) whether nothing but rounding errors is left of a layer,
        whose whole matrix then counts as zero)
    """
    scores = removed(scores)
    squares = scores**2
    diagonals, row_sums = diagonals - squares, row_sums - (scores * scores.sum(axis=1)[:, None] - squares)
    # A matrix of rank one leaves nothing but rounding errors.
    rounding = scores.shape[1] * np.finfo(np.float32).eps * squares.sum(axis=1)
    nothing = scores.any(axis=1) & (diagonals.sum(axis=1) <= rounding)
    diagonals[nothing] = row_sums[nothing] = 0
    return diagonals, row_sums, nothing


def first_eigenpair(matrix):
    """Largest eigenvalue and its unit eigenvector of a symmetric positive semidefinite matrix.

    By Lanczos' method with scipy; numpy alone computes all eigenvalues.
    """
    try:
        # The import takes a third of a second, and most programs that import this module do not get here.
        from scipy.sparse.linalg import ArpackError, eigsh
    except ModuleNotFoundError:
        return _largest(np.linalg.eigh(matrix))
    try:
        # With a fixed start the same dump gives the same bits.
        start = np.random.default_rng(0).standard_normal(len(matrix))
        return _largest(eigsh(matrix, k=1, which="LA", v0=start))
    except ArpackError:  # eigenvalues too close for Lanczos' method
        return _largest(np.linalg.eigh(matrix))


def _largest(ascending):
    eigenvalues, vectors = ascending
    return eigenvalues[-1], vectors[:, -1]
