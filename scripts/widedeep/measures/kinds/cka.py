"""Minibatch CKA: the ratio of means of HSIC_1 over minibatches (paper, equations 1 to 3)."""

from widedeep.measures.cka import ratio
from widedeep.measures.hsic import cross_hsic, self_hsic
from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="cka",
    title="CKA",
    source="paper, equations 1 to 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    cross=lambda first, second: cross_hsic(first.plain, second.plain),
    own=lambda layers: self_hsic(layers.plain),
    finish=ratio,
)
