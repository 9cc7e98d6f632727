"""Squared cosine between the first principal components of two layers on a minibatch, mean over minibatches.

The components are those of one minibatch; figure 3 draws those of the whole test set (analysis/first_components.py).
"""

from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="squared_cosine",
    title="squared cosine of first components",
    source="paper, section 5.1 and figure 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    cross=lambda first, second: (first.vectors @ second.vectors.T) ** 2,
)
