"""Minibatch CKA after removing each layer's first principal component in each minibatch (paper, figure 3)."""

from widedeep.measures.cka import ratio
from widedeep.measures.hsic import cross_hsic, self_hsic
from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="deflated",
    title="CKA without first component",
    formula="CKA of K - λ u u' and L - μ v v', with the largest eigenvalues λ, μ and their unit eigenvectors u, v",
    source="paper, section 5.1 and figure 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="constant, or of a single component, in each minibatch; or not finite",
    layer_cost="the first eigenvector of an n x n matrix",
    pair_cost="n²/2 multiplications",
    of=lambda minibatch: minibatch.deflated,
    cross=cross_hsic,
    own=self_hsic,
    finish=ratio,
)
