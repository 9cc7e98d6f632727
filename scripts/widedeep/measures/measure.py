"""A measure of similarity between layers: its record, and what it sees of the data.

All measures see the same minibatches, one after the other: the Gram matrices of all layers, with and without their
first principal components, and these components. Nothing else of the activations is kept.

The measures are in measures/kinds/, one file each.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from widedeep.measures.gram_matrices import Grams


@dataclass(frozen=True)
class Minibatch:
    """The data of one minibatch of n examples that measures see.

    Attributes:
        plain: Grams of the layers, or stacked.StackedGrams, which have the same attributes.
        deflated: Grams of the layers without their first components.
        vectors: (layers, n) unit vectors of the first components' scores, NaN where a layer has none.
    """

    plain: Grams
    deflated: Grams
    vectors: np.ndarray

    def __getitem__(self, layers):
        """The Minibatch of a slice of the layers; its arrays are views."""
        return Minibatch(self.plain[layers], self.deflated[layers], self.vectors[layers])


@dataclass(frozen=True)
class Measure:
    """A measure of similarity between layers.

    Without `own` and `finish`, the value of two layers is the mean of `cross` over the minibatches. With them, it is
    what `finish` makes of sums over the minibatches, as for a ratio of means.

    Attributes:
        name: the name of its file, under which results are stored.
        title: in figures.
        source: paper and equation.
        invariances: transformations of one layer's features that leave the value unchanged, among `shift` (adding a
            constant to each feature), `scale` (multiplying all features by one number) and `rotation`.
        cross: function of two Minibatches that returns (layers of first, layers of second) float64. Swapping the
            Minibatches must transpose the result.
        own: function of a Minibatch that returns (layers,) float64.
        finish: function that takes the sum of `cross`, the sums of `own` for the first and the second network, and the
            number of minibatches, and returns a cka.Similarity.
    """

    name: str
    title: str
    source: str
    invariances: frozenset
    cross: Callable
    own: Callable | None = None
    finish: Callable | None = None
