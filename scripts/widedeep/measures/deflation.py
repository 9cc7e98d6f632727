"""Gram matrices without their first principal component (paper, figure 3).

Per minibatch X, centred per feature, the component u1 s1 v1' is taken away, which on the Gram matrix K = XX' is K - tt'
with the component's scores t = s1 u1.
"""

import numpy as np

from widedeep.measures import gram_matrices


def scores_of(grams):
    """(layers, n) scores of the first component of each layer of gram_matrices.Grams with their diagonals, as `first_scores`."""
    return np.stack([first_scores(*layer) for layer in zip(grams.triangles, grams.diagonals, strict=True)])


def first_scores(triangle, diagonal):
    """What the first component of one layer is for each example of a minibatch.

    Args:
        triangle: (n (n - 1) / 2,) strict upper triangle of the layer's centred Gram matrix, row by row.
        diagonal: (n,) of it.

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
    # The file's float32 left a little of a mean.
    eigenvalue, vector = first_eigenpair(gram_matrices.double_centred(full))
    return np.sqrt(eigenvalue) * vector


def shares(grams, scores):
    """(layers,) of the variance that the first components hold; NaN where there is none.

    Args:
        grams: gram_matrices.Grams with their diagonals.
        scores: (layers, n) of them.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return (scores**2).sum(axis=1) / grams.diagonals.sum(axis=1)


def unit_vectors(scores):
    """(layers, n) scores scaled to length 1; NaN stays."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return scores / np.linalg.norm(scores, axis=1)[:, None]


def deflate(grams, scores):
    """Take the first components out of gram_matrices.Grams, in place; what has none stays as it is.

    Args:
        grams: gram_matrices.Grams with their diagonals.
        scores: (layers, n) of them.
    """
    known = np.isfinite(scores).all(axis=1)
    scores = np.where(known[:, None], scores, 0)
    squares = scores**2
    for triangle, of_layer in zip(grams.triangles, scores, strict=True):
        triangle -= gram_matrices.packed(np.outer(of_layer, of_layer))
    grams.diagonals[:] -= squares
    grams.row_sums[:] -= scores * scores.sum(axis=1)[:, None] - squares
    # Of a matrix of rank one only rounding is left.
    rounding = grams.n * np.finfo(np.float32).eps * squares.sum(axis=1)
    nothing = known & (grams.diagonals.sum(axis=1) <= rounding)
    for part in (grams.triangles, grams.diagonals, grams.row_sums):
        part[nothing] = 0


def first_eigenpair(matrix):
    """The largest eigenvalue of a symmetric positive semidefinite matrix and its unit vector, by Lanczos' method."""
    # Importing it takes a third of a second, and those that read a dump need it not.
    from scipy.sparse.linalg import ArpackError, eigsh

    try:
        # A fixed start, so that the same dump gives the same bits; any but one orthogonal to the vector does.
        start = np.random.default_rng(0).standard_normal(len(matrix))
        eigenvalues, vectors = eigsh(matrix, k=1, which="LA", v0=start)
    except ArpackError:  # eigenvalues too close for it
        eigenvalues, vectors = np.linalg.eigh(matrix)
    return eigenvalues[-1], vectors[:, -1]
