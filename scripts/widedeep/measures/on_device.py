"""Gram matrices and their first components in torch, on the device that holds the features."""

import functools

import numpy as np
import torch

from widedeep.measures import gram_matrices
from widedeep.networks import tracing
from widedeep.networks.precision import full_products

# After so many squarings, the 4096th power of a Gram matrix has the first component alone.
_SQUARINGS = 12
# Relative residual of the eigenvalue equation up to which a vector counts as the first component.
_RESIDUAL = 1e-8
# Values of Gram matrices that are squared together, lest they fill the device: 34 MB.
_SQUARED_AT_ONCE = 1 << 22


def computes_apart(device):
    """Whether the host goes on while a device computes, so that it must not wait for a result of each layer."""
    return device.type != "cpu"


def _stay_on(device):
    """Whether Gram matrices stay where they were made: on CUDA. The CPU's are numpy's, and mps has no float64."""
    return device.type == "cuda"


def empty_on(device):
    """What makes the arrays of gram_matrices.Grams of layers on a device."""
    if not _stay_on(device):
        return np.empty
    return functools.partial(torch.empty, dtype=torch.float64, device=device)


def packed_gram(output):
    """gram_matrices.PackedGram of one layer's output (n, ...), computed on the device that holds it.

    On the CPU its arrays are numpy's; elsewhere they are tensors, and nothing is read back from the device.
    """
    features = tracing.features(output)
    return (
        packed_gram_on_device(features)
        if computes_apart(features.device)
        else gram_matrices.packed_gram(features.numpy())
    )


def packed_gram_on_device(features):
    """gram_matrices.packed_gram in torch, of float32 (n, p) features on any device.

    The features are always centred before the product: to look first whether they need it would make the device wait.
    """
    # mps has no float64: there only the small matrices move to the host.
    wide = features.device if features.device.type != "mps" else torch.device("cpu")
    squared_norms = features.square().sum(dim=1).to(wide).double()
    centred = features - features.mean(dim=0)
    with full_products():
        gram = (centred @ centred.T).to(wide).double()
    # What rounding left of the mean.
    means = gram.mean(dim=0)
    gram -= means
    gram -= (means - means.mean())[:, None]
    gram.masked_fill_(gram.trace() <= gram_matrices.rounding_of(squared_norms.sum(), np.float32), 0)
    return gram_matrices.PackedGram(gram.flatten()[_flat_triangle(len(gram), wide)], gram.diagonal(), squared_norms)


@functools.cache
def _flat_triangle(n, device):
    return torch.from_numpy(gram_matrices.flat_triangle(n)).to(device)


def on_host(grams):
    """Gram matrices and first components of layers with numpy arrays: one copy from the device, not one a layer.

    Args:
        grams: dict of gram_matrices.PackedGram of tensors.

    Returns:
        dict of (gram_matrices.PackedGram, scores); the scores as of `first_scores_on_device`, None where they are not known.
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
    """deflation.first_scores of many layers in torch, on any device that has float64.

    Args:
        triangles: (layers, n (n - 1) / 2) float64.
        diagonals: (layers, n) float64.

    Returns:
        (layers, n) float64; NaN for a layer that is constant, not finite, or whose first two eigenvalues are so close
        (0.4 %) that it takes another method.
    """
    at_once = max(1, _SQUARED_AT_ONCE // diagonals.shape[1] ** 2)
    parts = zip(triangles.split(at_once), diagonals.split(at_once), strict=True)
    return torch.cat([_first_scores(*part) for part in parts])


def _first_scores(triangles, diagonals):
    """In the powers of a matrix nothing is left but the first eigenvector, which all columns show."""
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
