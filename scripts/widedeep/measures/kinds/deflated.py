"""Minibatch CKA after removing each layer's first principal component in each minibatch (paper, figure 3)."""

from widedeep.measures.cka import ratio
from widedeep.measures.hsic import cross_hsic, self_hsic
from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="deflated",
    title="CKA without first component",
    source="paper, section 5.1 and figure 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    cross=lambda first, second: cross_hsic(first.deflated, second.deflated),
    own=lambda layers: self_hsic(layers.deflated),
    finish=ratio,
)
