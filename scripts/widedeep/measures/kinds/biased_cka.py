"""Minibatch CKA with the biased estimator of HSIC, as in full-batch comparisons (Kornblith et al. 2019).

On small minibatches it is too large: even independent layers are similar, the more the wider they are.
"""

from functools import partial

from widedeep.measures.cka import ratio
from widedeep.measures.measure import Measure


def cross(first, second):
    """<K, L> of the centred Gram matrices with their diagonals, (layers of first, layers of second)."""
    return 2 * first.inner_products(second) + first.diagonals @ second.diagonals.T


def own(grams):
    """<K, K> of each layer, (layers,)."""
    return 2 * grams.squared_norms + (grams.diagonals**2).sum(axis=1)


_UNDEFINED = "constant in each minibatch, or not finite"

MEASURE = Measure(
    name="biased_cka",
    title="biased CKA",
    formula="<K, L> / sqrt(<K, K> <L, L>), <K, L>: sum of the products of all entries",
    source="Kornblith et al. 2019, equations 3 and 4",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined=_UNDEFINED,
    layer_cost="none",
    pair_cost="n²/2 multiplications",
    of=lambda minibatch: minibatch.plain,
    cross=cross,
    own=own,
    finish=partial(ratio, undefined=_UNDEFINED),
)
