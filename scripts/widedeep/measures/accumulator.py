"""Several measures of similarity between the layers of two networks, one minibatch after the other.

>>> import numpy as np
>>> from widedeep.measures import kinds
>>> from widedeep.measures.accumulator import Accumulator
>>> from widedeep.measures.gram_matrices import Grams
>>> from widedeep.measures.measure import Minibatch
>>> similarity = Accumulator([kinds.named("cka"), kinds.named("squared_cosine")])
>>> for batch in np.random.default_rng(0).standard_normal((2, 256, 10)):
...     layers = Minibatch(Grams.of([batch, batch**2, np.tanh(batch)]))
...     similarity.add(layers, layers)
>>> similarity.result()["cka"].values.shape
(3, 3)
"""

from widedeep.measures.cka import on_host
from widedeep.runtime.errors import UserError


class Accumulator:
    """Sums of measures over minibatches. It keeps one number per pair of layers and measure.

    Args:
        measures: list of measure.Measure.
    """

    def __init__(self, measures):
        self.measures, self.minibatches = list(measures), 0
        self._sums = {measure.name: (0.0, 0.0, 0.0) for measure in measures}

    def add(self, first, second):
        """Add one minibatch.

        Args:
            first, second: measure.Minibatch of the layers of both networks, on the same examples; `second` may be
                `first`. Measures other than `cka` need numpy arrays.

        Raises:
            UserError: the numbers of examples differ, or are too few for a measure.
        """
        if first.plain.n != second.plain.n:
            raise UserError(
                f"minibatches of {first.plain.n} and {second.plain.n} examples; give both networks the same examples."
            )
        for measure in self.measures:
            one = measure.of(first)
            other = one if second is first else measure.of(second)
            own = measure.own(one)
            terms = measure.cross(one, other), own, own if other is one else measure.own(other)
            sums = self._sums[measure.name]
            self._sums[measure.name] = tuple(total + term for total, term in zip(sums, terms, strict=True))
        self.minibatches += 1

    def result(self):
        """Return a dict from the name of a measure to its cka.Similarity over all minibatches so far.

        Raises:
            UserError: no minibatch was added.
        """
        if not self.minibatches:
            raise UserError("no minibatch was added; call add() first.")
        return {
            measure.name: measure.similarity(*map(on_host, self._sums[measure.name]), self.minibatches)
            for measure in self.measures
        }
