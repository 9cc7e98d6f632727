"""Matrices F of n examples with K = FF', from the eigenvectors of Gram matrices K, and nuclear norms of their products.

A layer's features X = U S V' and its F = U S give the same products up to a rotation, so that ||X'Y||_* is the nuclear
norm of the n x n matrix of their factors, whatever the layers' widths.
"""

import numpy as np

from widedeep.measures import gram_matrices
from widedeep.measures.distances import squareform

# Eigenvalues below this share of the largest one are rounding errors: dumps hold float32.
_ROUNDING = float(np.finfo(np.float32).eps)


def eigen(grams):
    """Eigenvalues and eigenvectors of the Gram matrices, layer by layer.

    Args:
        grams: gram_matrices.Grams with diagonals.

    Yields:
        ((n,) eigenvalues, the largest first, zero where they are rounding errors; (n, n) eigenvectors as columns) for
        each layer; None for a layer that is constant or not finite
    """
    triangles = grams.triangles  # of a StackedGrams made anew each time
    for triangle, diagonal in zip(triangles, grams.diagonals, strict=True):
        if not (np.isfinite(triangle).all() and np.isfinite(diagonal).all() and diagonal.any()):
            yield None
            continue
        # Dumps store float32, so rows do not sum exactly to zero.
        gram = gram_matrices.double_centred(squareform(triangle, grams.n) + np.diag(diagonal))
        values, vectors = np.linalg.eigh(gram)
        yield np.where(values > _ROUNDING * values[-1], values, 0)[::-1], vectors[:, ::-1]


def nuclear_norms(first, second):
    """Nuclear norms ||F'G||_* of all pairs of matrices, by a singular value decomposition each.

    Args:
        first, second: (layers, n, n) matrices; those with NaN are undefined. If both are one object, half of the pairs
            are computed.

    Returns:
        (layers of first, layers of second) float64; NaN where undefined
    """
    norms = np.full((len(first), len(second)), np.nan)
    defined = np.flatnonzero(~np.isnan(second).any(axis=(1, 2)))
    same, second = second is first, second[:, :, second.any(axis=(0, 1))]  # columns of zeros add nothing
    for row, factor in enumerate(first):
        if np.isnan(factor).any():
            continue
        columns = defined[defined >= row] if same else defined
        products = factor[:, factor.any(axis=0)].T @ second[columns]
        norms[row, columns] = np.linalg.svd(products, compute_uv=False).sum(axis=1)
        if same:
            norms[columns, row] = norms[row, columns]
    return norms
