"""Gram matrices and first components in torch, as a GPU computes them, against those of numpy."""

import numpy as np
import pytest
import torch

from widedeep.measures import gram_matrices, on_device


@pytest.mark.parametrize("case", ["plain", "large mean", "constant", "zero", "not finite"])
def test_the_path_of_other_devices_gives_the_same_gram_matrix(case):
    features = torch.randn(16, 80, generator=torch.Generator().manual_seed(0))
    features = {
        "plain": features,
        "large mean": features + 1e4,
        "constant": torch.full_like(features, 1e4) + torch.arange(80),
        "zero": torch.zeros_like(features),
        "not finite": features.index_put((torch.tensor([3]),), torch.tensor(torch.inf)),
    }[case]
    expected = gram_matrices.packed_gram(features.numpy())
    found = on_device.on_host({"layer": on_device.products(features)})["layer"][0]
    for part in ("triangle", "diagonal"):
        np.testing.assert_allclose(getattr(found, part), getattr(expected, part), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.squared_norms, expected.squared_norms, rtol=1e-5)
    assert (found.triangle == 0).all() == (case in ("constant", "zero"))


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
        seen.append(torch.get_float32_matmul_precision())
        return original(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", matmul)
    torch.set_float32_matmul_precision("high")
    try:
        on_device.packed_gram_on_device(torch.randn(8, 4))
        assert seen == ["highest"]
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
