"""Squared cosine between the first principal components of two layers, mean over minibatches.

These are the components of single minibatches. Figure 3 draws those of the whole test set, which
analysis/first_components.py computes, by block_structure.squared_cosines.
"""

import numpy as np

from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="squared_cosine",
    title="squared cosine of first components",
    formula="(u'v)², with the unit eigenvectors u, v of the largest eigenvalues of K, L",
    source="paper, section 5.1 and figure 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="constant or not finite in a minibatch",
    layer_cost="the first eigenvector of an n x n matrix",
    pair_cost="n multiplications",
    of=lambda minibatch: minibatch.vectors,
    cross=lambda first, second: (first @ second.T) ** 2,
    own=lambda vectors: np.vecdot(vectors, vectors) ** 2,
)
