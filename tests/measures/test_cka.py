"""Minibatch CKA against its definition and its invariances, and where it is not defined."""

import doctest
import subprocess
import sys

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_layers import features, related

from widedeep.measures import cka, hsic
from widedeep.runtime.errors import UserError

sizes = st.tuples(st.integers(0, 10**6), st.integers(4, 40), st.integers(1, 30), st.integers(1, 30))


@given(sizes)
def test_equals_the_definition(size):
    seed, n, p, q = size
    x, y = related(seed, n, p, q)
    assert cka.cka(x, y) == pytest.approx(oracles.minibatch_cka(x, y, n), rel=1e-8, abs=1e-8)


@given(st.integers(0, 10**6), st.sampled_from([8, 16, 30]))
def test_minibatches_average_before_the_ratio(seed, batch_size):
    x, y = related(seed, 71, 5, 6)  # leaves an incomplete minibatch, of 8 one example short, which is dropped
    assert cka.cka(x, y, batch_size) == pytest.approx(oracles.minibatch_cka(x, y, batch_size), rel=1e-9)


def test_mean_of_ratios_would_be_something_else():
    x, y = related(0, 64, 5, 6)
    x[:16] *= 30  # one minibatch outweighs the others in the means, but not in a mean of ratios
    ratios = [oracles.minibatch_cka(x[s : s + 16], y[s : s + 16], 16) for s in range(0, 64, 16)]
    assert abs(cka.cka(x, y, 16) - np.mean(ratios)) > 0.01
    assert cka.cka(x, y, 16) == pytest.approx(oracles.minibatch_cka(x, y, 16), rel=1e-9)


@given(sizes)
def test_with_itself_it_is_one(size):
    seed, n, p, _ = size
    assert cka.cka(features(seed, n, p), features(seed, n, p)) == pytest.approx(1, abs=1e-12)


TRANSFORMATIONS = {
    "orthogonal": lambda x, rng: x @ np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))[0],
    "scaled up": lambda x, _: 1e6 * x,
    "scaled down": lambda x, _: -1e-6 * x,
    "shifted": lambda x, rng: x + 10 * rng.standard_normal(x.shape[1]),
    "features permuted": lambda x, rng: x[:, rng.permutation(x.shape[1])],
    "features repeated": lambda x, _: np.concatenate([x, x], axis=1),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@given(size=sizes)
def test_is_invariant(name, size):
    seed, n, p, q = size
    x, y = related(seed, n, p, q)
    changed = TRANSFORMATIONS[name](x, np.random.default_rng(seed + 1))
    assert cka.cka(changed, y) == pytest.approx(cka.cka(x, y), rel=1e-7, abs=1e-7)


@given(sizes)
def test_permuting_examples_in_both_changes_nothing_and_in_one_does(size):
    seed, n, p, q = size
    x, y = related(seed, n, p, q)
    order = np.random.default_rng(seed).permutation(n)
    assert cka.cka(x[order], y[order]) == pytest.approx(cka.cka(x, y), rel=1e-9, abs=1e-9)
    if n >= 8 and (order != np.arange(n)).all():
        assert cka.cka(x[order], y) != pytest.approx(cka.cka(x, y), rel=1e-9, abs=1e-12)


def test_is_symmetric():
    x, y = related(1, 20, 6, 9)
    assert cka.cka(x, y) == pytest.approx(cka.cka(y, x), rel=1e-12)


def test_flattens_what_follows_the_examples():
    x = features(0, 12, 24)
    assert cka.cka(x.reshape(12, 2, 3, 4), x[:, ::-1]) == pytest.approx(1, abs=1e-12)


def test_independent_layers_give_zero_in_the_mean_and_negative_values_are_not_clamped():
    values = [cka.cka(features(2 * s, 24, 60), features(2 * s + 1, 24, 60)) for s in range(400)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert min(values) < 0
    # The biased estimator gives about 0.7 here.
    assert error < 0.005


@pytest.mark.parametrize("batch_size", [4, 8, 32])
def test_does_not_depend_on_the_batch_size_in_expectation(batch_size):
    """Paper, appendix A: the terms of the ratio have the same expectation at every batch size."""
    terms = {size: [] for size in (batch_size, 64)}
    for seed in range(300):
        x, y = related(7, 64, 5, 6)  # the same relation, ...
        order = np.random.default_rng(seed).permutation(64)  # ... cut into minibatches in another way
        for size, kept in terms.items():
            parts = [order[s : s + size] for s in range(0, 64, size)]
            kept.append(np.mean([hsic.hsic1(oracles.gram(x[part]), oracles.gram(y[part])) for part in parts]))
    difference = np.mean(terms[batch_size]) - np.mean(terms[64])
    assert abs(difference) < 4 * np.std(terms[batch_size]) / np.sqrt(300)
    assert abs(difference) < 0.1 * np.mean(terms[64])


def test_streaming_equals_one_pair_at_a_time():
    layers = [related(s, 48, 4 + s, 3)[0] for s in range(4)]
    others = [related(s, 48, 4, 2 + s)[1] for s in range(3)]
    stream = cka.MinibatchCKA()
    for start in range(0, 48, 16):
        part = slice(start, start + 16)
        stream.add([layer[part] for layer in layers], [other[part] for other in others])
    result = stream.result()
    expected = [[oracles.minibatch_cka(layer, other, 16) for other in others] for layer in layers]
    np.testing.assert_allclose(result.values, expected, rtol=1e-9)
    assert result.minibatches == 3
    assert result.undefined_first == [""] * 4


def test_a_network_with_itself_needs_no_second_argument():
    layers = [features(s, 16, 5) for s in range(3)]
    alone, twice = cka.MinibatchCKA(), cka.MinibatchCKA()
    alone.add(layers)
    twice.add(layers, layers)
    np.testing.assert_allclose(alone.result().values, twice.result().values, rtol=1e-12)
    np.testing.assert_allclose(np.diagonal(alone.result().values), 1, rtol=1e-12)


@pytest.mark.parametrize("width", [1, 64, 2048, 20_000])
@pytest.mark.parametrize("mean", [0, 1, 1.9, 2.1, 100, 1e4])
def test_float32_is_as_exact_as_promised(width, mean):
    """Below 1e-7 on wide layers and on means of 1e4 times the spread."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((64, 8))
    layers = [shared @ rng.standard_normal((8, width)) + rng.standard_normal((64, width)) + mean for _ in range(2)]
    layers = [layer.astype(np.float32) for layer in layers]
    # From what float32 holds: the rounding of the inputs is not the estimator's.
    expected = oracles.minibatch_cka(*(layer.astype(np.float64) for layer in layers), 32)
    assert abs(cka.cka(*layers, 32) - expected) < 1e-7


CONSTANT = {
    "all zero, a dead ReLU": np.zeros((30, 6)),
    "one example repeated": np.tile(np.linspace(-3, 1000.1, 6), (30, 1)),
    "large": np.full((30, 6), 1e6 + 0.1),
    "tiny": np.full((30, 6), 1e-12),
    # HSIC_1 of these with themselves is zero, as of the others, but for rounding.
    "a ReLU that one example alone passes": np.eye(30)[:, 3:4] * np.linspace(0.1, 7, 6),
    "one example alone differs": np.eye(30)[:, 3:4] * np.linspace(0.1, 7, 6) + 3.3,
    "each example in a direction of its own": 0.7 * np.eye(30),
}


@pytest.mark.parametrize("n", [4, 16, 256])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_not_taken_for_a_cka_where_one_example_alone_differs(n, dtype):
    """Without the check these had CKA of 0 with others and of 1 with each other, by the sign of the rounding."""
    rng = np.random.default_rng(0)
    alone = np.zeros((n, 8), dtype)
    alone[1] = rng.standard_normal(8)
    nearly = alone.copy()
    nearly[2] = 1e-3 * rng.standard_normal(8)
    stream = cka.MinibatchCKA()
    stream.add([features(0, n, 5, dtype), alone, alone + dtype(3.3), nearly])
    result = stream.result()
    assert result.undefined_first == ["", cka.CONSTANT, cka.CONSTANT, ""]
    expected = oracles.minibatch_cka(nearly.astype(float), features(0, n, 5, dtype).astype(float), n)
    assert result.values[0, 3] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("far", [1e2, 1e9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_one_minibatch_is_not_taken_for_similarity_beside_smaller_ones(dtype, far):
    """One example is so far from the others that nothing is known of these; the sums of the others do not help."""
    x, y = (layer.astype(dtype) for layer in related(3, 48, 5, 5))
    x[5] *= dtype(far)
    stream = cka.MinibatchCKA()
    for part in (slice(0, 16), slice(16, 32), slice(32, 48)):
        stream.add([x[part], y[part]])
    result = stream.result()
    if far > 1e6:
        assert result.undefined_first == [cka.CONSTANT, ""]
        assert np.isnan(result.values[0]).all()
    else:
        expected = oracles.minibatch_cka(x.astype(float), y.astype(float), 16)
        assert result.values[0, 1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CONSTANT)
def test_a_constant_layer_has_no_cka_and_the_result_says_why(name, dtype):
    stream = cka.MinibatchCKA()
    stream.add([features(0, 30, 5, dtype), CONSTANT[name].astype(dtype)])
    result = stream.result()
    assert result.values[0, 0] == pytest.approx(1)
    assert np.isnan(result.values[1]).all()
    assert np.isnan(result.values[:, 1]).all()
    assert result.undefined_first == ["", cka.CONSTANT]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_spread_of_sixteen_units_in_the_last_place_is_where_constant_begins(dtype):
    signs = np.where(np.random.default_rng(0).random((30, 6)) < 0.5, -1, 1)
    stream = cka.MinibatchCKA()
    stream.add([1 + (units * np.finfo(dtype).eps * signs).astype(dtype) for units in (8, 32)])
    assert stream.result().undefined_first == [cka.CONSTANT, ""]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_layer_that_is_not_finite_is_undefined_and_the_others_are_not(value):
    broken = features(1, 12, 4)
    broken[3, 2] = value
    stream = cka.MinibatchCKA()
    stream.add([features(0, 12, 5), broken])
    result = stream.result()
    assert result.values[0, 0] == pytest.approx(1)
    assert np.isnan(result.values[1]).all()
    assert result.undefined_first == ["", cka.NOT_FINITE]


@given(st.integers(0, 10**6), st.integers(-120, 120), st.sampled_from([0, 100, 1e4]))
def test_no_scale_of_float32_changes_anything(seed, exponent, mean):
    """Powers of two change no bits of the features; the products of the smallest and largest leave float32's range."""
    x, y = (layer.astype(np.float32) for layer in related(seed, 24, 6, 6))
    x += np.float32(mean)
    expected = oracles.minibatch_cka(x, y, 12)
    assert cka.cka(np.ldexp(x, exponent), y, 12) == pytest.approx(expected, abs=1e-6)


def test_the_smallest_and_the_largest_values_of_float32_have_a_cka():
    x, y = related(5, 16, 6, 6)
    for scale in (1e-42, 1e-37, 3e37):
        held = (x * scale).astype(np.float32)
        expected = oracles.minibatch_cka(held.astype(np.float64) / scale, y, 16)
        assert cka.cka(held, y) == pytest.approx(expected, abs=1e-7)


@given(st.integers(0, 10**6), st.integers(-1070, 1010))
def test_a_scale_of_float64_changes_nothing_or_is_named(seed, exponent):
    x, y = related(seed, 24, 6, 6)
    stream = cka.MinibatchCKA()
    stream.add([np.ldexp(x, exponent), y])
    result = stream.result()
    if result.undefined_first[0]:
        assert abs(exponent) > 220
        assert result.undefined_first == [cka.NOT_FINITE, ""]
        assert np.isnan(result.values[0]).all()
    else:
        assert result.values[0, 1] == pytest.approx(oracles.minibatch_cka(x, y, 24), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-160, 1e-40, 1e40, 1e160])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_layers_are_constant_at_any_scale(scale, dtype):
    if dtype is np.float32:
        scale **= 0.2
    layer = np.tile(scale * np.linspace(0.1, 3, 6), (16, 1)).astype(dtype)
    stream = cka.MinibatchCKA()
    stream.add([layer, features(0, 16, 5)])
    assert stream.result().undefined_first == [cka.CONSTANT, ""]


def test_a_layer_that_is_constant_in_one_minibatch_only_is_defined():
    x, y = related(2, 32, 5, 5)
    x[:16] = 7
    assert cka.cka(x, y, 16) == pytest.approx(oracles.minibatch_cka(x, y, 16), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cka.cka(np.ones((5, 2)), np.ones((6, 2))), r"x .*\b5\b.* y .*\b6\b"),
        (lambda: cka.cka(np.ones((6, 2)), np.ones((5, 2))), r"x .*\b6\b.* y .*\b5\b"),
        (lambda: cka.cka(np.ones((3, 2)), np.ones((3, 2))), r"\b3 examples.*\b4\b"),
        *(
            (
                lambda size=size: cka.cka(np.ones((9, 2)), np.ones((9, 2)), size),
                rf"batch_size is {size!r};.*\b4 examples",
            )
            for size in (3, 0, -4, 2.5, "16", True)
        ),
        (lambda: cka.cka(np.ones((9, 2)), np.ones((9, 2)), 10), r"batch_size 10\b.*\b9\b"),
        (lambda: cka.MinibatchCKA().add([np.ones((5, 2)), np.ones((6, 2))]), r"\[5, 6\]"),
        (lambda: cka.MinibatchCKA().add([np.ones((5, 2))], [np.ones((6, 2))]), r"\b5 and 6\b"),
        (lambda: cka.MinibatchCKA().add([np.ones((6, 2))], [np.ones((5, 2))]), r"\b6 and 5\b"),
        (lambda: cka.MinibatchCKA().result(), "no minibatch"),
    ],
)
def test_what_is_refused_is_named(call, words):
    with pytest.raises(UserError, match=words):
        call()


X = features(0, 16, 5)
MINIBATCHES = {
    "fewer examples": ([[X]], [[X[:8]]], "8 examples.*16 examples"),
    "more layers": ([[X]], [[X, X]], "2 layers.*1 layers"),
    "fewer layers": ([[X, X]], [[X]], "1 layers.*2 layers"),
    "more layers of the second network": ([[X], [X]], [[X], [X, X]], "1 layers and 2.*1 layers and 1"),
    "one network, then two": ([[X]], [[X], [X]], "another network.*one network"),
    "two networks, then one": ([[X], [X]], [[X]], "one network.*another network"),
}


@pytest.mark.parametrize("name", MINIBATCHES)
def test_all_minibatches_have_the_shape_of_the_first(name):
    first, second, words = MINIBATCHES[name]
    stream = cka.MinibatchCKA()
    stream.add(*first)
    with pytest.raises(UserError, match=words):
        stream.add(*second)
    stream.add(*first)
    assert stream.result().minibatches == 2


def test_on_arrays_numpy_is_enough():
    code = "import sys; sys.path.insert(0, 'scripts'); import widedeep.measures.cka; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "widedeep.measures.cka" in loaded
    assert not {"torch", "h5py", "scipy", "pandas", "pydantic"} & set(loaded)


def test_the_examples_in_the_documentation_work():
    assert doctest.testmod(cka).failed == 0
    assert doctest.testmod(cka).attempted > 5
