"""Gram matrices of minibatches against X X' in float64, and how they are packed."""

import numpy as np
import oracles
import pytest
from small_layers import features, full

from widedeep.measures import cka, gram_matrices
from widedeep.measures.gram_matrices import Grams
from widedeep.runtime.errors import UserError


def test_they_are_of_centred_features_and_the_norms_are_of_the_features_as_they_are():
    x = features(3, 10, 7, np.float32) + 5
    packed = gram_matrices.packed_gram(x)
    expected = oracles.gram(x)
    rows, columns = np.triu_indices(10, 1)
    np.testing.assert_allclose(packed.triangle, expected[rows, columns], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(packed.diagonal, np.diagonal(expected), rtol=1e-5)
    np.testing.assert_allclose(packed.squared_norms, (x.astype(float) ** 2).sum(axis=1), rtol=1e-6)
    assert packed.triangle.dtype == np.float64
    assert packed.squared_norms.dtype == np.float64


@pytest.mark.parametrize("mean", [0, 2, 1000])
@pytest.mark.parametrize("width", [1, 4095, 4096, 4097, 9000])
def test_features_are_centred_in_parts(width, mean):
    """As float64, and as float32, also with large means, whose products would lose their bits."""
    x = features(0, 8, width) + mean
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-6)):
        held = x.astype(dtype)
        expected = oracles.gram(held)
        packed = gram_matrices.packed_gram(held)
        scale = np.trace(expected)
        np.testing.assert_allclose(packed.triangle, gram_matrices.packed(expected), atol=tolerance * scale)
        np.testing.assert_allclose(packed.diagonal, np.diagonal(expected), atol=tolerance * scale)


@pytest.mark.parametrize("n", [32, 64, 128])
@pytest.mark.parametrize("width", [100, 3000, 40_000])
def test_cka_of_noise_is_exact_where_means_are_not_taken_away_first(n, width):
    """The hardest case for float32: products of different examples are small beside those of the means."""
    rng = np.random.default_rng(0)
    noise = [rng.standard_normal((n, width)) + mean for mean in (0, 0.2, 0.5, 0.8, 3)]
    layers = [np.maximum(x, 0) if rectified else x for x in noise for rectified in (False, True)]
    layers = [layer.astype(np.float32) for layer in layers]
    grams = [oracles.gram(layer) for layer in layers]
    cross = np.array([[oracles.hsic1(k, l) for l in grams] for k in grams])  # noqa: E741
    own = np.sqrt(np.diagonal(cross))
    stream = cka.MinibatchCKA()
    stream.add(layers)
    assert np.abs(stream.result().values - cross / own / own[:, None]).max() < 1e-7


@pytest.mark.parametrize("large", [slice(0, 3000), slice(3000, 9000), slice(20_000, 20_001), slice(29_000, 30_000)])
def test_some_features_may_have_large_means(large):
    x = features(0, 32, 30_000, np.float32)
    x[:, large] += 1000
    packed = gram_matrices.packed_gram(x)
    expected = gram_matrices.packed(oracles.gram(x))
    np.testing.assert_allclose(packed.triangle, expected, atol=2e-6 * np.std(expected))
    np.testing.assert_allclose(packed.squared_norms, (x.astype(float) ** 2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("width", [10, 5000, 70_000])
@pytest.mark.parametrize("mean", [0, 1, 30])
def test_features_are_passed_once_more_only_where_means_are_large(width, mean, monkeypatch):
    seen, original = [], gram_matrices._add_centred
    monkeypatch.setattr(gram_matrices, "_add_centred", lambda x, *rest: seen.append(x.shape[1]) or original(x, *rest))
    shared = features(1, 128, 3) @ features(2, 3, width)
    gram_matrices.packed_gram((features(0, 128, width) + shared + mean).astype(np.float32))
    assert seen == [0 if mean < 30 else width]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_examples_have_a_gram_matrix(n):
    x = features(0, n, 50) + 3
    np.testing.assert_allclose(gram_matrices.packed_gram(x).diagonal, np.diagonal(oracles.gram(x)), atol=1e-12)


def test_double_centring_is_h_k_h():
    k = features(2, 9, 4) @ features(3, 4, 9)
    k = k + k.T
    h = np.eye(9) - 1 / 9
    before = k.copy()
    np.testing.assert_allclose(gram_matrices.double_centred(k), h @ k @ h, atol=1e-12)
    np.testing.assert_array_equal(k, before)


def test_a_packed_triangle_goes_row_by_row():
    matrix = np.arange(16).reshape(4, 4)
    assert gram_matrices.packed(matrix).tolist() == [1, 2, 3, 6, 7, 11]


def test_row_sums_leave_out_the_diagonal():
    layers = [features(seed, 6, 3) for seed in range(3)]
    matrices = [x @ x.T for x in layers]
    triangles = np.stack([gram_matrices.packed(k) for k in matrices])
    expected = [(k - np.diag(np.diagonal(k))).sum(axis=1) for k in matrices]
    np.testing.assert_allclose(gram_matrices.row_sums(triangles, 6), expected, atol=1e-12)
    np.testing.assert_allclose(Grams(triangles, 6).row_sums, expected, atol=1e-12)


def test_grams_of_layers_are_those_of_each_and_a_slice_is_a_view_and_a_copy_is_not():
    layers = [features(seed, 6, 3 + seed) + seed for seed in range(4)]
    grams = Grams.of(layers)
    for place, x in enumerate(layers):
        np.testing.assert_allclose(full(grams, place), oracles.gram(x), atol=1e-12)
    np.testing.assert_allclose(grams.row_sums, gram_matrices.row_sums(grams.triangles, 6), atol=1e-12)
    copied, part = grams.copy(), grams[1:3]
    part.triangles[:] = part.diagonals[:] = part.row_sums[:] = 0
    assert not grams.triangles[1:3].any()
    assert not grams.diagonals[1:3].any()
    assert not grams.row_sums[1:3].any()
    np.testing.assert_allclose(full(copied, 1), oracles.gram(layers[1]), atol=1e-12)
    np.testing.assert_allclose(full(grams, 3), oracles.gram(layers[3]), atol=1e-12)


def test_constant_features_give_exactly_zero_and_infinite_ones_nan():
    assert not gram_matrices.packed_gram(np.full((5, 3), 1e6 + 0.1, np.float32)).diagonal.any()
    broken = features(0, 5, 3)
    broken[2, 1] = np.inf
    assert np.isnan(gram_matrices.packed_gram(broken).triangle).all()


def test_layers_of_other_numbers_of_examples_and_too_small_minibatches_are_refused():
    with pytest.raises(UserError, match=r"\[5, 6\]"):
        Grams.of([np.ones((5, 2)), np.ones((6, 2))])
    with pytest.raises(UserError, match=r"\b3 examples.*\b4\b"):
        Grams.of([np.ones((3, 2))])
