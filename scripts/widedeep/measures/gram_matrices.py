"""Gram matrices of the layers of a network on one minibatch, of features centred on the minibatch.

Linear CKA needs no more of a layer than its Gram matrix K = XX', whatever the layer's width (paper, section 3).

Where float32 is safe: the Gram matrix of a float32 layer may be formed in float32 once the features are centred, since
products of features with means of 1e4 spreads keep nothing of the spread in 24 bits. So features whose mean outweighs
their spread are centred before the product, and others after it, on the Gram matrix in float64. Everything behind the
Gram matrix is float64.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from widedeep.runtime.errors import UserError

# Centring a Gram matrix loses the bits that the squared mean has more than the variance: 2 at this ratio.
_LARGE_MEAN = 4.0
# Where terms cancel, rounding leaves up to this share of the sum of their squares, in units of eps^2.
_CONSTANT = 16.0**2
# Columns that are centred at once: 256 examples x 4,096 features x 4 bytes stay in the cache.
_BLOCK = 4096


@dataclass(frozen=True)
class PackedGram:
    """The Gram matrix of one layer and minibatch, of features centred on the minibatch.

    Attributes:
        triangle: (n (n - 1) / 2,) strict upper triangle, row by row.
        diagonal: (n,) squared norms of the centred features.
        squared_norms: (n,) of the features as they are.

    All are float64, of products in the features' precision.
    """

    triangle: np.ndarray
    diagonal: np.ndarray
    squared_norms: np.ndarray


def packed_gram(features):
    """Centre features on their minibatch and multiply them with themselves.

    Args:
        features: (n, ...) float32 or float64; flattened to (n, p), whose order does not matter.

    Returns:
        PackedGram; exactly zero where the features are constant, NaN where they are not finite.
    """
    x = np.ascontiguousarray(features).reshape(len(features), -1)
    if x.dtype not in (np.float32, np.float64):
        x = x.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        gram = x @ x.T  # numpy calls BLAS syrk for this
        squared_norms = np.diagonal(gram).astype(np.float64)
        keeps_the_bits = x.dtype == np.float32 and not has_large_mean(gram)
        gram = double_centred(gram) if keeps_the_bits else _of_centred(x)
        if np.trace(gram) <= rounding_of(squared_norms.sum(), x.dtype):
            gram[:] = 0
    return PackedGram(packed(gram), np.diagonal(gram), squared_norms)


def packed(gram):
    """The strict upper triangle of an (n, n) matrix, row by row."""
    return gram.ravel().take(flat_triangle(len(gram)))


def rounding_of(squares, dtype):
    """What rounding in `dtype` may leave of a sum of squares where its terms cancel: what is not above this is nothing.

    Args:
        squares: the sum without what is subtracted from it, as of uncentred features, over examples and features.
    """
    return _CONSTANT * np.finfo(dtype).eps ** 2 * squares


def has_large_mean(gram):
    """Whether the features' squared mean outweighs their variance, read off the Gram matrix of uncentred features."""
    squared_mean = gram.mean()
    return squared_mean > _LARGE_MEAN * (np.trace(gram) / len(gram) - squared_mean)


def double_centred(gram):
    """H K H with H = 1 - 11'/n: the Gram matrix of the centred features, from that of the uncentred ones, float64."""
    gram = gram.astype(np.float64)  # a copy, which the rest works in
    means = gram.mean(axis=0)
    gram -= means
    gram -= (means - means.mean())[:, None]
    return gram


@cache
def flat_triangle(n):
    """(n (n - 1) / 2,) places of the strict upper triangle in a flattened n x n matrix, row by row."""
    rows, columns = np.triu_indices(n, 1)
    return rows * n + columns


@dataclass(frozen=True)
class Grams:
    """The Gram matrices of some layers on one minibatch, usually all of a network.

    The arrays are numpy's or, all of them on one device, torch's.

    Attributes:
        triangles: (layers, n (n - 1) / 2) float64, as in PackedGram.
        n: examples in the minibatch.
        diagonals: (layers, n) float64; HSIC_1 does not need them, the deflation of a component does.
        row_sums: (layers, n) float64, over the rows of the matrices with zeroed diagonals; added up if not given.

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
        """From the activations (n, ...) of every layer."""
        if len({len(features) for features in layers}) != 1:
            raise UserError(f"layers have {[len(features) for features in layers]} examples; they must be the same.")
        grams = cls.unfilled(len(layers), len(layers[0]))
        for layer, features in enumerate(layers):
            grams.fill(layer, packed_gram(features))
        return grams

    @classmethod
    def unfilled(cls, layers, n, empty=np.empty):
        """Of so many layers and examples, for `fill`; the arrays are of `empty`."""
        return cls(empty((layers, n * (n - 1) // 2)), n, empty((layers, n)), empty((layers, n)))

    def fill(self, layer, gram):
        """Put in the PackedGram of one layer."""
        self.triangles[layer], self.diagonals[layer] = gram.triangle, gram.diagonal
        # A centred matrix has rows that sum to zero.
        self.row_sums[layer] = -gram.diagonal

    def __getitem__(self, layers):
        """The Grams of a slice of the layers; a view."""
        return Grams(self.triangles[layers], self.n, self.diagonals[layers], self.row_sums[layers])

    def copy(self):
        return Grams(self.triangles.copy(), self.n, self.diagonals.copy(), self.row_sums.copy())


def row_sums(triangles, n):
    """Sums over the rows of matrices with zeroed diagonals, (layers, n), from their triangles as in Grams."""
    sums = np.zeros((len(triangles), n))
    start = 0
    for row in range(n - 1):
        part = triangles[:, start : start + n - 1 - row]
        sums[:, row] += part.sum(axis=1)
        sums[:, row + 1 :] += part
        start += n - 1 - row
    return sums


def _of_centred(x):
    """The Gram matrix of (n, p) features minus their mean, float64."""
    gram = np.zeros((len(x), len(x)))
    for start in range(0, x.shape[1], _BLOCK):
        block = x[:, start : start + _BLOCK]
        block = block - block.mean(axis=0, dtype=np.float64).astype(x.dtype)
        gram += block @ block.T
    # What rounding left of the mean.
    return double_centred(gram)
