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
# Matrix entries squared at once, 34 MB in float64: limits the memory.
_SQUARED_AT_ONCE = 1 << 22
# Most examples of a minibatch for which squaring is faster than Lanczos' method on the CPU: measured, twice as fast at
# 64, half as fast at 128.
_SQUARED_ON_CPU = 96


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


def started_gram(output):
    """Compute what `on_host` needs of one layer's output, (n, ...), on the device that holds it.

    On the CPU this is the whole Gram matrix. Elsewhere it is a few kernels that nobody waits for.
    """
    features = tracing.features(output)
    return products(features) if computes_apart(features.device) else gram_matrices.packed_gram(features.numpy())


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
    """gram_matrices.packed_gram in torch, for float32 (n, p) features on any device; see `products`."""
    matrices, squared_norms = _centred(*(part[None] for part in products(features)))
    n = matrices.shape[1]
    triangle = matrices[0].flatten()[_flat_triangle(n, matrices.device)]
    return gram_matrices.PackedGram(triangle, matrices[0].diagonal(), squared_norms[0])


def products(features):
    """Compute what `on_host` needs of one layer in a few kernels, and wait for none.

    Features are always centred before the product. Checking first whether they need it would make the host wait.

    Args:
        features: (n, p) float32.

    Returns:
        ((n, n) float32 products of the centred features, (n,) float32 squared norms of the features as they are)
    """
    squared_norms = features.square().sum(dim=1)
    centred = features - features.mean(dim=0)
    with full_products():
        return centred @ centred.T, squared_norms


def _centred(matrices, squared_norms):
    """Gram matrices of several layers in float64, from `products` stacked: (layers, n, n) and (layers, n)."""
    # mps has no float64, so its small matrices move to the host.
    wide = matrices.device if matrices.device.type != "mps" else torch.device("cpu")
    matrices, squared_norms = matrices.to(wide).double(), squared_norms.to(wide).double()
    # Removes the rounding error of the mean.
    means = matrices.mean(dim=1)
    matrices -= means[:, None, :]
    matrices -= (means - means.mean(dim=1, keepdim=True))[:, :, None]
    nothing = _diagonals(matrices).sum(dim=1) <= gram_matrices.rounding_of(squared_norms.sum(dim=1), np.float32)
    return matrices.masked_fill_(nothing[:, None, None], 0), squared_norms


@functools.cache
def _flat_triangle(n, device):
    return torch.from_numpy(gram_matrices.flat_triangle(n)).to(device)


def waits_long_enough(layers):
    """Whether Gram matrices that wait for `on_host` on the CPU are as many as it takes at once."""
    n = len(next(iter(layers.values())).diagonal)
    return len(layers) * n**2 >= _SQUARED_AT_ONCE


def on_host(layers):
    """Copy the Gram matrices of several layers to the host, all at once, with their first components.

    Args:
        layers: dict from a layer's name to its `products`, or on the CPU to its gram_matrices.PackedGram.

    Returns:
        dict from a layer's name to (gram_matrices.PackedGram of numpy arrays, (n,) scores of the first component). The
        scores are None where squaring did not find them, or where Lanczos' method is faster. What comes from another
        device is float32, as in a dump, but for the squared norms.
    """
    if not layers:
        return {}
    kept = list(layers.values())
    grams, scores = _kept_on_host(kept) if isinstance(kept[0], gram_matrices.PackedGram) else _copied(kept)
    known = (None if found is None or np.isnan(found).any() else found for found in scores)
    return dict(zip(layers, zip(grams, known, strict=True), strict=True))


def _kept_on_host(grams):
    """A list of gram_matrices.PackedGram as it is, and scores."""
    if len(grams[0].diagonal) > _SQUARED_ON_CPU:
        return grams, [None] * len(grams)
    parts = (torch.from_numpy(np.stack([getattr(gram, part) for gram in grams])) for part in ("triangle", "diagonal"))
    return grams, first_scores_on_device(*parts).numpy()


def _copied(products_of_layers):
    """Lists of gram_matrices.PackedGram and of scores, from a list of `products`."""
    n = len(products_of_layers[0][1])
    at_once, parts = max(1, _SQUARED_AT_ONCE // n**2), []
    for first in range(0, len(products_of_layers), at_once):
        stacked = zip(*products_of_layers[first : first + at_once], strict=True)
        matrices, squared_norms = _centred(*map(torch.stack, stacked))
        triangles = matrices.flatten(1)[:, _flat_triangle(n, matrices.device)]
        parts.append((triangles, _diagonals(matrices).clone(), squared_norms))
    triangles, diagonals, squared_norms = map(torch.cat, zip(*parts, strict=True))
    squared = _stay_on(triangles.device) or n <= _SQUARED_ON_CPU
    scores = first_scores_on_device(triangles, diagonals).float().cpu().numpy() if squared else [None] * len(triangles)
    columns = (part.cpu().numpy() for part in (triangles.float(), diagonals.float(), squared_norms))
    return [gram_matrices.PackedGram(*gram) for gram in zip(*columns, strict=True)], scores


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
