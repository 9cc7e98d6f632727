"""The measures beside CKA: definitions, other people's implementations, hostile layers, where they are undefined."""

import numpy as np
import oracles
import pytest
import scipy.linalg
import scipy.spatial
import scipy.stats
import sklearn.metrics.pairwise
import sklearn.neighbors
from hypothesis import given
from hypothesis import strategies as st
from small_layers import features, minibatch, related
from test_independent import BATCH, NAMES, hostile

from widedeep.measures import distances, kinds, rsa
from widedeep.measures.accumulator import Accumulator
from widedeep.measures.gram_matrices import Grams
from widedeep.measures.measure import Minibatch
from widedeep.runtime.errors import UserError


def mean_of(measure):
    """The mean over minibatches of a function of two layers, as one of two lists of minibatches."""
    return lambda first, second: np.mean([measure(x, y) for x, y in zip(first, second, strict=True)])


DEFINITIONS = {
    "biased_cka": oracles.biased_cka,
    "rbf_cka": oracles.rbf_cka,
    "rsa_pearson": mean_of(oracles.rsa_pearson),
    "rsa_spearman": mean_of(oracles.rsa_spearman),
    "procrustes": mean_of(oracles.procrustes),
    "mutual_knn": mean_of(oracles.mutual_knn),
    "svcca": mean_of(oracles.svcca),
}


def found(name, first, second):
    """(value, reasons of the first, reasons of the second layer) of two layers, lists of minibatches."""
    similarity = Accumulator([kinds.named(name)])
    for x, y in zip(first, second, strict=True):
        similarity.add(minibatch([x]), minibatch([y]))
    result = similarity.result()[name]
    return result.values[0, 0], *result.undefined_first, *result.undefined_second


def halves(*layers):
    return [[x[:BATCH], x[BATCH : 2 * BATCH]] for x in layers]


def test_every_measure_has_a_definition_here_or_with_those_of_the_figures():
    assert {*kinds.names()} == {*DEFINITIONS, "cka", "deflated", "squared_cosine"}


@pytest.mark.parametrize("name", DEFINITIONS)
@given(seed=st.integers(0, 10**4), p=st.integers(3, 30), q=st.integers(3, 30))
def test_a_measure_is_that_of_its_definition(name, seed, p, q):
    first, second = halves(*related(seed, 2 * BATCH, p, q))
    value, *reasons = found(name, first, second)
    assert value == pytest.approx(DEFINITIONS[name](first, second), abs=1e-9)
    assert reasons == ["", ""]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", NAMES)
@pytest.mark.parametrize("name", DEFINITIONS)
def test_hostile_layers_are_those_of_the_definition(name, layer, dtype):
    x, y = related(3, 2 * BATCH, 6, 6)
    x, y = hostile(x)[layer].astype(dtype), y.astype(dtype)
    first, second = halves(x, y)
    value, *_ = found(name, first, second)
    if name == "rbf_cka" and layer.startswith("dead but"):
        assert np.isnan(value)  # the median distance is zero
        return
    # From what the type holds: the rounding of the inputs is not the estimator's.
    expected = DEFINITIONS[name](*halves(x.astype(np.float64), y.astype(np.float64)))
    # procrustes leaves out components that float32 does not hold.
    assert value == pytest.approx(expected, abs=2e-5 if dtype == np.float32 or name == "procrustes" else 1e-7)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_measure_is_that_of_scipy_or_scikit_learn(name):
    x, y = related(5, 40, 7, 9)
    centred = [layer - layer.mean(axis=0) for layer in (x, y)]
    one, other = (scipy.spatial.distance.pdist(layer) for layer in (x, y))

    def kernel(layer, distances_):
        return sklearn.metrics.pairwise.rbf_kernel(layer, gamma=1 / (2 * (0.8 * np.median(distances_)) ** 2))

    def neighbours(layer):
        return sklearn.neighbors.NearestNeighbors(n_neighbors=10).fit(layer).kneighbors_graph().toarray()

    def leading(layer):
        u, s, _ = np.linalg.svd(layer, full_matrices=False)
        return u[:, : int((np.cumsum(s**2) < 0.99 * (s**2).sum()).sum()) + 1]

    kernels = [kernel(x, one), kernel(y, other)]
    products = [centred[0].T @ centred[1], *(layer.T @ layer for layer in centred)]
    norms = [np.linalg.norm(product) for product in products]
    peers = {
        # The same from products of features.
        "biased_cka": lambda: norms[0] ** 2 / (norms[1] * norms[2]),
        "rbf_cka": lambda: oracles.ratio_of_means([kernels[0]], [kernels[1]], oracles.hsic1),
        "rsa_pearson": lambda: scipy.stats.pearsonr(one, other)[0],
        "rsa_spearman": lambda: scipy.stats.spearmanr(one, other)[0],
        "procrustes": lambda: (
            scipy.linalg.orthogonal_procrustes(np.pad(centred[0], ((0, 0), (0, 2))), centred[1])[1]
            / np.prod([np.linalg.norm(layer) for layer in centred])
        ),
        "mutual_knn": lambda: (neighbours(x) * neighbours(y)).sum() / 400,
        "svcca": lambda: np.cos(scipy.linalg.subspace_angles(*map(leading, centred))).mean(),
    }
    assert found(name, [x], [y])[0] == pytest.approx(peers[name](), abs=1e-9)


def rounded(layers):
    """The Minibatch of layers as a dump holds them, in float32."""
    grams = Grams.of(layers)
    triangles, diagonals = (part.astype(np.float32).astype(np.float64) for part in (grams.triangles, grams.diagonals))
    return Minibatch(Grams(triangles, grams.n, diagonals))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_float32_dumps_give_the_same_to_their_precision(name):
    measure = kinds.named(name)
    layers = [*related(0, 64, 30, 20), *hostile(features(1, 64, 6)).values()]
    exact, dumped = (
        measure.similarity(measure.cross(value, value), *[measure.own(value)] * 2, 1).values
        for value in map(measure.of, (minibatch(layers), rounded(layers)))
    )
    np.testing.assert_allclose(dumped, exact, atol=1e-3)


@pytest.mark.filterwarnings("ignore:invalid value encountered in matmul")
@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_part_of_a_network_is_undefined_without_harm_to_the_rest(name):
    """Constant, not finite in one place, and of a Gram matrix that overflows float32."""
    x, y = related(2, BATCH, 6, 6)
    broken = x.copy()
    broken[3, 2] = np.inf
    first = minibatch([x, np.full((BATCH, 3), 7.7), broken, y])
    first.plain.triangles[3, 5] = np.inf
    similarity = Accumulator([kinds.named(name)])
    similarity.add(first, first)
    result = similarity.result()[name]
    np.testing.assert_array_equal(np.isnan(result.values), ~np.outer([1, 0, 0, 0], [1, 0, 0, 0]).astype(bool))
    assert result.values[0, 0] == pytest.approx(1)
    expected = ["", *[kinds.named(name).undefined] * 3]
    assert result.undefined_first == result.undefined_second == expected


@pytest.mark.parametrize("name", ["rbf_cka", "rsa_pearson", "rsa_spearman"])
@pytest.mark.parametrize("scale", [1e-12, 1, 1e12])
def test_equal_distances_have_no_similarity_of_rounding_errors(name, scale):
    """Each example has features of its own: all distances are equal, but for rounding errors."""
    rng = np.random.default_rng(0)
    apart = scale * np.linalg.qr(rng.standard_normal((BATCH, BATCH)))[0]
    for dtype in (np.float32, np.float64):
        value, reason, other = found(name, [apart.astype(dtype)], [features(1, BATCH, 5)])
        assert np.isnan(value)
        assert (reason, other) == (kinds.named(name).undefined, "")


def test_an_undefined_minibatch_leaves_no_mean_of_the_others():
    x, y = related(4, 2 * BATCH, 6, 6)
    first, second = halves(x, y)
    first[1] = np.ones_like(first[1])
    for name in DEFINITIONS:
        value, reason, _ = found(name, first, second)
        # The HSIC of a constant minibatch is zero, which a mean of HSIC may hold.
        assert np.isnan(value) == (name != "biased_cka"), name
        assert bool(reason) == np.isnan(value)


def test_examples_with_equal_features_have_exactly_equal_distances():
    """Also where a device computes equal products with other rounding errors."""
    x = features(0, 12, 300, np.float32) + 100
    x[[3, 5, 8]] = x[1]
    x[9] = x[2]
    grams, rng = rounded([x]).plain, np.random.default_rng(0)
    grams.triangles[:] *= 1 + np.finfo(np.float32).eps * rng.uniform(-0.5, 0.5, grams.triangles.shape)
    (squares,) = distances.squared_distances(grams)
    full = distances.squareform(squares, 12)
    assert (full[np.ix_([1, 3, 5, 8], [1, 3, 5, 8])] == 0).all()
    assert full[2, 9] == 0
    for same in (3, 5, 8):
        np.testing.assert_array_equal(full[same], full[1])
    np.testing.assert_array_equal(full[9], full[2])
    expected = scipy.spatial.distance.pdist(x.astype(np.float64)) ** 2
    np.testing.assert_allclose(squares, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["procrustes", "svcca"])
def test_decompositions_are_of_centred_matrices(name):
    """The Gram matrix of features with a mean is that of the centred ones, and a constant more."""
    measure, x = kinds.named(name), related(6, 40, 5, 6)
    expected, shifted = minibatch(x), minibatch(x)
    shifted.plain.triangles[:] += 50
    shifted.plain.diagonals[:] += 50
    values = [measure.cross(value, value) for value in map(measure.of, (expected, shifted))]
    np.testing.assert_allclose(values[1], values[0], atol=1e-9)


@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=40))
def test_ranks_are_scipys(values):
    np.testing.assert_array_equal(rsa.ranks(np.array(values)), scipy.stats.rankdata(values))


def test_neighbours_need_more_examples_than_there_are_neighbours():
    with pytest.raises(UserError, match="11 examples.*mutual_knn.*12"):
        found("mutual_knn", [features(0, 11, 3)], [features(1, 11, 3)])
    value, *_ = found("mutual_knn", [features(0, 12, 3)], [features(1, 12, 3)])
    assert 0.8 < value < 1


def test_svcca_of_independent_layers_is_near_1_where_they_need_nearly_all_dimensions():
    wide, narrow = ([features(seed, 64, p) for seed in (0, 1)] for p in (1000, 3))
    assert found("svcca", [wide[0]], [wide[1]])[0] > 0.9
    assert found("svcca", [narrow[0]], [narrow[1]])[0] < 0.5


def test_biased_cka_of_independent_layers_is_far_above_the_unbiased_one():
    x, y = features(0, 64, 500), features(1, 64, 500)
    assert found("biased_cka", [x], [y])[0] > 0.8
    assert abs(found("cka", [x], [y])[0]) < 0.1
