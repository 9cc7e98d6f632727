"""A measure of similarity between layers: its record, and what it sees of the data.

All measures see the same minibatches, one after the other: the Gram matrices of all layers, with and without their
first principal components, and these components. Nothing else of the activations is kept.

The measures are in measures/kinds/, one file each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from widedeep.measures import deflation
from widedeep.measures.cka import Similarity


class Minibatch:
    """The data of one minibatch of n examples that measures see; only what they ask for is computed.

    Args:
        plain: gram_matrices.Grams of the layers.

    Attributes:
        plain: the same.
        deflated: Grams of the layers without their first components.
        vectors: (layers, n) unit vectors of the first components' scores, NaN where a layer has none.
    """

    def __init__(self, plain):
        self.plain = plain

    @cached_property
    def deflated(self):
        found = self.plain.copy()
        deflation.deflate(found, self._scores)
        return found

    @cached_property
    def vectors(self):
        return deflation.unit_vectors(self._scores)

    @cached_property
    def _scores(self):
        layers = zip(self.plain.triangles, self.plain.diagonals, strict=True)
        return np.stack([deflation.first_scores(*layer) for layer in layers])


@dataclass(frozen=True)
class Measure:
    """A measure of similarity between layers.

    What costs much for a layer is in `of`, which is called once a minibatch, whatever the number of networks that the
    layer is compared with. `cross` and `own` are summed over the minibatches. The value of two layers is what `finish`
    makes of the sums, as for a ratio of means; without `finish` it is the mean of `cross` over the minibatches.

    Attributes:
        name: the name of its file, under which results are stored.
        title: in figures.
        formula: in plain text. X and Y are centred features of two layers, K = XX' and L = YY'.
        source: paper and equation.
        invariances: transformations of one layer's features that leave the value unchanged, among `shift` (adding a
            constant to each feature), `scale` (multiplying all features by one number), `rotation`, and `linear` (any
            invertible linear map).
        undefined: where the value is NaN, as the end of a sentence "a layer that is".
        layer_cost, pair_cost: cost in a minibatch of n examples, of each layer and of each pair of layers.
        of: function of a Minibatch that returns what the measure keeps of the layers: an array (layers, ...), Grams, or
            anything else with slices of layers.
        cross: function of two such values that returns (layers of first, layers of second) float64. Swapping them must
            transpose the result. Both may be one object.
        own: function of such a value that returns (layers,) float64, the diagonal of `cross` of the value with itself,
            or complex128 with bounds of the rounding errors as imaginary parts, for `finish`; without `finish`, NaN
            where a layer is undefined.
        finish: function that takes the sum of `cross`, the sums of `own` for the first and the second network, and the
            number of minibatches, and returns a cka.Similarity.
        pairwise: whether each pair of layers costs a matrix decomposition. The workflow then compares the outputs of
            residual blocks alone.
    """

    name: str
    title: str
    formula: str
    source: str
    invariances: frozenset
    undefined: str
    layer_cost: str
    pair_cost: str
    of: Callable
    cross: Callable
    own: Callable
    finish: Callable | None = None
    pairwise: bool = False

    def similarity(self, cross, first, second, minibatches):
        """Make the cka.Similarity of sums over minibatches.

        Args:
            cross: (layers of first, layers of second) sum of `cross`.
            first, second: (layers,) sums of `own`.
            minibatches: number of minibatches in the sums.
        """
        if self.finish:
            return self.finish(cross, first, second, minibatches)
        reasons = [[self.undefined if np.isnan(value) else "" for value in own] for own in (first, second)]
        return Similarity(cross / minibatches, *reasons, minibatches)
