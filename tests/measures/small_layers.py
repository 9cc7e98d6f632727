"""Features and Gram matrices of made-up layers, for the tests of measures."""

import numpy as np

from widedeep.measures import deflation
from widedeep.measures.gram_matrices import Grams
from widedeep.measures.measure import Minibatch


def features(seed, n, p, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((n, p)).astype(dtype)


def related(seed, n, p, q):
    """Two layers that share something, so that their similarity is neither 0 nor 1."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 3))
    noise = rng.standard_normal
    return (shared @ noise((3, p)) + noise((n, p)), np.tanh(shared @ noise((3, q))) + noise((n, q)))


def full(grams, layer):
    """The (n, n) Gram matrix of one layer of Grams."""
    rows, columns = np.triu_indices(grams.n, 1)
    matrix = np.diag(grams.diagonals[layer])
    matrix[rows, columns] = matrix[columns, rows] = grams.triangles[layer]
    return matrix


def scores_of(grams):
    """Scores of the first component of each layer of Grams, (layers, n)."""
    return np.stack([deflation.first_scores(*layer) for layer in zip(grams.triangles, grams.diagonals, strict=True)])


def deflated(grams):
    """(Grams without their first components, shares of the variance, unit vectors)."""
    scores, found = scores_of(grams), grams.copy()
    deflation.deflate(found, scores)
    return found, deflation.shares(grams, scores), deflation.unit_vectors(scores)


def minibatch(layers):
    """The Minibatch that measures see of layers, (n, ...) features each."""
    return Minibatch(Grams.of(layers))


def without_first_component(x):
    """X - u1 s1 v1' of the centred (n, p) features, by a full SVD in float64."""
    x = x.reshape(len(x), -1).astype(np.float64)
    u, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    s[0] = 0
    return u * s @ v
