"""Estimators against other people's implementations, and on inputs that break careless ones.

The definitions in plain float64 are in oracles.py and the tests of each module; here are definitions of another form,
scipy, scikit-learn, and packages that the workflow does not need: where one is not installed, its test is skipped.
"""

import itertools

import numpy as np
import oracles
import pytest
import scipy.spatial
import scipy.special
import scipy.stats
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score
from small_layers import deflated, full, related
from test_first_components import Linear, activations_of, components_of, images

from widedeep.analysis import agreement, examples
from widedeep.measures import cka, gram_matrices

BATCH = 16


def hostile(x):
    """Layers with a CKA that single precision, or a careless estimator, gets wrong; from (n, p) features."""
    n, p = x.shape
    rest = np.arange(n)[:, None]
    return {
        "plain": x,
        "all features but one constant": np.where(np.arange(p) == 2, x, 5.5),
        "dead but for four examples of each minibatch": np.where(rest % BATCH < 4, np.maximum(x, 0.1), 0),
        "half of the examples are one": np.where(rest % 2, x[:1], x),
        "every example twice": x[rest[:, 0] // 2],
        "means of 1e4 spreads": x + 1e4,
        "one huge mean": x + np.where(np.arange(p) == 1, 1e4, 0),
        "tiny": 1e-12 * x,
        "huge": 1e12 * x,
        "features of very different scales": x * np.logspace(-6, 6, p),
        "one feature": x[:, :1],
    }


NAMES = list(hostile(np.zeros((BATCH, 6))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [4, BATCH])
@pytest.mark.parametrize("name", NAMES)
def test_cka_of_hostile_layers_is_that_of_the_definition(name, batch_size, dtype):
    x, y = related(3, 48, 6, 6)
    x, y = hostile(x)[name].astype(dtype), y.astype(dtype)
    # From what the type holds: the rounding of the inputs is not the estimator's.
    expected = oracles.minibatch_cka(x.astype(np.float64), y.astype(np.float64), batch_size)
    assert cka.cka(x, y, batch_size) == pytest.approx(expected, abs=1e-7 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_hsic_is_that_of_repsim(name):
    repsim = pytest.importorskip("repsim", reason="repsim is not installed (benchmarks/requirements.txt)")
    x, y = related(3, 48, 6, 6)
    x = hostile(x)[name]
    peer = sum(
        repsim.hsic([x[part : part + BATCH], y[part : part + BATCH]], kernel_type="linear", estimator="song")
        for part in range(0, 48, BATCH)
    )
    # It does not centre, which costs it bits on large means.
    assert cka.cka(x, y, BATCH) == pytest.approx(peer[0, 1] / np.sqrt(peer[0, 0] * peer[1, 1]), abs=1e-6)


@pytest.mark.parametrize("name", [name for name in NAMES if "mean" not in name])
def test_minibatch_cka_is_that_of_ckatorch(name):
    core = pytest.importorskip("ckatorch.core", reason="ckatorch is not installed (benchmarks/requirements.txt)")
    import torch

    x, y = related(3, 48, 6, 6)
    x = hostile(x)[name]
    parts = [torch.from_numpy(layer.reshape(3, BATCH, -1)) for layer in (x, y)]
    assert cka.cka(x, y, BATCH) == pytest.approx(core.cka_batch(*parts).item(), abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_the_deflation_of_hostile_layers_is_scikit_learns(name, dtype):
    x = hostile(related(3, 48, 6, 6)[0])[name][:BATCH].astype(dtype)
    pca = PCA(1, svd_solver="full").fit(x.astype(np.float64))
    rest = x - pca.inverse_transform(pca.transform(x.astype(np.float64)))
    found, share, _ = deflated(gram_matrices.Grams.of([x]))
    assert share[0] == pytest.approx(pca.explained_variance_ratio_[0], abs=1e-5)
    expected = rest @ rest.T
    scale = np.trace(oracles.gram(x))
    np.testing.assert_allclose(full(found, 0), expected, atol=1e-5 * scale)
    if share[0] > 1 - 1e-12:
        np.testing.assert_array_equal(found.triangles, 0)


@pytest.mark.parametrize("examples_", [4, 40])
@pytest.mark.parametrize(
    ("scale", "shift", "features"), [(1, 0, 1), (1e-12, 0, 9), (1e12, 0, 9), (1, 1e4, 9), (1e-12, 1e-8, 9)]
)
def test_first_components_of_hostile_layers_are_scikit_learns(scale, shift, features, examples_):
    matrix = (scale * np.random.default_rng(0).standard_normal((64, features))).astype(np.float32)
    network = Linear(matrix, shift)
    pictures = images(examples_)
    pictures[examples_ // 2 :: 3] = pictures[0]  # one example, repeated
    found, _ = components_of(network, pictures)
    (activations,) = activations_of(network, pictures)
    pca = PCA(1, svd_solver="full").fit(activations)
    assert found.share[0] == pytest.approx(pca.explained_variance_ratio_[0], rel=1e-3 if shift else 1e-5)
    values = pca.transform(activations)[:, 0]
    assert abs(found.values[0] @ values) / np.linalg.norm(values) == pytest.approx(1, abs=1e-3 if shift else 1e-5)


def test_welch_and_benjamini_hochberg_are_those_of_statsmodels():
    weightstats = pytest.importorskip("statsmodels.stats.weightstats", reason="statsmodels is not installed")
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(0)
    for seeds in ((2, 2), (3, 9), (40, 5)):
        wide, deep = (rng.normal(0.7, rng.uniform(0.001, 0.1, 30), (number, 30)) for number in seeds)
        wide[:, 3], deep[:, 3] = wide[:, 4], deep[:, 4]  # a tie
        found = examples.class_differences(wide, deep)
        compared = weightstats.CompareMeans.from_data(wide, deep)
        _, p, _ = compared.ttest_ind(usevar="unequal")
        np.testing.assert_allclose(found["p"], p, rtol=1e-9)
        np.testing.assert_allclose(found["q"], multipletests(p, method="fdr_bh")[1], rtol=1e-9)
        low, high = compared.tconfint_diff(usevar="unequal")
        np.testing.assert_allclose([found["low"], found["high"]], [low, high], rtol=1e-9)


def test_classes_that_cannot_be_tested_do_not_count_in_the_correction():
    rng = np.random.default_rng(1)
    wide, deep = rng.normal(0.7, 0.05, (2, 4, 6))
    wide[:, 1] = deep[:, 1] = 0.9  # right in all seeds alike
    wide[:, 4], deep[:, 4] = 1.0, 0.0  # no spread at all, though they differ
    found = examples.class_differences(wide, deep)
    testable = [0, 2, 3, 5]
    assert np.flatnonzero(np.isfinite(found["q"])).tolist() == testable
    expected = scipy.stats.false_discovery_control(
        [scipy.stats.ttest_ind(wide[:, one], deep[:, one], equal_var=False).pvalue for one in testable]
    )
    np.testing.assert_allclose(found["q"][testable], expected)
    np.testing.assert_allclose(found["difference"], wide.mean(axis=0) - deep.mean(axis=0))


LOGITS = {
    "plain": np.random.default_rng(5).normal(size=(3, 20, 7)),
    "certain": 1e4 * np.random.default_rng(5).normal(size=(3, 20, 7)),
    "all alike": np.zeros((3, 20, 7)),
    "one class": np.zeros((3, 20, 1)),
    "shifted": np.random.default_rng(5).normal(size=(3, 20, 7)) + 1e4,
}


@pytest.mark.parametrize("name", LOGITS)
def test_agreement_measures_are_those_of_scipy_and_scikit_learn(name):
    logs = scipy.special.log_softmax(LOGITS[name], axis=2)
    kl, equal = agreement.kl_divergence(logs), agreement.agreement(logs.argmax(axis=2))
    for row, column in itertools.product(range(3), repeat=2):
        p, q = np.exp(logs[row]), np.exp(logs[column])
        # p (log p - log q): scipy's rel_entr takes probabilities, and those of certain networks vanish.
        expected = np.where(p > 0, p * (logs[row] - logs[column]), 0).sum(axis=1).mean()
        assert kl[row, column] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert equal[row, column] == accuracy_score(logs[row].argmax(axis=1), logs[column].argmax(axis=1))
        distances = [scipy.spatial.distance.euclidean(*np.sqrt(pair)) for pair in zip(p, q, strict=True)]
        assert agreement.hellinger(p, q) == pytest.approx(np.mean(distances) / np.sqrt(2), rel=1e-9, abs=1e-12)
