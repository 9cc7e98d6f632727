"""Minibatch CKA with the unbiased HSIC estimator (paper, section 2; Song et al. 2012; Nguyen et al. 2021).

For one pair of layers on arrays in memory:

    >>> import numpy as np
    >>> from widedeep.cka import cka
    >>> x = np.random.default_rng(0).standard_normal((512, 10))
    >>> round(cka(x, 2 * x + 1, batch_size=256), 6)
    1.0

For all pairs of layers of two networks, a minibatch at a time:

    >>> from widedeep.cka import MinibatchCKA
    >>> similarity = MinibatchCKA()
    >>> for batch in np.split(x, 2):
    ...     similarity.add([batch, batch**2], [batch[:, :3]])  # two layers against one
    >>> similarity.result().values.shape
    (2, 1)

Where float32 is safe: the Gram matrix of a layer in float32 may be formed in float32, whatever its width, once the
features are centred: products of features with means of 1e4 spreads keep nothing of the spread in 24 bits. So features
whose mean outweighs their spread are centred before the product, others after it, on the Gram matrix in float64.
Everything behind the Gram matrix is float64.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from widedeep.errors import UserError

# Centring a Gram matrix loses the bits that the squared mean has more than the variance: 2 at this ratio.
_LARGE_MEAN = 4.0
# What is left where terms cancel is rounding: up to this share of the sum of their squares, in units of eps^2.
_CONSTANT = 16.0**2
# Columns that are centred at once: 256 examples x 4,096 features x 4 bytes stay in the cache.
_BLOCK = 4096

CONSTANT = (
    "constant: the layer's output is the same for all examples of each minibatch, or no two examples vary together (as "
    "where only one differs from the rest), so it has no CKA"
)
NOT_FINITE = "not finite: the layer's output, or its Gram matrix, holds NaN or infinity"


def cka(x, y, batch_size=None):
    """Unbiased linear CKA between two layers, in minibatches as the paper defines it.

    Args:
        x: (examples, ...) activations of one layer; what follows the first axis is flattened.
        y: (examples, ...) activations of the other for the same examples in the same order.
        batch_size: examples a minibatch, at least 4; an incomplete last minibatch is dropped. None: all at once.

    Returns:
        float, near [0, 1] but not clamped to it, since the estimator is unbiased; NaN where a layer is constant.

    Raises:
        UserError: numbers of examples differ, or a minibatch has fewer than 4 of them.
    """
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y):
        raise UserError(f"x has {len(x)} examples and y has {len(y)}; CKA needs the same examples in both.")
    batch_size = len(x) if batch_size is None else batch_size
    if len(x) < batch_size:
        raise UserError(f"batch_size {batch_size} is larger than the number of examples ({len(x)}).")
    similarity = MinibatchCKA()
    for first in range(0, len(x) - batch_size + 1, batch_size):
        similarity.add([x[first : first + batch_size]], [y[first : first + batch_size]])
    return float(similarity.result().values[0, 0])


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


@dataclass(frozen=True)
class Similarity:
    """CKA between the layers of two networks.

    Attributes:
        values: (layers of first, layers of second) float64; NaN where undefined.
        undefined_first, undefined_second: for each layer why its row or column is NaN; empty where it is not.
        minibatches: how many the means were taken over.
        names_first, names_second: of the layers, where they are known (networks.layer_cka).
    """

    values: np.ndarray
    undefined_first: list
    undefined_second: list
    minibatches: int
    names_first: list | None = None
    names_second: list | None = None


@dataclass
class MinibatchCKA:
    """Accumulates HSIC_1 over minibatches; CKA is the ratio of the means (paper, eq. 2).

    The memory is that of the layer pairs; nothing is kept of a minibatch.
    """

    minibatches: int = 0
    _cross: np.ndarray = field(default=0.0, repr=False)
    _first: np.ndarray = field(default=0.0, repr=False)
    _second: np.ndarray = field(default=0.0, repr=False)

    def add(self, first, second=None):
        """Add one minibatch.

        Args:
            first: list of activations (n, ...), one a layer.
            second: the same of the other network, on the same examples; None: the first with itself.
        """
        grams = Grams.of(first)
        self.add_grams(grams, grams if second is None else Grams.of(second))

    def add_grams(self, first, second):
        """Add one minibatch by its Grams; `second` may be `first`."""
        cross = cross_hsic(first, second)
        self.minibatches += 1
        self._cross = self._cross + cross
        self._first = self._first + self_hsic(first)
        self._second = self._first if second is first else self._second + self_hsic(second)

    def result(self):
        """The Similarity over all minibatches so far.

        Raises:
            UserError: there was none.
        """
        if not self.minibatches:
            raise UserError("no minibatch was added; CKA needs at least one.")
        return ratio(*map(_host, (self._cross, self._first, self._second)), self.minibatches)


def ratio(cross, first, second, minibatches):
    """CKA from sums of HSIC_1 over minibatches (paper, eq. 2).

    Args:
        cross: (layers of first, layers of second) between layers.
        first, second: (layers,) of each layer with itself.
        minibatches: how many were added up.

    Returns:
        Similarity
    """
    undefined_first, undefined_second = _undefined(first), _undefined(second)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = cross / np.sqrt(first)[:, None] / np.sqrt(second)
    values[[bool(reason) for reason in undefined_first], :] = np.nan
    values[:, [bool(reason) for reason in undefined_second]] = np.nan
    return Similarity(values, undefined_first, undefined_second, minibatches)


def _of_centred(x):
    """The Gram matrix of (n, p) features minus their mean, float64."""
    gram = np.zeros((len(x), len(x)))
    for start in range(0, x.shape[1], _BLOCK):
        block = x[:, start : start + _BLOCK]
        block = block - block.mean(axis=0, dtype=np.float64).astype(x.dtype)
        gram += block @ block.T
    # What rounding left of the mean.
    return double_centred(gram)


def _host(values):
    """A numpy array of what may be a tensor on a device."""
    return values.cpu().numpy() if hasattr(values, "cpu") else values


def _undefined(self_hsic):
    return ["" if value > 0 and np.isfinite(value) else CONSTANT if value <= 0 else NOT_FINITE for value in self_hsic]
