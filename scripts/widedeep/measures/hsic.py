"""The unbiased estimator of HSIC, from Gram matrices (Song et al. 2012, equation 5; paper, equation 3).

K and L are the Gram matrices of two layers on the same n examples, and K~ and L~ the same with zeros on the diagonal.
With sum(M) for the sum of all entries of a matrix M,

    HSIC_1(K, L) = [ tr(K~ L~) + sum(K~) sum(L~) / ((n - 1)(n - 2)) - 2 sum(K~ L~) / (n - 2) ] / (n (n - 3))

Each of the three terms is an inner product of one vector that depends on K alone and one that depends on L alone:

    tr(K~ L~)       = 2 <triangle of K, triangle of L>      the strict upper triangle, n (n - 1) / 2 entries
    sum(K~) sum(L~) = <total of K, total of L>              one entry
    sum(K~ L~)      = <row sums of K~, row sums of L~>      n entries

So stack the triangles of all layers of one network as the rows of a matrix, and those of another network as the rows of
a second one. The product of the two matrices holds the first term for all pairs of layers, and nearly all of the work.
The other two terms are small products of the same kind.

Equivalently, HSIC_1 is the inner product of the U-centred Gram matrices, divided by n (n - 3) (Szekely and Rizzo 2014).
"""

import math

import numpy as np

from widedeep.measures import arrays
from widedeep.measures.gram_matrices import Grams, packed, rounding_of
from widedeep.runtime.errors import UserError

# Largest difference of a Gram matrix and its transpose, relative to its largest entry: float32 rounding.
_ASYMMETRY = 1e-5


def hsic1(k, l):  # noqa: E741 (the paper's names)
    """Unbiased estimate HSIC_1 from two Gram matrices (Song et al. 2012, equation 5; paper, equation 3).

    Args:
        k, l: (n, n) symmetric real Gram matrices, n >= 4; the diagonals are ignored.

    Returns:
        float

    Raises:
        UserError: n < 4; the shapes differ; one is not square, not symmetric, not real, or not finite; or they are so
            large that products of them are not finite.
    """
    k, l = _checked(k, "k"), _checked(l, "l")  # noqa: E741
    if k.shape != l.shape:
        raise UserError(f"the Gram matrices have shapes {k.shape} and {l.shape}; CKA needs the same examples in both.")
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(cross_hsic(Grams(packed(k)[None], len(k)), Grams(packed(l)[None], len(l)))[0, 0])
    if not math.isfinite(found):
        largest = " and ".join(f"{abs(gram).max():.3g}" for gram in (k, l))
        raise UserError(f"k and l hold values up to {largest}, whose products leave float64; scale the features down.")
    return found


def _checked(gram, name):
    """Return a Gram matrix as float64."""
    gram = arrays.checked(gram, name)
    if gram.ndim != 2 or len(gram) != gram.shape[1] or gram.dtype.kind == "c":
        raise UserError(f"{name} is {gram.dtype} of shape {gram.shape}; give a real Gram matrix, (n, n), as x @ x.T.")
    gram = arrays.real(gram).astype(np.float64)
    if not np.isfinite(gram).all():
        raise UserError(f"{name} holds NaN or infinity; give a Gram matrix of finite features.")
    with np.errstate(over="ignore"):
        asymmetry = abs(gram - gram.T).max()
    if asymmetry > _ASYMMETRY * abs(gram).max():
        raise UserError(f"{name} is not symmetric; give a Gram matrix, as x @ x.T.")
    return gram


def cross_hsic(first, second):
    """HSIC_1 between every layer of one network and every layer of another, on one minibatch.

    Args:
        first, second: Grams of the same n examples.

    Returns:
        (layers of first, layers of second) float64

    Raises:
        UserError: the numbers of examples differ.
    """
    n = first.n
    if second.n != n:
        raise UserError(f"minibatches of {n} and {second.n} examples; CKA needs the same examples in both.")
    traces = first.inner_products(second)
    totals = first.row_sums.sum(axis=1)[:, None] * second.row_sums.sum(axis=1) / ((n - 1) * (n - 2))
    rows = first.row_sums @ second.row_sums.T
    return (2 * traces + totals - 2 / (n - 2) * rows) / (n * (n - 3))


def self_hsic(grams):
    """HSIC_1 of every layer with itself, and as imaginary part the bound of its rounding error, (layers,) complex128.

    HSIC_1 is zero for a layer that differs on one example only, as a nearly dead ReLU does, and for a layer whose
    examples are all orthogonal. The rounding error of the Gram matrix would then look like a CKA, also beside other
    minibatches: so sums over minibatches are compared with the sums of the bounds (cka.ratio).
    """
    n = grams.n
    traces, rows = grams.squared_norms, (grams.row_sums**2).sum(axis=1)
    totals = grams.row_sums.sum(axis=1) ** 2 / ((n - 1) * (n - 2))
    terms = 2 * traces + totals - 2 / (n - 2) * rows
    bound = rounding_of(2 * traces, np.float32)
    return terms / (n * (n - 3)) + 1j * (bound / (n * (n - 3)))
