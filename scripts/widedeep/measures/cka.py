"""Minibatch CKA with the unbiased HSIC estimator (paper, equations 1 to 3; Nguyen et al. 2021).

Over k minibatches with Gram matrices K_i and L_i of two layers

    CKA = mean_i HSIC_1(K_i, L_i) / ( sqrt(mean_i HSIC_1(K_i, K_i)) * sqrt(mean_i HSIC_1(L_i, L_i)) )

The means are taken before the ratio: then the expectation of its terms does not depend on the batch size (appendix A).

One pair of layers, as arrays in memory:

    >>> import numpy as np
    >>> from widedeep.measures.cka import cka
    >>> x = np.random.default_rng(0).standard_normal((512, 10))
    >>> round(cka(x, 2 * x + 1, batch_size=256), 6)
    1.0

All pairs of layers of two networks, one minibatch at a time:

    >>> from widedeep.measures.cka import MinibatchCKA
    >>> similarity = MinibatchCKA()
    >>> for batch in np.split(x, 2):
    ...     similarity.add([batch, batch**2], [batch[:, :3]])  # two layers against one
    >>> similarity.result().values.shape
    (2, 1)
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from widedeep.measures import arrays
from widedeep.measures.gram_matrices import FEWEST, Grams
from widedeep.measures.hsic import cross_hsic, self_hsic
from widedeep.runtime.errors import UserError

# Reasons for an undefined CKA, as files of similarities hold them.
CONSTANT = (
    "constant: the layer's output is the same for all examples of each minibatch, or no two examples vary together (as "
    "where only one differs from the rest), so it has no CKA"
)
NOT_FINITE = (
    "not finite: the layer's output holds NaN or infinity, or its spread is so small or large that its Gram matrix, or "
    "products of it, leave the range of the type (in float64 below about 1e-70 or above 1e70)"
)


def cka(x: ArrayLike, y: ArrayLike, batch_size: int | None = None) -> float:
    """Minibatch CKA between two layers, with the unbiased HSIC (paper, equations 2 and 3).

    Args:
        x: (examples, ...) activations of one layer; all axes but the first are flattened. An array, tensor, DataFrame
            or nested list of numbers; the real and imaginary parts of complex numbers are features (arrays.real).
        y: (examples, ...) activations of the other layer for the same examples in the same order.
        batch_size: examples per minibatch, at least 4; an incomplete last minibatch is dropped. None: one minibatch.

    Returns:
        float; NaN where a layer is constant or not finite. The estimator is unbiased, so it can leave [0, 1] slightly;
        values are not clamped.

    Raises:
        UserError: the numbers of examples differ; the batch is larger than them, has fewer than 4, or is no integer; or
            an array is masked, sparse, empty, or does not hold numbers.
    """
    x, y = arrays.checked(x, "x"), arrays.checked(y, "y")
    if len(x) != len(y):
        raise UserError(f"x has {len(x)} examples and y has {len(y)}; CKA needs the same examples in both.")
    batch_size = len(x) if batch_size is None else _checked(batch_size)
    if len(x) < batch_size:
        raise UserError(f"batch_size {batch_size} is larger than the number of examples ({len(x)}).")
    similarity = MinibatchCKA()
    for first in range(0, len(x) - batch_size + 1, batch_size):
        similarity.add([x[first : first + batch_size]], [y[first : first + batch_size]])
    return float(similarity.result().values[0, 0])


def _checked(batch_size):
    """Return the batch size as an int, at least FEWEST."""
    try:
        size = operator.index(batch_size)
    except TypeError:
        size = 0
    if size < FEWEST:
        raise UserError(f"batch_size is {batch_size!r}; give an integer, of at least {FEWEST} examples.")
    return size


@dataclass(frozen=True)
class Similarity:
    """Similarity between the layers of two networks by one measure.

    Attributes:
        values: (layers of first, layers of second) float64; NaN where undefined.
        undefined_first, undefined_second: a reason per layer why its row or column is NaN, "" where it is defined.
        minibatches: number of minibatches.
        names_first, names_second: names of the layers; layer_similarity.layer_cka sets them.
    """

    values: np.ndarray
    undefined_first: list[str]
    undefined_second: list[str]
    minibatches: int
    names_first: list[str] | None = None
    names_second: list[str] | None = None

    def part(self, first: list[int], second: list[int]) -> "Similarity":
        """The Similarity of the layers of both networks with these indices, without names."""
        reasons = [self.undefined_first[at] for at in first], [self.undefined_second[at] for at in second]
        return Similarity(self.values[np.ix_(first, second)], *reasons, self.minibatches)


@dataclass
class MinibatchCKA:
    """Accumulates HSIC_1 over minibatches; CKA is the ratio of the means (paper, equation 2).

    It keeps one number per pair of layers, and nothing of a minibatch. All minibatches have the same number of
    examples: HSIC_1 is unbiased for every n, but a mean over minibatches would give the examples of an incomplete one
    more weight, and its estimate is noisier. Drop it, as the paper does.
    """

    minibatches: int = field(default=0, init=False)
    _first_minibatch: str = field(default="", init=False, repr=False)
    _cross: np.ndarray = field(default=0.0, init=False, repr=False)
    _first: np.ndarray = field(default=0.0, init=False, repr=False)
    _second: np.ndarray = field(default=0.0, init=False, repr=False)

    def add(self, first: Sequence[ArrayLike], second: Sequence[ArrayLike] | None = None) -> None:
        """Add one minibatch.

        Args:
            first: list of (n, ...) activations, one per layer.
            second: the same for the other network, on the same examples; None: the first network with itself.

        Raises:
            UserError: there are fewer than 4 examples, not the same number in all layers and minibatches, or other
                layers than in the first minibatch; or the layers are no list of arrays of numbers.
        """
        grams = Grams.of(first)
        self.add_grams(grams, grams if second is None else Grams.of(second))

    def add_grams(self, first, second):
        """Add one minibatch as gram_matrices.Grams; `second` may be `first`.

        Raises:
            UserError: the numbers of examples, layers or networks differ from those of the first minibatch.
        """
        self._check(first, second)
        cross = cross_hsic(first, second)
        self.minibatches += 1
        self._cross = self._cross + cross
        self._first = self._first + self_hsic(first)
        self._second = self._first if second is first else self._second + self_hsic(second)

    def _check(self, first, second):
        layers = f"{len(first.row_sums)} layers"
        layers += " of one network" if second is first else f" and {len(second.row_sums)} of another network"
        minibatch = f"{first.n} examples and {layers}"
        self._first_minibatch = self._first_minibatch or minibatch
        if minibatch != self._first_minibatch:
            raise UserError(f"a minibatch has {minibatch}, the first had {self._first_minibatch}; give the same.")

    def result(self) -> Similarity:
        """Return the Similarity over all minibatches so far.

        Raises:
            UserError: no minibatch was added.
        """
        if not self.minibatches:
            raise UserError("no minibatch was added; call add() first.")
        return ratio(*map(on_host, (self._cross, self._first, self._second)), self.minibatches)


def ratio(cross, first, second, minibatches, undefined=None):
    """CKA from sums of HSIC_1 over minibatches (paper, equation 2).

    Args:
        cross: (layers of first, layers of second) sums for pairs of layers.
        first, second: (layers,) sums for each layer with itself; the imaginary parts, if any, are bounds of their
            rounding errors, and a layer whose sum is not above its bound is undefined.
        minibatches: number of minibatches in the sums.
        undefined: reason to give for all undefined layers; None gives those of CKA.

    Returns:
        Similarity
    """
    first, second = (np.where(sums.real <= sums.imag, 0.0, sums.real) for sums in (first, second))
    undefined_first, undefined_second = _undefined(first, undefined), _undefined(second, undefined)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = cross / np.sqrt(first)[:, None] / np.sqrt(second)
    values[[bool(reason) for reason in undefined_first], :] = np.nan
    values[:, [bool(reason) for reason in undefined_second]] = np.nan
    return Similarity(values, undefined_first, undefined_second, minibatches)


def on_host(values):
    """Convert a tensor on any device to a numpy array; pass numpy arrays through."""
    return values.cpu().numpy() if hasattr(values, "cpu") else values


def _undefined(self_hsic, reason):
    constant, not_finite = (reason or CONSTANT, reason or NOT_FINITE)
    return ["" if value > 0 and np.isfinite(value) else constant if value <= 0 else not_finite for value in self_hsic]
