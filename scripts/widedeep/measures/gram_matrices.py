"""Gram matrices of a network's layers on one minibatch, with features centred on the minibatch.

Linear CKA needs only the Gram matrix K = XX' of a layer, an n x n matrix whatever the layer's width (paper, section 3).

Precision: the product XX' of float32 features is computed in float32, and everything after it in float64. That is safe
only for centred features: where means are 1e4 times the spread, float32 products lose the variance. So features are
centred before the product, and once more after it, on the Gram matrix, which removes the rounding error of the means.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from widedeep.runtime.errors import UserError

# Bound on the rounding error of a sum of squares that should be zero, relative to the uncentred sum, in units of eps^2.
_CONSTANT = 16.0**2
# Features centred at once: 256 examples x 4,096 features x 4 bytes fit the cache.
_AT_ONCE = 4096


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
            float64 are converted to float64.

    Returns:
        PackedGram; all zeros where the features are constant, NaN where they are not finite.
    """
    x = np.ascontiguousarray(features).reshape(len(features), -1)
    if x.dtype not in (np.float32, np.float64):
        x = x.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        squared_norms = np.vecdot(x, x).astype(np.float64)
        gram = _of_centred(x)
        if np.trace(gram) <= rounding_of(squared_norms.sum(), x.dtype):
            gram[:] = 0
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
        if self.n < 4:
            raise UserError(f"a minibatch has {self.n} examples; the unbiased estimator needs at least 4.")
        if self.row_sums is None:
            object.__setattr__(self, "row_sums", row_sums(self.triangles, self.n))

    @classmethod
    def of(cls, layers):
        """Compute the Grams of a list of activations, (n, ...) per layer.

        Raises:
            UserError: n < 4, or the layers differ in their number of examples.
        """
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


def _of_centred(x):
    """Gram matrix of (n, p) features that are centred before the product, (n, n) float64."""
    gram, each = np.zeros((len(x), len(x))), np.full(len(x), 1 / len(x), x.dtype)
    for start in range(0, x.shape[1], _AT_ONCE):
        part = x[:, start : start + _AT_ONCE]
        part = part - each @ part  # numpy's means take longer
        gram += part @ part.T  # numpy calls BLAS syrk for this
    return double_centred(gram)
