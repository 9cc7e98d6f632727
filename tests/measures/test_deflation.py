"""CKA without the first component against taking it away from the activations themselves."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import ArpackError
from small_dumps import network, write
from small_layers import deflated, full, without_first_component

from widedeep.analysis import similarity
from widedeep.formats import dumps
from widedeep.measures import cka, deflation, gram_matrices


@given(st.integers(0, 10_000), st.integers(5, 30), st.integers(2, 40), st.sampled_from([0.0, 100.0]))
def test_equals_the_svd_of_the_activations(seed, n, p, mean):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * rng.uniform(0.1, 3, p) + mean
    grams = gram_matrices.Grams.of([x, 2 * x[:, ::-1]])
    found, share, values = deflated(grams)
    expected = without_first_component(x)
    scale = np.trace(full(grams, 0))
    np.testing.assert_allclose(full(found, 0), expected @ expected.T, atol=1e-6 * scale)
    np.testing.assert_allclose(full(found, 1), 4 * expected @ expected.T, atol=4e-6 * scale)
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(share, s[0] ** 2 / (s**2).sum(), rtol=1e-6)
    np.testing.assert_allclose(abs(values @ u[:, 0]), 1, atol=1e-6 / (1 - s[1] / s[0]) ** 2)


def test_a_shared_component_makes_layers_alike_and_its_removal_unlike():
    rng = np.random.default_rng(0)
    shared = 20 * rng.standard_normal((64, 1))
    x, y = (shared @ rng.standard_normal((1, 30)) + rng.standard_normal((64, 30)) for _ in range(2))
    similarity = cka.MinibatchCKA()
    grams = gram_matrices.Grams.of([x, y])
    similarity.add_grams(grams, grams)
    assert similarity.result().values[0, 1] > 0.95
    similarity = cka.MinibatchCKA()
    grams, _, values = deflated(grams)
    assert (values[0] @ values[1]) ** 2 > 0.95
    similarity.add_grams(grams, grams)
    assert abs(similarity.result().values[0, 1]) < 0.3


def first_components(dump, layers):
    """By a full SVD of each of 4 minibatches: shares (4, layers) and unit vectors (4, layers, n)."""
    shares, vectors = [], []
    for batch in range(4):
        x = [dump.activations(batch, layer).reshape(16, -1).astype(np.float64) for layer in layers]
        parts = [np.linalg.svd(one - one.mean(axis=0), full_matrices=False) for one in x]
        shares.append([s[0] ** 2 / (s**2).sum() for _, s, _ in parts])
        vectors.append([u[:, 0] for u, _, _ in parts])
    return np.array(shares), np.array(vectors)


@pytest.mark.parametrize("form", ["gram", "raw"])
def test_from_a_dump_it_is_the_cka_of_deflated_activations(tmp_path, form):
    raw = write(tmp_path / "raw.h5", form="raw", net=network(1))
    path = write(tmp_path / f"{form}2.h5", form=form, net=network(1))
    with dumps.Dump(path) as dump, dumps.Dump(raw) as activations:
        ((measures, share, _),) = similarity.compare([(dump, dump)])
        found, squared_cosine = measures["deflated"], measures["squared_cosine"].values
        layers = [layer.name for layer in dump.layers]
        for first, second in ((4, 4), (4, 9), (2, 20)):
            x, y = (
                np.concatenate(
                    [without_first_component(activations.activations(batch, layers[layer])) for batch in range(4)]
                )
                for layer in (first, second)
            )
            assert found.values[first, second] == pytest.approx(oracles.minibatch_cka(x, y, 16), abs=1e-4)
            shares, vectors = first_components(activations, [layers[first], layers[second]])
            assert share[first] == pytest.approx(shares[:, 0].mean(), abs=1e-4)
            cosines = (vectors[:, 0] * vectors[:, 1]).sum(axis=1)
            assert squared_cosine[first, second] == pytest.approx((cosines**2).mean(), abs=1e-3)


@pytest.mark.parametrize("scale", [1e-4, 1, 1e4])
def test_what_has_one_component_or_none_has_no_cka_without_it(scale):
    rng = np.random.default_rng(0)
    one = np.outer(scale * rng.standard_normal(32), rng.standard_normal(8)).astype(np.float32)
    bad = np.full((32, 3), np.nan, np.float32)
    grams, share, _ = deflated(
        gram_matrices.Grams.of([one, np.ones((32, 4), np.float32), bad, rng.standard_normal((32, 5))])
    )
    similarity = cka.MinibatchCKA()
    similarity.add_grams(grams, grams)
    result = similarity.result()
    assert np.isnan(result.values[:3]).all()
    assert share[0] == pytest.approx(1)
    assert np.isnan(share[1:3]).all()
    assert result.values[3, 3] == pytest.approx(1)
    assert result.undefined_first[0] == cka.CONSTANT
    assert not grams.triangles[1].any()  # what is constant stays as it is


def test_where_lanczos_gives_up_the_whole_decomposition_stands_in(monkeypatch):
    def give_up(*_, **__):
        raise ArpackError(-9)

    matrix = oracles.gram(np.random.default_rng(0).standard_normal((12, 5)))
    expected, vector = deflation.first_eigenpair(matrix)
    monkeypatch.setattr("scipy.sparse.linalg.eigsh", give_up)
    found, other = deflation.first_eigenpair(matrix)
    assert found == pytest.approx(expected)
    assert abs(vector @ other) == pytest.approx(1)


@pytest.mark.parametrize(
    ("triangle", "diagonal"),
    [(np.zeros(6), np.zeros(4)), (np.full(6, np.nan), np.ones(4)), (np.ones(6), np.full(4, np.inf))],
)
def test_a_layer_that_is_constant_or_not_finite_has_no_scores(triangle, diagonal):
    assert np.isnan(deflation.first_scores(triangle, diagonal)).all()


def test_equal_eigenvalues_are_no_obstacle():
    eigenvalue, vector = deflation.first_eigenpair(np.eye(12))
    assert eigenvalue == pytest.approx(1)
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_what_is_left_of_a_mean_is_not_taken_for_a_component():
    x = np.random.default_rng(0).standard_normal((20, 6))
    shifted = (x + 3) @ (x + 3).T
    rows, columns = np.triu_indices(20, 1)
    found, *_ = deflated(gram_matrices.Grams(shifted[rows, columns][None], 20, np.diagonal(shifted)[None].copy()))
    expected = without_first_component(x)
    # HSIC_1 does not see the mean that stays.
    np.testing.assert_allclose(gram_matrices.double_centred(full(found, 0)), expected @ expected.T, atol=1e-8)
