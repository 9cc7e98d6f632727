"""Normalised Bures similarity, the angle behind the Procrustes distance (Ding et al. 2021; Williams et al. 2021)."""

import numpy as np

from widedeep.measures.factors import eigen, nuclear_norms
from widedeep.measures.measure import Measure


def factors(minibatch):
    """Factors F of the Gram matrices, FF' = K / tr K, (layers, n, n); NaN where undefined."""
    grams = minibatch.plain
    found = np.full((len(grams.diagonals), grams.n, grams.n), np.nan)
    for layer, eigenpairs in enumerate(eigen(grams)):
        if eigenpairs:
            values, vectors = eigenpairs
            found[layer] = vectors * np.sqrt(values / values.sum())
    return found


MEASURE = Measure(
    name="procrustes",
    title="Procrustes similarity",
    formula="||X'Y||_* / (||X|| ||Y||) = tr sqrt(K^(1/2) L K^(1/2)) / sqrt(tr K tr L), ||.||_*: sum of singular values",
    source="Ding et al. 2021; Williams et al. 2021",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="constant or not finite in a minibatch",
    layer_cost="eigenvectors of an n x n matrix",
    pair_cost="singular values of an n x n matrix",
    of=factors,
    cross=nuclear_norms,
    own=lambda factors: (factors**2).sum(axis=(1, 2)),
    pairwise=True,
)
