"""Gram matrices and first components in torch, on the device that holds the features."""

import functools
import math

import numpy as np
import torch

from widedeep.measures import gram_matrices
from widedeep.networks import tracing
from widedeep.networks.precision import full_products

# 12 squarings give the 4096th power of a Gram matrix, in which only the first component is left.
_SQUARINGS = 12
# Largest relative residual |Kv - lambda v| / lambda of an accepted first component.
_RESIDUAL = 1e-8
# The exponents of the powers of two that scale features stay within this range, far from the type's own.
_REACH = {torch.float32: 100, torch.float64: 900}
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

    On the CPU this is the whole Gram matrix. Elsewhere it is a few kernels that nobody waits for, of float32 features.
    """
    features = tracing.features(output)
    if computes_apart(features.device):
        return products(features.float())
    return gram_matrices.packed_gram(features.numpy())


def packed_gram(output):
    """Compute the gram_matrices.PackedGram of one layer's output, (n, ...), on the device that holds it.

    Its arrays are numpy arrays on the CPU, and tensors elsewhere: nothing is read back from the device.
    """
    features = tracing.features(output)
    if computes_apart(features.device):
        return packed_gram_on_device(features)
    return gram_matrices.packed_gram(features.numpy())


def packed_gram_on_device(features):
    """gram_matrices.packed_gram in torch, for float32 or float64 (n, p) features on any device; see `products`."""
    matrices, squared_norms = _centred(*(part[None] for part in products(features)))
    n = matrices.shape[1]
    triangle = matrices[0].flatten()[_flat_triangle(n, matrices.device)]
    return gram_matrices.PackedGram(triangle, matrices[0].diagonal(), squared_norms[0])


def gram(features):
    """Compute the Gram matrix of centred features in torch, on any device.

    Args:
        features: (n, p) float32 or float64; they are overwritten, since they can be too many for a copy.

    Returns:
        (n, n) float64; zero or NaN where that of gram_matrices.packed_gram is
    """
    scale = _scale(features)
    matrices, _ = _centred(*(part[None] for part in _products_of_scaled(features.mul_(scale), scale)))
    return matrices[0]


def products(features):
    """Compute what `on_host` needs of one layer in a few kernels, and wait for none.

    Features are always scaled and centred before the product. Checking first whether they need it would make the host
    wait.

    Args:
        features: (n, p) float32 or float64.

    Returns:
        ((n, n) products of the scaled and centred features, (n,) squared norms of the scaled features, () the scale),
        all of the features' type
    """
    scale = _scale(features)
    return _products_of_scaled(features * scale, scale)


def _scale(features):
    """A power of two that brings the largest feature near 1, so that no product over- or underflows, () tensor."""
    reach = _REACH[features.dtype]
    # The one norm that does not square.
    largest = torch.linalg.vector_norm(features, torch.inf) if features.numel() else features.new_ones(())
    largest = largest.where(largest.isfinite(), 1).clamp(2.0**-reach, 2.0**reach)
    return largest.log2().floor().neg().exp2()


def _products_of_scaled(features, scale):
    """The results of `products`, from features that it scaled; they are overwritten."""
    squared_norms = torch.linalg.vector_norm(features, dim=1).square()
    features -= features.mean(dim=0)
    with full_products():
        return features @ features.T, squared_norms, scale


def _centred(matrices, squared_norms, scales):
    """Gram matrices of several layers in float64, from `products` stacked: (layers, n, n), (layers, n) and (layers,).

    Returns:
        (matrices, squared norms) of the features as they are; see gram_matrices.packed_gram for what is zero or NaN
    """
    # mps has no float64, so its small matrices move to the host.
    wide = matrices.device if matrices.device.type != "mps" else torch.device("cpu")
    precision = np.float32 if matrices.dtype == torch.float32 else np.float64
    matrices, squared_norms, scales = (part.to(wide).double() for part in (matrices, squared_norms, scales))
    # Removes the rounding error of the mean.
    means = matrices.mean(dim=1)
    matrices -= means[:, None, :]
    matrices -= (means - means.mean(dim=1, keepdim=True))[:, :, None]
    variances = _diagonals(matrices).sum(dim=1)
    nothing = variances <= gram_matrices.rounding_of(squared_norms.sum(dim=1), precision)
    exponents = variances.log2() - 2 * scales.log2()
    # `not <=` is true for NaN too.
    out_of_range = ~(exponents.abs() <= -math.log2(gram_matrices.LEAST))
    matrices *= scales[:, None, None] ** -2
    matrices.masked_fill_(out_of_range[:, None, None], torch.nan).masked_fill_(nothing[:, None, None], 0)
    return matrices, squared_norms * scales[:, None] ** -2


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
    lost = ~gram_matrices.float32_holds(diagonals)[:, None]
    triangles, diagonals = triangles.masked_fill(lost, torch.nan), diagonals.masked_fill(lost, torch.nan)
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
