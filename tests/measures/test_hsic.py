"""The unbiased HSIC against its definition, and the identity that makes all pairs one matrix product."""

import itertools
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_layers import features, related

from widedeep.measures import gram_matrices, hsic
from widedeep.runtime.errors import UserError


@given(st.integers(0, 10**6), st.integers(4, 40), st.integers(1, 30), st.integers(1, 30))
def test_equals_the_definition(seed, n, p, q):
    k, l = map(oracles.gram, related(seed, n, p, q))  # noqa: E741
    assert hsic.hsic1(k, l) == pytest.approx(oracles.hsic1(k, l), rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**6), st.integers(4, 9), st.integers(1, 4))
def test_equals_exact_arithmetic_on_integers(seed, n, p):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-9, 10, (n, p)), rng.integers(-9, 10, (n, p))
    exact = oracles.exact_hsic1(x.tolist(), y.tolist())
    assert isinstance(exact, Fraction)
    # HSIC_1 does not change when features are shifted, so centred Gram matrices give the exact value of uncentred ones.
    assert hsic.hsic1(x @ x.T, y @ y.T) == pytest.approx(float(exact), rel=1e-10, abs=1e-9)
    assert hsic.hsic1(oracles.gram(x), oracles.gram(y)) == pytest.approx(float(exact), rel=1e-10, abs=1e-9)


@pytest.mark.parametrize("n", [4, 5, 7])
@pytest.mark.parametrize("p", [1, 3])
def test_is_the_mean_over_all_different_quadruples(n, p):
    """Song et al. (2012), the U-statistic itself: an unbiased estimate from each four examples, averaged."""
    x, y = np.random.default_rng(n).standard_normal((2, n, p))
    k, l = x @ x.T, y @ y.T  # noqa: E741
    estimates = [k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in itertools.permutations(range(n), 4)]
    assert hsic.hsic1(k, l) == pytest.approx(np.mean(estimates), rel=1e-10)


def test_is_the_inner_product_of_u_centred_matrices():
    """Szekely and Rizzo (2014)."""

    def u_centred(gram):
        n = len(gram)
        gram = gram - np.diag(np.diag(gram))
        rows = gram.sum(axis=1) / (n - 2)
        centred = gram - rows - rows[:, None] + gram.sum() / ((n - 1) * (n - 2))
        return centred - np.diag(np.diag(centred))

    for x, y in (related(seed, 4 + seed, 6, 6) for seed in range(5)):
        k, l = x @ x.T, y @ y.T  # noqa: E741
        n = len(k)
        assert hsic.hsic1(k, l) == pytest.approx((u_centred(k) * u_centred(l)).sum() / (n * (n - 3)), rel=1e-10)


@pytest.mark.parametrize("n", [4, 17])
@pytest.mark.parametrize("shift", [0, 1])
def test_one_product_of_stacked_triangles_gives_all_pairs(n, shift):
    """Of Gram matrices that are not centred too, whose row sums are not those of the diagonal."""
    first = [features(seed, n, 3 + seed) + shift for seed in range(4)]
    second = [related(seed, n, 5, 2)[0] + shift for seed in range(3)]
    grams = [[x @ x.T for x in layers] for layers in (first, second)]
    packed = [gram_matrices.Grams(np.stack([gram_matrices.packed(k) for k in part]), n) for part in grams]
    expected = [[oracles.hsic1(k, l) for l in grams[1]] for k in grams[0]]  # noqa: E741
    np.testing.assert_allclose(hsic.cross_hsic(*packed), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(hsic.self_hsic(packed[0]).real, [oracles.hsic1(k, k) for k in grams[0]], rtol=1e-9)
    np.testing.assert_array_equal(hsic.cross_hsic(*packed[::-1]), hsic.cross_hsic(*packed).T)


def test_of_a_layer_with_itself_rounding_is_below_its_bound():
    """No two examples vary together: one alone differs, or each in a direction of its own."""
    alone, apart = np.eye(30)[:, 3:4] * np.linspace(0.1, 7, 6) + 3.3, 0.7 * np.eye(30)
    grams = gram_matrices.Grams.of([alone, apart, features(0, 30, 6)])
    found = hsic.self_hsic(grams)
    assert (found.real <= found.imag).tolist() == [True, True, False]


def test_the_rounding_of_float32_products_is_no_asymmetry():
    x = features(0, 40, 300, np.float32) + np.float32(3)
    k = np.einsum("ip,jp->ij", x, x)
    k[np.triu_indices(40, 1)] *= 1 + np.float32(1e-6)
    assert hsic.hsic1(k, k) == pytest.approx(oracles.hsic1(oracles.gram(x), oracles.gram(x)), rel=1e-3)


@pytest.mark.parametrize(
    ("k", "l", "named"),
    [
        (np.eye(5), np.eye(6), r"\(5, 5\).*\(6, 6\)"),
        (np.eye(3), np.eye(3), r"\b3 examples.*\b4\b"),
        (np.ones((6, 5)), np.eye(6), r"k .*\(6, 5\)"),
        (np.eye(6), np.ones(6), r"l .*\(6,\)"),
        (np.eye(6), features(0, 6, 6), "l is not symmetric"),
        (np.triu(np.ones((6, 6))), np.eye(6), "k is not symmetric"),
        (np.diag([1, 2, 3, np.nan, 5, 6]), np.eye(6), "k holds NaN"),
        (np.eye(6), np.full((6, 6), np.inf), "l holds NaN or infinity"),
        (1j * np.eye(6), np.eye(6), "k is complex128"),
        (np.eye(6).astype(str), np.eye(6), "k holds values of type <U"),
        (np.ma.masked_equal(np.eye(6), 0), np.eye(6), "k is a masked array"),
        (1e160 * np.ones((6, 6)), 1e160 * np.eye(6) + 1e159, r"up to 1e\+160 and 1.1e\+160"),
    ],
)
def test_what_is_no_gram_matrix_or_of_other_examples_is_refused(k, l, named):  # noqa: E741
    with pytest.raises(UserError, match=named):
        hsic.hsic1(k, l)
