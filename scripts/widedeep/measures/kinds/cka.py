"""Minibatch CKA: the ratio of means of HSIC_1 over minibatches (paper, equations 1 to 3)."""

from widedeep.measures.cka import ratio
from widedeep.measures.hsic import cross_hsic, self_hsic
from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="cka",
    title="CKA",
    formula="HSIC_1(K, L) / sqrt(HSIC_1(K, K) HSIC_1(L, L)), HSIC_1: the unbiased estimator of HSIC",
    source="paper, equations 1 to 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="constant, or without two examples that vary together, in each minibatch; or not finite",
    layer_cost="none",
    pair_cost="n²/2 multiplications",
    of=lambda minibatch: minibatch.plain,
    cross=cross_hsic,
    own=self_hsic,
    finish=ratio,
)
