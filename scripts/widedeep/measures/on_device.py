"""Gram matrices and first components in torch, on the device that holds the features."""

import functools

import numpy as np
import torch

from widedeep.measures import gram_matrices
from widedeep.networks import tracing
from widedeep.networks.precision import full_products

# 12 squarings give the 4096th power of a Gram matrix, in which only the first component is left.
_SQUARINGS = 12
# Largest relative residual |Kv - lambda v| / lambda of an accepted first component.
_RESIDUAL = 1e-8
# Matrix entries squared at once, 34 MB in float64: limits the device's memory.
_SQUARED_AT_ONCE = 1 << 22


def computes_apart(device):
    """Whether the device computes while the host goes on. Reading a result per layer would then make the host wait."""
    return device.type != "cpu"


def _stay_on(device):
    """Whether Gram matrices stay on the device: on CUDA only. On the CPU they are numpy's, and mps has no float64."""
    return device.type == "cuda"


def empty_on(device):
    """Return the function that allocates the arrays of gram_matrices.Grams for layers on a device."""
    if not _stay_on(device):
        return np.empty
    return functools.partial(torch.empty, dtype=torch.float64, device=device)


def packed_gram(output):
    """Compute the gram_matrices.PackedGram of one layer's output, (n, ...), on the device that holds it.

    Its arrays are numpy arrays on the CPU, and tensors elsewhere: nothing is read back from the device.
    """
    features = tracing.features(output)
    return (
        packed_gram_on_device(features)
        if computes_apart(features.device)
        else gram_matrices.packed_gram(features.numpy())
    )


def packed_gram_on_device(features):
    """gram_matrices.packed_gram in torch, for float32 (n, p) features on any device.

    Features are always centred before the product. Checking first whether they need it would make the host wait.
    """
    # mps has no float64, so its small matrices move to the host.
    wide = features.device if features.device.type != "mps" else torch.device("cpu")
    squared_norms = features.square().sum(dim=1).to(wide).double()
    centred = features - features.mean(dim=0)
    with full_products():
        gram = (centred @ centred.T).to(wide).double()
    # Removes the rounding error of the mean.
    means = gram.mean(dim=0)
    gram -= means
    gram -= (means - means.mean())[:, None]
    gram.masked_fill_(gram.trace() <= gram_matrices.rounding_of(squared_norms.sum(), np.float32), 0)
    return gram_matrices.PackedGram(gram.flatten()[_flat_triangle(len(gram), wide)], gram.diagonal(), squared_norms)


@functools.cache
def _flat_triangle(n, device):
    return torch.from_numpy(gram_matrices.flat_triangle(n)).to(device)


def on_host(grams):
    """Copy the Gram matrices of several layers to the host, with their first components, in one copy.

    Args:
        grams: dict from a layer's name to its gram_matrices.PackedGram of tensors.

    Returns:
        dict from a layer's name to (gram_matrices.PackedGram of numpy arrays, (n,) scores of the first component). The
        scores are None where first_scores_on_device did not find them, or where it did not run.
    """
    if not grams:
        return {}
    parts = ("triangle", "diagonal", "squared_norms")
    columns = [torch.stack([getattr(gram, part) for gram in grams.values()]) for part in parts]
    stay = _stay_on(columns[0].device)
    scores = list(first_scores_on_device(*columns[:2]).cpu().numpy()) if stay else [None] * len(grams)
    rows = zip(grams, *(column.cpu().numpy() for column in columns), strict=True)
    return {
        name: (gram_matrices.PackedGram(*gram), None if found is None or np.isnan(found).any() else found)
        for (name, *gram), found in zip(rows, scores, strict=True)
    }


def first_scores_on_device(triangles, diagonals):
    """deflation.first_scores for many layers in torch, on any device with float64.

    Args:
        triangles: (layers, n (n - 1) / 2) float64.
        diagonals: (layers, n) float64.

    Returns:
        (layers, n) float64; NaN for a layer that is constant or not finite, and for one whose first two eigenvalues
        are within 0.4 %, for which this method is not exact.
    """
    at_once = max(1, _SQUARED_AT_ONCE // diagonals.shape[1] ** 2)
    parts = zip(triangles.split(at_once), diagonals.split(at_once), strict=True)
    return torch.cat([_first_scores(*part) for part in parts])


def _first_scores(triangles, diagonals):
    """First scores by repeated squaring: every column of a high power of a matrix is its first eigenvector, scaled."""
    layers, n = diagonals.shape
    full = diagonals.new_zeros(layers, n * n)
    full[:, _flat_triangle(n, full.device)] = triangles
    full = full.view(layers, n, n)
    full += full.mT + torch.diag_embed(diagonals)
    power = full
    for _ in range(_SQUARINGS):
        power = power / _diagonals(power).sum(dim=1)[:, None, None]
        power = power @ power
    best = _diagonals(power).argmax(dim=1)
    vectors = torch.nn.functional.normalize(power[torch.arange(layers, device=best.device), :, best], dim=1)
    products = (full @ vectors[:, :, None])[:, :, 0]
    eigenvalues = (products * vectors).sum(dim=1, keepdim=True)
    residuals = (products - eigenvalues * vectors).norm(dim=1, keepdim=True)
    return (eigenvalues.sqrt() * vectors).where(residuals <= _RESIDUAL * eigenvalues, torch.nan)


def _diagonals(matrices):
    return matrices.diagonal(dim1=1, dim2=2)
