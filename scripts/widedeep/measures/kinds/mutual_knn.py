"""Mutual nearest neighbours: the share of the nearest examples that two layers have in common (Huh et al. 2024)."""

import numpy as np

from widedeep.measures.distances import squared_distances, squareform
from widedeep.measures.measure import Measure
from widedeep.runtime.errors import UserError

# Neighbours of each example.
_K = 10


def neighbours(minibatch):
    """Indicators of each example's nearest neighbours, (layers, n * n) float32; NaN where undefined.

    Of neighbours at equal distance, the first examples of the minibatch count.

    Raises:
        UserError: the minibatch has so few examples that all others are neighbours.
    """
    grams = minibatch.plain
    n = grams.n
    if n < _K + 2:
        raise UserError(
            f"a minibatch has {n} examples; mutual_knn compares the {_K} nearest of them and needs {_K + 2} or more."
        )
    found = np.zeros((len(grams.diagonals), n, n), np.float32)  # their sums of products are whole, and exact
    for layer, squares in enumerate(squared_distances(grams)):
        if np.isnan(squares).any():
            found[layer] = np.nan
            continue
        full = squareform(squares, n)
        np.fill_diagonal(full, np.inf)
        np.put_along_axis(found[layer], np.argsort(full, axis=1, kind="stable")[:, :_K], 1, axis=1)
    return found.reshape(len(found), n * n)


def shares(first, second):
    """Mean shares of common neighbours, (layers of first, layers of second) float64."""
    examples = np.sqrt(first.shape[1])
    return (first @ second.T).astype(np.float64) / (_K * examples)


MEASURE = Measure(
    name="mutual_knn",
    title="mutual nearest neighbours",
    formula="mean over examples i of |N(i in X) ∩ N(i in Y)| / 10, N: the 10 nearest other examples by Euclidean "
    "distance, ties by their order",
    source="Huh et al. 2024",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="constant or not finite in a minibatch",
    layer_cost="sorting of n² distances",
    pair_cost="n² multiplications",
    of=neighbours,
    cross=shares,
    own=lambda indicators: np.vecdot(indicators, indicators).astype(np.float64) / (_K * np.sqrt(indicators.shape[1])),
)
