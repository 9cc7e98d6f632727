"""First principal components against a full SVD."""

import dump_activations
import numpy as np
import pytest
import small
import small_weights
import torch
from sklearn.decomposition import PCA
from small_dumps import ORIGIN
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from widedeep.analysis import first_components
from widedeep.formats import components
from widedeep.measures import on_device
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError


@pytest.fixture(params=["at once", "at once, as cuda", "by batches"], autouse=True)
def path(request, monkeypatch):
    """The ways to the same components: layers held on all examples, the same in batched products, repeated passes."""
    if request.param == "by batches":
        monkeypatch.setattr(first_components, "most_held", lambda _: 0)
    monkeypatch.setattr(on_device, "computes_apart", lambda _: request.param == "at once, as cuda")
    monkeypatch.setattr(first_components, "_SUMMED", 16)  # of 40 images


class Linear(nn.Module):
    """One layer of any matrix: its activations are pixels @ matrix + shift."""

    def __init__(self, matrix, shift=0.0):
        super().__init__()
        self.flatten = nn.Flatten()
        self.only = nn.Linear(*matrix.shape)
        with torch.no_grad():
            self.only.weight.copy_(torch.from_numpy(matrix.T))
            self.only.bias.fill_(shift)

    def forward(self, x):
        return self.only(self.flatten(x))


def components_of(network, images, batch_size=16):
    network.eval()
    layers = tracing.layers_of(network)
    return first_components.first_components(network, layers, images, batch_size, torch.device("cpu")), layers


def activations_of(network, images):
    """(examples, features) float64 of every layer, by hooks of its own."""
    outputs = []
    handles = [
        layer.module.register_forward_hook(lambda _m, _i, output: outputs.append(output.flatten(1).double().numpy()))
        for layer in tracing.layers_of(network)
    ]
    with torch.no_grad():
        network.eval()(torch.from_numpy(images).float() / 255)
    for handle in handles:
        handle.remove()
    return outputs


def images(examples=40, side=8, seed=0):
    return small.split(examples, seed, size=side).images


def test_equals_the_full_svd_of_scikit_learn_for_every_layer_of_a_network():
    network = small.train().network
    found, layers = components_of(network, images())
    for index, activations in enumerate(activations_of(network, images())):
        full = PCA(svd_solver="full").fit(activations)
        first = full.transform(activations)[:, 0]
        assert found.share[index] == pytest.approx(full.explained_variance_ratio_[0], rel=1e-5), layers[index].name
        gap = 1 - full.explained_variance_ratio_[1] / full.explained_variance_ratio_[0]
        cosine = abs(found.values[index] @ first) / np.linalg.norm(first)
        assert cosine > 1 - 1e-6 / gap**2, layers[index].name


class NoFloat64(TorchDispatchMode):
    """Refuses every operation that has a result in float64."""

    def __torch_dispatch__(self, operation, _types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        assert getattr(result, "dtype", None) != torch.float64, operation
        return result


def test_a_device_without_float64_is_not_asked_for_it(monkeypatch):
    network = small.train().network
    expected, _ = components_of(network, images())
    monkeypatch.setattr(first_components, "widest", lambda _: torch.float32)
    with NoFloat64():
        found, _ = components_of(network, images())
    np.testing.assert_allclose(found.share, expected.share, rtol=1e-4)


# The sum of the squared means of the last is beyond float32.
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1, 1e4), (1e15, 1e19)])
def test_means_do_not_matter(scale, shift):
    matrix = np.random.default_rng(0).standard_normal((64, 30)).astype(np.float32)
    found, _ = components_of(Linear(np.float32(scale) * matrix, shift), images())
    (activations,) = activations_of(Linear(matrix), images())
    share = PCA(svd_solver="full").fit(activations).explained_variance_ratio_[0]
    assert found.share[0] == pytest.approx(share, rel=1e-3 if shift else 1e-5)


def test_a_large_mean_is_taken_away_to_the_rounding_of_the_features():
    network = Linear(np.random.default_rng(0).standard_normal((64, 30)).astype(np.float32), 1e4)
    found, _ = components_of(network, images(4000), 500)
    (activations,) = activations_of(network, images(4000))
    share = PCA(svd_solver="full").fit(activations).explained_variance_ratio_[0]
    assert found.share[0] == pytest.approx(share, rel=1e-6)


def test_neither_batches_nor_the_order_of_examples_matter():
    network = small.train().network
    whole, _ = components_of(network, images(), 40)
    parts, _ = components_of(network, images(), 7)
    order = np.random.default_rng(0).permutation(40)
    shuffled, _ = components_of(network, images()[order], 16)
    assert np.allclose(whole.share, parts.share, rtol=1e-5)
    assert np.allclose(whole.share, shuffled.share, rtol=1e-5)
    strong = whole.share > 0.5
    assert strong.any()
    assert np.allclose(whole.values[strong][:, order], shuffled.values[strong], atol=1e-3)


@pytest.mark.parametrize("together", [0, 40 * 8 * 8 * 8 * 4, 1 << 17])
def test_the_layers_that_are_held_together_do_not_matter(together, monkeypatch):
    network = small.train().network
    expected, _ = components_of(network, images())
    monkeypatch.setattr(first_components, "_HELD_TOGETHER", together)
    found, _ = components_of(network, images())
    np.testing.assert_allclose(found.share, expected.share, rtol=1e-5)
    np.testing.assert_allclose(found.residual, expected.residual, atol=1e-5)


def test_close_eigenvalues_are_told_apart_or_the_residual_says_so():
    """A covariance with eigenvalues 1, 0.999, 0.998 ...: the share is right although the vector is hard to find."""
    rng = np.random.default_rng(0)
    pixels = images(300).reshape(300, -1) / 255
    u, _, v = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
    wanted = np.sqrt(np.linspace(1, 0.95, len(v)))
    matrix = np.linalg.lstsq(pixels - pixels.mean(axis=0), u * wanted, rcond=None)[0].astype(np.float32)
    matrix = matrix @ np.linalg.qr(rng.standard_normal((len(v), len(v))))[0].astype(np.float32)
    found, _ = components_of(Linear(matrix), images(300), 64)
    (activations,) = activations_of(Linear(matrix), images(300))
    share = PCA(svd_solver="full").fit(activations).explained_variance_ratio_[0]
    assert found.share[0] == pytest.approx(share, rel=2e-3)
    assert found.residual[0] < 1e-2


def test_components_that_miss_the_tolerance_are_told_of(tmp_path, monkeypatch, capsys):
    data_file = small.write_dataset(tmp_path / "blobs.h5")
    weights = small_weights.write(tmp_path / "m.safetensors", small.train().network, data_file)
    words = [str(weights), "--data", f"{data_file}", "--batch-size", "16", "--passes", "1"]
    words += ["--out", f"{tmp_path}/activations.h5", "--components", f"{tmp_path}/pca.h5"]
    dump_activations.main(words)
    assert "warning" not in capsys.readouterr().out
    monkeypatch.setattr(first_components, "_MOST_STEPS", 1)
    dump_activations.main(words)
    _, found = components.read(tmp_path / "pca.h5")
    worst = found.names[np.nanargmax(found.residual)]
    (warning,) = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert str((found.residual > components.TOLERANCE).sum()) in warning
    assert worst in warning


def test_a_layer_of_rank_one_has_all_of_its_variance_in_one_component():
    matrix = np.outer(np.ones(64), np.arange(1, 6)).astype(np.float32)
    found, _ = components_of(Linear(matrix), images())
    assert found.share[0] == pytest.approx(1, abs=1e-6)
    brightness = images().reshape(40, -1).mean(axis=1)
    brightness = (brightness - brightness.mean()) / np.linalg.norm(brightness - brightness.mean())
    assert abs(found.values[0] @ brightness) == pytest.approx(1, abs=1e-6)
    assert found.values[0][np.abs(found.values[0]).argmax()] > 0


@pytest.mark.parametrize("value", [0.0, 3.7, np.nan, np.inf])
def test_a_layer_that_is_constant_or_not_finite_has_no_component(value):
    found, _ = components_of(Linear(np.zeros((64, 5), np.float32), value), images())
    assert np.isnan(found.share[0])
    assert np.isnan(found.values[0]).all()


def test_a_file_gives_back_what_was_written_and_others_are_refused(tmp_path):
    found, _ = components_of(small.train().network, images())
    small.write_components(tmp_path / "pca.h5", found, ORIGIN)
    label, read = components.read(tmp_path / "pca.h5")
    assert label == f"{ORIGIN.model}/seed{ORIGIN.seed}"
    assert read.names == found.names
    np.testing.assert_array_equal(read.values, found.values)
    np.testing.assert_array_equal(read.share, found.share)
    (tmp_path / "pca.h5").write_bytes((tmp_path / "pca.h5").read_bytes()[:1000])
    with pytest.raises(UserError, match=r"pca\.h5"):
        components.read(tmp_path / "pca.h5")
