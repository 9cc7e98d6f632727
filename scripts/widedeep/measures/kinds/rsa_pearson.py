"""Representational similarity analysis with Pearson's correlation of distances (Kriegeskorte et al. 2008)."""

from widedeep.measures import rsa
from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="rsa_pearson",
    title="RSA, Pearson",
    formula="Pearson's correlation of the n(n-1)/2 Euclidean distances between examples",
    source="Kriegeskorte et al. 2008",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined=rsa.UNDEFINED,
    layer_cost="n²/2 square roots",
    pair_cost="n²/2 multiplications",
    of=lambda minibatch: rsa.standardised(minibatch.plain, lambda distances: distances),
    cross=rsa.correlations,
    own=rsa.of_itself,
)
