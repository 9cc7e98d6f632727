"""Gram matrices of a network's layers on one minibatch, with features centred on the minibatch.

Linear CKA needs only the Gram matrix K = XX' of a layer, an n x n matrix whatever the layer's width (paper, section 3).

Precision: the product XX' of float32 features is computed in float32, and everything after it in float64. That is safe
only where means are small: where they are 1e4 times the spread, float32 products lose the variance. Such features are
centred before the product. All are centred on the Gram matrix, which also removes the rounding error of the means.

Range: where products of features over- or underflow, the features are scaled by a power of two, which is exact, and
multiplied again.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from widedeep.measures import arrays
from widedeep.runtime.errors import UserError

# Fewest examples of a minibatch: the unbiased estimator divides by n - 3.
FEWEST = 4
# Bound on the rounding error of a sum of squares that should be zero, relative to the uncentred sum, in units of eps^2.
_CONSTANT = 16.0**2
# Least and, inverted, largest sum of squares of the centred features. Beyond, its square, which CKA sums, over- or
# underflows. Only float64 features get there.
LEAST = 2.0**-460
# Features multiplied at once as they are: so many for each example, in these bounds. The fewer, the smaller are sums of
# one sign in float32, and their rounding errors; these matter less where there are more examples.
_FEATURES_FOR_EACH, _FEWEST, _MOST = 16, 512, 4096
# Parts of the features that are multiplied in one call, and entries of their products: 2 MB in float32 fit the cache.
_PARTS, _ENTRIES = 8, 1 << 19
# Share of the features that is multiplied first, which is in vain if means are large.
_TRIED = 1 / 16
# Features centred at once: 256 examples x 4,000 features x 4 bytes fit the cache, where rows of 4,096 collide.
_CENTRED_AT_ONCE = 4000


@dataclass(frozen=True)
class PackedGram:
    """The Gram matrix of one layer on one minibatch of n examples, with centred features.

    Attributes:
        triangle: (n (n - 1) / 2,) strict upper triangle, row by row.
        diagonal: (n,) squared norm of each example's centred features.
        squared_norms: (n,) squared norm of each example's features before centring.

    All are float64; the products were computed in the features' precision.
    """

    triangle: np.ndarray
    diagonal: np.ndarray
    squared_norms: np.ndarray


def packed_gram(features):
    """Compute the PackedGram of one layer's features.

    Args:
        features: (n, ...) array; all axes but the first are flattened, in any order. Types other than float32 and
            float64 are converted as by arrays.real.

    Returns:
        PackedGram; all zeros where the features are constant, NaN where they are not finite, or where their spread is
        so small or large (below about 1e-70 or above 1e70) that float64 cannot hold its fourth power.

    Raises:
        UserError: the array holds something else than numbers.
    """
    x = arrays.real(features)
    x = np.ascontiguousarray(x).reshape(len(x), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        gram, squared_norms = _products(x)
        exponent = 0 if _is_exact(gram, squared_norms, x) else _exponent(x)
        if exponent:
            gram, squared_norms = _products(x, exponent)
        if np.trace(gram) <= rounding_of(squared_norms.sum(), x.dtype):
            gram[:] = 0
        elif not LEAST <= np.ldexp(np.trace(gram), 2 * exponent) <= 1 / LEAST:  # or it is NaN
            gram[:] = np.nan
        if exponent:
            gram, squared_norms = (np.ldexp(part, 2 * exponent) for part in (gram, squared_norms))
    return PackedGram(packed(gram), np.diagonal(gram), squared_norms)


def packed(gram):
    """Strict upper triangle of an (n, n) matrix, row by row, (n (n - 1) / 2,)."""
    return gram.ravel().take(flat_triangle(len(gram)))


def rounding_of(squares, dtype):
    """Rounding-error bound of a sum of squares whose terms cancel; smaller values count as zero.

    Args:
        squares: the sum before subtraction, as the squares of the uncentred features.
        dtype: floating-point type of the terms.
    """
    return _CONSTANT * float(np.finfo(dtype).eps) ** 2 * squares


def float32_holds(diagonals):
    """Return whether float32 holds Gram matrices to its precision, (layers,) bool.

    Args:
        diagonals: (layers, n) float64 array or tensor of their diagonals.
    """
    means = diagonals.mean(-1)
    # The smallest step of float32 is 2^-149.
    return ((means >= 2.0**-116) | (means <= 0)) & (diagonals < 2.0**127).all(-1)


def double_centred(gram):
    """H K H with H = I - 11'/n, (n, n) float64: turns the Gram matrix of features into that of the centred features."""
    gram = gram.astype(np.float64)  # a copy
    means = gram.mean(axis=0)
    gram -= means
    gram -= (means - means.mean())[:, None]
    return gram


@cache
def flat_triangle(n):
    """Indices of the strict upper triangle in a flattened n x n matrix, row by row, (n (n - 1) / 2,)."""
    rows, columns = np.triu_indices(n, 1)
    return rows * n + columns


@dataclass(frozen=True)
class Grams:
    """Gram matrices of several layers on one minibatch, usually all layers of a network.

    All arrays are numpy arrays, or all are torch tensors on one device.

    Attributes:
        triangles: (layers, n (n - 1) / 2) float64, as in PackedGram.
        n: number of examples in the minibatch.
        diagonals: (layers, n) float64. Deflation needs them, HSIC_1 does not.
        row_sums: (layers, n) float64, row sums of the matrices with zeros on the diagonal; computed if not given.

    Raises:
        UserError: n < 4, where HSIC_1 is not defined.
    """

    triangles: np.ndarray
    n: int
    diagonals: np.ndarray | None = None
    row_sums: np.ndarray | None = None

    def __post_init__(self):
        if self.n < FEWEST:
            raise UserError(f"a minibatch has {self.n} examples; the unbiased estimator needs at least {FEWEST}.")
        if self.row_sums is None:
            object.__setattr__(self, "row_sums", row_sums(self.triangles, self.n))

    @classmethod
    def of(cls, layers):
        """Compute the Grams of a list of activations, (n, ...) per layer.

        Raises:
            UserError: n < 4, the layers differ in their number of examples, it is no list, or holds what
                arrays.checked refuses.
        """
        layers = arrays.checked_layers(layers)
        if len({len(features) for features in layers}) != 1:
            raise UserError(f"layers have {[len(features) for features in layers]} examples; give the same examples.")
        grams = cls.unfilled(len(layers), len(layers[0]))
        for layer, features in enumerate(layers):
            grams.fill(layer, packed_gram(features))
        return grams

    @classmethod
    def unfilled(cls, layers, n, empty=np.empty):
        """Allocate uninitialised Gram matrices for `layers` layers and `n` examples; `fill` writes them.

        Args:
            empty: function that allocates a float64 array of a given shape.
        """
        return cls(empty((layers, n * (n - 1) // 2)), n, empty((layers, n)), empty((layers, n)))

    def fill(self, layer, gram):
        """Write the PackedGram of one layer, given by its index."""
        self.triangles[layer], self.diagonals[layer] = gram.triangle, gram.diagonal
        # The rows of a centred Gram matrix sum to zero.
        self.row_sums[layer] = -gram.diagonal

    @property
    def squared_norms(self):
        """Squared norm of each triangle, (layers,), without an array of the squares."""
        return (self.triangles[:, None] @ self.triangles[:, :, None])[:, 0, 0]

    def inner_products(self, other):
        """Inner products of the triangles with those of other Grams, (layers, layers of other)."""
        return self.triangles @ other.triangles.T  # of a network with itself, numpy calls BLAS syrk

    def __getitem__(self, layers):
        """Grams of a slice of the layers; the arrays are views."""
        return Grams(self.triangles[layers], self.n, self.diagonals[layers], self.row_sums[layers])

    def on_host(self):
        """Grams of numpy arrays, from tensors on any device."""
        parts = (self.triangles, self.diagonals, self.row_sums)
        triangles, diagonals, row_sums = (part.cpu().numpy() if hasattr(part, "cpu") else part for part in parts)
        return Grams(triangles, self.n, diagonals, row_sums)

    def copy(self):
        """Grams with copies of the arrays."""
        return Grams(self.triangles.copy(), self.n, self.diagonals.copy(), self.row_sums.copy())


def row_sums(triangles, n):
    """Row sums of the matrices with zeros on the diagonal, (layers, n), from the triangles of Grams."""
    sums = np.zeros((len(triangles), n))
    start = 0
    for row in range(n - 1):
        part = triangles[:, start : start + n - 1 - row]
        sums[:, row] += part.sum(axis=1)
        sums[:, row + 1 :] += part
        start += n - 1 - row
    return sums


def _products(x, exponent=0):
    """Gram matrix of centred (n, p) features, and squared norms of the features; they are scaled by 2^-exponent first.

    Returns:
        ((n, n) float64, (n,) float64)
    """
    gram, squared_norms = np.zeros((len(x), len(x))), np.zeros(len(x))
    done = _add_as_they_are(x, exponent, gram, squared_norms)
    _add_centred(x[:, done:], exponent, gram, squared_norms)
    return double_centred(gram), squared_norms


def _add_as_they_are(x, exponent, gram, squared_norms):
    """Add products of features that are not centred, as long as that is exact, and return the number of features added.

    It takes one pass over the features; centring takes three more.
    """
    n, features = x.shape
    at_once = min(max(_FEATURES_FOR_EACH * n, _FEWEST), _MOST)
    at_most = min(max(_ENTRIES // n**2, 1), _PARTS)
    done, most = 0, min(int(_TRIED * features / at_once), at_most)
    while done < features:
        parts = max(min(most, (features - done) // at_once), 1)
        chosen = _scaled(x[:, done : done + parts * at_once], exponent)
        stacked = chosen.reshape(n, parts, -1).transpose(1, 0, 2)  # (parts, n, at_once), a view
        product = (stacked @ stacked.mT).sum(axis=0, dtype=np.float64)  # numpy calls BLAS syrk for each part
        if not _means_are_small(product, parts):
            break
        gram += product
        squared_norms += product.diagonal()
        done += chosen.shape[1]
        most = at_most
    return done


def _means_are_small(product, parts):
    """Whether products of features in float32 that were not centred are as exact as CKA needs.

    The rounding error of an entry is relative to the entry, but HSIC_1 uses its U-centred value, which can be much
    smaller. The error of CKA is about the ratio of the two, in root mean square, divided by n, because it averages over
    n^2 / 2 entries. The first bound keeps it below 1e-7 on noise, which is the worst case, and the second one keeps the
    diagonal exact, which deflation needs.

    Args:
        product: (n, n) float64, the sum of the products of several parts.
        parts: number of parts; their rounding errors are independent.
    """
    n, diagonal = len(product), product.diagonal()
    rows = product.sum(axis=0) - diagonal
    squares = np.vdot(product, product) - diagonal @ diagonal
    # n (n - 3) HSIC_1 of the features with themselves, times (n - 1) (n - 2), which is zero for two examples.
    spread = (n - 1) * (n - 2) * squares + rows.sum() ** 2 - 2 * (n - 1) * (rows @ rows)
    squared_means, squared_features = product.sum() / n, diagonal.sum()
    return 64 * (n - 1) * (n - 2) * squares <= n**2 * parts * spread and squared_means <= 0.8 * squared_features


def _add_centred(x, exponent, gram, squared_norms):
    """Add the products of features that are centred first."""
    each, room = np.full(len(x), 1 / len(x), x.dtype), np.empty((len(x), _CENTRED_AT_ONCE), x.dtype)
    for start in range(0, x.shape[1], _CENTRED_AT_ONCE):
        part = _scaled(x[:, start : start + _CENTRED_AT_ONCE], exponent)
        centred = np.subtract(part, each @ part, out=room[:, : part.shape[1]])  # numpy's means take longer
        squared_norms += np.vecdot(part, part)  # while the part is in the cache
        gram += centred @ centred.T


def _scaled(part, exponent):
    return np.ldexp(part, -exponent) if exponent else part


def _is_exact(gram, squared_norms, x):
    """Whether no product of features was too large or too small for their type, but for negligible ones."""
    total, variance = squared_norms.sum(), np.trace(gram)
    least = x.size * float(np.finfo(x.dtype).tiny) * 2.0**30
    constant = variance <= rounding_of(total, x.dtype)
    return bool(np.isfinite(variance) and np.isfinite(total) and (total if constant else variance) >= least)


def _exponent(x):
    """The exponent of the power of two by which features are divided so that their largest is near 1."""
    largest = max(x.max(initial=0), -x.min(initial=0))
    return int(np.frexp(largest)[1]) if 0 < largest < np.inf else 0
