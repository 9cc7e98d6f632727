"""Representational similarity analysis with Spearman's correlation of distances (Kriegeskorte et al. 2008)."""

from widedeep.measures import rsa
from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="rsa_spearman",
    title="RSA, Spearman",
    formula="Spearman's correlation of the n(n-1)/2 Euclidean distances between examples, tied ranks averaged",
    source="Kriegeskorte et al. 2008",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined=rsa.UNDEFINED,
    layer_cost="sorting of n²/2 distances",
    pair_cost="n²/2 multiplications",
    of=lambda minibatch: rsa.standardised(minibatch.plain, rsa.ranks),
    cross=rsa.correlations,
    own=rsa.of_itself,
)
