"""Gram matrices and first components in torch, as a GPU computes them, against those of numpy."""

import numpy as np
import pytest
import torch

from widedeep.measures import gram_matrices, on_device

CASES = {
    "plain": lambda x: x,
    "large mean": lambda x: x + 1e4,
    "constant": lambda x: torch.full_like(x, 1e4) + torch.arange(80),
    "zero": torch.zeros_like,
    "not finite": lambda x: x.index_put((torch.tensor([3]),), torch.tensor(torch.inf, dtype=x.dtype)),
    "NaN": lambda x: x.index_put((torch.tensor([3]),), torch.tensor(torch.nan, dtype=x.dtype)),
    "tiny": lambda x: 1e-25 * x,
    "tiny beside a tiny mean": lambda x: 1e-25 * (x + 100),
    "tiny and constant": lambda x: 1e-25 * (torch.zeros_like(x) + torch.arange(80)),
    "huge": lambda x: 1e25 * x,
    "beyond float32, or denormal": lambda x: 1e-42 * x,
    "beyond, or infinite": lambda x: 1e65 * x,
    "beyond float64's fourth powers": lambda x: 1e-90 * x,
    "beyond float64's squares": lambda x: 1e-200 * x,
    "beyond float64's squares, large": lambda x: 1e200 * x,
    "beyond float64's squares, constant": lambda x: 1e200 * (torch.zeros_like(x) + torch.arange(80)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_the_path_of_other_devices_gives_the_same_gram_matrix(case, dtype):
    features = CASES[case](torch.randn(16, 80, generator=torch.Generator().manual_seed(0), dtype=dtype))
    expected = gram_matrices.packed_gram(features.numpy())
    found = on_device.packed_gram_on_device(features)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    for part in ("triangle", "diagonal"):
        values = getattr(expected, part)
        atol = tolerance * np.abs(values).max() * (1 if case != "large mean" else 100)
        np.testing.assert_allclose(getattr(found, part), values, rtol=0, atol=np.nan_to_num(atol))
    np.testing.assert_allclose(found.squared_norms, expected.squared_norms, rtol=tolerance)
    matrix = on_device.gram(features.clone())
    np.testing.assert_array_equal(gram_matrices.packed(matrix.numpy()), found.triangle)
    np.testing.assert_array_equal(np.diagonal(matrix), found.diagonal)


def test_a_dump_of_another_device_holds_what_float32_can_hold():
    features = torch.randn(16, 80, generator=torch.Generator().manual_seed(0))
    scales = {1e-25: False, 1e-15: True, 1.0: True, 1e15: True, 1e25: False}
    found = on_device.on_host({scale: on_device.products(scale * features) for scale in scales})
    for scale, held in scales.items():
        gram, scores = found[scale]
        assert gram.triangle.dtype == np.float32
        assert np.isfinite(gram.triangle).all() == np.isfinite(gram.diagonal).all() == held
        assert (scores is not None) == held
    assert not on_device.on_host({0: on_device.products(0 * features)})[0][0].triangle.any()


def matrix(eigenvalues, seed=0):
    """A positive semidefinite matrix of these eigenvalues, and the eigenvectors."""
    n = len(eigenvalues)
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return (vectors * eigenvalues) @ vectors.T, vectors


def vectors_on_device(matrices):
    """What first_scores_on_device makes of (n, n) matrices, with itself: (layers, n, n), free of signs."""
    triangles = torch.from_numpy(np.stack([gram_matrices.packed(one) for one in matrices]))
    diagonals = torch.from_numpy(np.stack([np.diagonal(one) for one in matrices]))
    scores = on_device.first_scores_on_device(triangles, diagonals).numpy()
    return scores[:, :, None] * scores[:, None, :]


@pytest.mark.parametrize("second", [0, 1e-8, 0.5, 0.9, 0.99, 0.995])
@pytest.mark.parametrize("scale", [1e-12, 1, 1e12])
def test_first_components_on_a_device_are_the_first_eigenvectors(second, scale):
    spectrum = scale * np.r_[1, second, second * np.linspace(0.9, 0, 30)]
    matrices = [matrix(spectrum, seed) for seed in range(3)]
    found = vectors_on_device([one for one, _ in matrices])
    for (_, vectors), scores in zip(matrices, found, strict=True):
        np.testing.assert_allclose(scores, scale * np.outer(vectors[:, 0], vectors[:, 0]), atol=2e-6 * scale)


def test_first_components_on_a_device_are_left_out_where_they_are_not_exact():
    close, alone = (matrix(np.r_[1, second, np.zeros(30)])[0] for second in (0.9999, 0))
    found = vectors_on_device([close, *(np.full((32, 32), value) for value in (0.0, np.inf, np.nan)), alone])
    assert np.isnan(found).all(axis=(1, 2)).tolist() == [True, True, True, True, False]


def test_layers_are_squared_in_parts(monkeypatch):
    matrices = [matrix(np.linspace(1, 0, 8) ** 2, seed)[0] for seed in range(5)]
    whole = vectors_on_device(matrices)
    monkeypatch.setattr(on_device, "_SQUARED_AT_ONCE", 2 * 8**2)
    np.testing.assert_allclose(vectors_on_device(matrices), whole, atol=1e-12)


def test_large_minibatches_on_the_cpu_are_left_to_lanczos_method():
    for n, squared in ((96, True), (97, False)):
        gram = gram_matrices.packed_gram(np.random.default_rng(0).standard_normal((n, 300)))
        same, scores = on_device.on_host({"layer": gram})["layer"]
        assert same is gram
        assert (scores is not None) == squared


def test_products_are_made_without_tf32_and_the_setting_comes_back(monkeypatch):
    seen = []
    original = torch.Tensor.__matmul__

    def matmul(a, b):
        seen.append(torch.backends.cuda.matmul.fp32_precision)
        return original(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", matmul)
    torch.set_float32_matmul_precision("high")
    try:
        on_device.packed_gram_on_device(torch.randn(8, 4))
        assert seen == ["ieee"]
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
