"""Squared cosine between the first principal components of two layers, mean over minibatches.

These are the components of single minibatches. Figure 3 draws those of the whole test set, which
analysis/first_components.py computes, by block_structure.squared_cosines.
"""

from widedeep.measures.measure import Measure

MEASURE = Measure(
    name="squared_cosine",
    title="squared cosine of first components",
    source="paper, section 5.1 and figure 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    cross=lambda first, second: (first.vectors @ second.vectors.T) ** 2,
)
