"""What a measure of similarity between layers is, and the measures that there are.

A measure is a file of measures/kinds/ with a `MEASURE`; its results are stored under its name. All measures see the same
minibatches, one by one, as a Minibatch: the Gram matrices of all layers of some networks, as they are and without their
first components, and the first components. Nothing else of the activations is kept.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from widedeep.measures import kinds
from widedeep.measures.gram_matrices import Grams
from widedeep.runtime.errors import UserError


@dataclass(frozen=True)
class Minibatch:
    """What measures see of some layers on one minibatch of n examples.

    Attributes:
        plain: Grams of the layers.
        deflated: Grams of the layers without their first components.
        vectors: (layers, n) unit vectors of the first components' scores, NaN where a layer has none.
    """

    plain: Grams
    deflated: Grams
    vectors: np.ndarray

    def __getitem__(self, layers):
        """The same of a slice of the layers; views."""
        return Minibatch(self.plain[layers], self.deflated[layers], self.vectors[layers])


@dataclass(frozen=True)
class Measure:
    """A measure of similarity between layers.

    Attributes:
        name: under which results are stored.
        title: in figures and tables.
        source: paper and equation.
        invariances: transformations of a layer's features that change nothing: some of `shift`, `scale`, `rotation`.
        cross: function of two Minibatches, returning (layers of first, layers of second) float64.
        own: function of a Minibatch, returning (layers,) float64 that `finish` needs of each layer alone; None for a
            measure whose value is the mean of `cross` over minibatches.
        finish: function (sum of cross, sum of own of first, of second, minibatches), returning a cka.Similarity.
    """

    name: str
    title: str
    source: str
    invariances: frozenset
    cross: Callable
    own: Callable | None = None
    finish: Callable | None = None


def names():
    """The names of all measures that have a file."""
    return sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))


def named(name):
    """The Measure of a name.

    Raises:
        UserError: there is no such file.
    """
    if name not in names():
        raise UserError(f"measure '{name}' is unknown; it must be one of {', '.join(names())}.")
    return importlib.import_module(f"{kinds.__name__}.{name}").MEASURE
