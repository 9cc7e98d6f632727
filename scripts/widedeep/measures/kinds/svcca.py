"""SVCCA: mean canonical correlation of the leading principal components of two layers (Raghu et al. 2017).

The components are exact from the Gram matrix: its eigenvectors are their scores, scaled to unit length. Where a layer
needs nearly as many components as there are examples, the value is near 1 for any other layer, since two subspaces of
nearly all dimensions nearly agree. So compare it only where the minibatch is much larger than the number of components.

PWCCA (Morcos et al. 2018) is not here: its weights are sums of absolute inner products over features, which Gram
matrices do not give.
"""

import numpy as np

from widedeep.measures.factors import eigen, nuclear_norms
from widedeep.measures.measure import Measure

# Share of the variance that the kept components hold at least.
_VARIANCE = 0.99


def components(minibatch):
    """Unit vectors of the leading components' scores, the other columns zero, (layers, n, n); NaN where undefined."""
    grams = minibatch.plain
    found = np.full((len(grams.diagonals), grams.n, grams.n), np.nan)
    for layer, eigenpairs in enumerate(eigen(grams)):
        if eigenpairs:
            values, vectors = eigenpairs
            kept = np.searchsorted(np.cumsum(values), _VARIANCE * values.sum()) + 1
            found[layer] = np.where(np.arange(grams.n) < kept, vectors, 0)
    return found


def mean_correlations(first, second):
    """Mean canonical correlations, (layers of first, layers of second); the smaller number of components counts."""
    return nuclear_norms(first, second) / np.minimum(_kept(first)[:, None], _kept(second))


def _kept(vectors):
    return (vectors**2).sum(axis=(1, 2))


MEASURE = Measure(
    name="svcca",
    title="SVCCA",
    formula="mean of the min(r, s) singular values of U'V, U and V: eigenvectors of K and L with the r and s largest "
    "eigenvalues, which hold 99 % of their sum; near 1 for any layers where r or s is near n",
    source="Raghu et al. 2017",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="constant or not finite in a minibatch",
    layer_cost="eigenvectors of an n x n matrix",
    pair_cost="singular values of an n x n matrix",
    of=components,
    cross=mean_correlations,
    own=lambda vectors: np.sign(_kept(vectors)),  # NaN stays NaN
    pairwise=True,
)
