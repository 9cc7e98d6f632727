"""The unbiased estimator of HSIC from Gram matrices (Song et al. 2012, equation 5; paper, equation 3).

With K~ and L~ the Gram matrices K and L with zeroed diagonals, over n examples,

    HSIC_1(K, L) = 1 / (n (n - 3)) * ( tr(K~ L~) + (1'K~1)(1'L~1) / ((n - 1)(n - 2)) - 2 / (n - 2) * 1'K~L~1 )

Each term is an inner product of something that belongs to K alone and something that belongs to L alone: of the
flattened triangles (tr(K~ L~) is twice their product), of the totals, and of the row sums. Equivalently, HSIC_1 is the
inner product of the U-centred Gram matrices divided by n (n - 3) (Szekely and Rizzo 2014). So HSIC_1 between all layers
of one network and all layers of another is one matrix product of their stacked triangles, plus two small ones.
"""

import numpy as np

from widedeep.measures.gram_matrices import Grams, packed, rounding_of
from widedeep.runtime.errors import UserError


def hsic1(k, l):  # noqa: E741 (the paper's names)
    """The unbiased estimator HSIC_1 of two Gram matrices (Song et al. 2012, eq. 5; paper, eq. 3).

    Args:
        k, l: (n, n) symmetric Gram matrices, n >= 4; their diagonals do not matter.

    Returns:
        float

    Raises:
        UserError: n < 4, or the shapes differ.
    """
    k, l = (np.asarray(gram, dtype=np.float64) for gram in (k, l))  # noqa: E741
    if k.shape != l.shape:
        raise UserError(f"the Gram matrices have shapes {k.shape} and {l.shape}; CKA needs the same examples in both.")
    return float(cross_hsic(Grams(packed(k)[None], len(k)), Grams(packed(l)[None], len(l)))[0, 0])


def cross_hsic(first, second):
    """HSIC_1 between every layer of one network and every layer of another, on one minibatch: one matrix product.

    Args:
        first, second: Grams over the same examples.

    Returns:
        (layers of first, layers of second) float64
    """
    n = first.n
    if second.n != n:
        raise UserError(f"minibatches of {n} and {second.n} examples; CKA needs the same examples in both.")
    traces = first.triangles @ second.triangles.T  # with itself BLAS syrk again
    totals = first.row_sums.sum(axis=1)[:, None] * second.row_sums.sum(axis=1) / ((n - 1) * (n - 2))
    rows = first.row_sums @ second.row_sums.T
    return (2 * traces + totals - 2 / (n - 2) * rows) / (n * (n - 3))


def self_hsic(grams):
    """HSIC_1 of every layer with itself, (layers,) float64; exactly zero where no two examples vary together.

    Such a layer differs for one example alone (a ReLU that is nearly dead), or in another direction for each. The terms
    then cancel but for the rounding of the Gram matrix, which would pass for a CKA.
    """
    n = grams.n
    traces, rows = _squared_sums(grams.triangles), _squared_sums(grams.row_sums)
    totals = grams.row_sums.sum(axis=1) ** 2 / ((n - 1) * (n - 2))
    terms = 2 * traces + totals - 2 / (n - 2) * rows
    return terms * (terms > rounding_of(2 * traces, np.float32)) / (n * (n - 3))


def _squared_sums(rows):
    """(rows,) sums of squares, without an array of the squares."""
    return (rows[:, None] @ rows[:, :, None])[:, 0, 0]
