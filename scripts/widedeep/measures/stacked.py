"""Gram matrices of the layers of several networks on one minibatch, read from dumps, and their inner products.

The triangles stay as the dumps hold them. A block of their entries, of all layers, is converted to float64, deflated
and multiplied while it is in the cache. Whole triangles in float64, with and without first components, would take four
times the memory, and each step would have to go through that memory once more.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from widedeep.measures import deflation
from widedeep.measures.gram_matrices import Grams

# Bytes of a block in float64. Both blocks, with and without first components, fit the cache that cores share.
BLOCK = 2 << 20


class Stack:
    """Arrays for the Gram matrices of all layers of several networks on one minibatch.

    Args:
        layers: number of layers of all networks together.
        n: number of examples in a minibatch.
        dtype: of the triangles, float32 or float64.
        pairs: list of (slice, slice) of the layers that measures compare, each slice with start and stop.

    Attributes:
        triangles: (layers, n (n - 1) / 2) of this type, as in gram_matrices.Grams.
        diagonals: (layers, n) float64.
        scores: (layers, n) float64, scores of the first components, NaN for layers without one.
    """

    def __init__(self, layers, n, dtype, pairs):
        self.triangles = np.empty((layers, n * (n - 1) // 2), dtype)
        self.diagonals, self.scores = np.empty((2, layers, n))
        self._pairs = {_key(*pair): pair for pair in pairs}
        self._blocks = row_blocks(n, BLOCK // (8 * layers))
        self._rooms = np.empty((2, max(block.stop - block.start for block, _ in self._blocks), layers))

    def minibatch(self):
        """Return the StackedMinibatch of what the arrays hold; it is valid until they change."""
        row_sums, norms, products = self._multiplied()
        diagonals, deflated_sums, nothing = deflation.deflated_rows(self.diagonals, row_sums, self.scores)
        # Only rounding errors are left of these layers.
        norms[1, nothing] = 0
        for key, (first, second) in self._pairs.items():
            products[key][1, nothing[first]] = products[key][1][:, nothing[second]] = 0
        whole = slice(0, len(self.scores))
        plain = StackedGrams(self, 0, whole, (self.diagonals, row_sums, norms[0]), products)
        deflated = StackedGrams(self, 1, whole, (diagonals, deflated_sums, norms[1]), products)
        return StackedMinibatch(plain, deflated, deflation.unit_vectors(self.scores))

    def _multiplied(self):
        """Go through all entries once.

        Returns:
            ((layers, n) row sums as in gram_matrices.Grams; (2, layers) squared norms of the triangles, with and
            without first components; dict from the key of a pair to (2, layers of first, layers of second) products)
        """
        layers, n = self.scores.shape
        scores = np.ascontiguousarray(deflation.removed(self.scores).T)
        row_sums, norms = np.zeros((n, layers)), np.zeros((2, layers))
        sizes = {key: [part.stop - part.start for part in pair] for key, pair in self._pairs.items()}
        products = {key: np.zeros((2, *size)) for key, size in sizes.items()}
        rooms = {key: np.empty(size) for key, size in sizes.items()}
        for block, rows in self._blocks:
            plain, deflated = self._rooms[:, : block.stop - block.start]  # (entries, layers) each
            plain[:] = self.triangles[:, block].T
            for row, entries in rows:
                row_sums[row] += plain[entries].sum(axis=0)
                row_sums[row + 1 :] += plain[entries]
                np.multiply(scores[row], scores[row + 1 :], out=deflated[entries])
            np.subtract(plain, deflated, out=deflated)
            for index, part in enumerate((plain, deflated)):
                norms[index] += np.einsum("el,el->l", part, part)
                for key, (first, second) in self._pairs.items():
                    # Of a network with itself, numpy calls BLAS syrk.
                    products[key][index] += np.matmul(part[:, first].T, part[:, second], out=rooms[key])
        return row_sums.T, norms, products


class StackedGrams:
    """Grams of a Stack. The triangles in float64 are only made for measures that ask for them.

    Args:
        stack: the Stack.
        index: 0 for the Gram matrices as they are, 1 for those without first components.
        layers: slice of the layers of the stack.
        arrays: (diagonals, row sums, squared norms) of the whole stack.
        products: dict from the key of a pair to its inner products.
    """

    def __init__(self, stack, index, layers, arrays, products):
        self._stack, self._index, self._layers, self._arrays, self._products = stack, index, layers, arrays, products
        self.n = stack.scores.shape[1]
        self.diagonals, self.row_sums, self.squared_norms = (array[layers] for array in arrays)

    @property
    def triangles(self):
        """(layers, n (n - 1) / 2) float64, as in gram_matrices.Grams."""
        return self._grams().triangles

    def inner_products(self, other):
        """Inner products of the triangles with those of other StackedGrams, (layers, layers of other)."""
        found = self._products.get(_key(self._layers, other._layers))
        return self._grams().inner_products(other._grams()) if found is None else found[self._index]

    def __getitem__(self, layers):
        """StackedGrams of a slice of the layers."""
        start, stop, _ = layers.indices(len(self.diagonals))
        part = slice(self._layers.start + start, self._layers.start + stop)
        return StackedGrams(self._stack, self._index, part, self._arrays, self._products)

    def _grams(self):
        triangles = self._stack.triangles[self._layers].astype(np.float64)
        grams = Grams(triangles, self.n, self._stack.diagonals[self._layers].copy())
        if self._index:
            deflation.deflate(grams, self._stack.scores[self._layers])
        return grams


@dataclass(frozen=True)
class StackedMinibatch:
    """What measure.Minibatch has, of a Stack: `plain` and `deflated` are StackedGrams."""

    plain: StackedGrams
    deflated: StackedGrams
    vectors: np.ndarray


def _key(first, second):
    return first.start, first.stop, second.start, second.stop


@cache
def row_blocks(n, most):
    """Split the entries of a packed triangle into blocks of whole rows.

    Args:
        n: number of rows of the matrix.
        most: most entries of a block that has more than one row.

    Returns:
        list of (slice of the block's entries, list of (row, slice of its entries in the block))
    """
    blocks, rows, start, size = [], [], 0, 0
    for row in range(n - 1):
        length = n - 1 - row
        if rows and size + length > most:
            blocks.append((slice(start, start + size), rows))
            rows, start, size = [], start + size, 0
        rows.append((row, slice(size, size + length)))
        size += length
    return [*blocks, (slice(start, start + size), rows)]
