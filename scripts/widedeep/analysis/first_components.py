"""The first principal component of every layer over the whole evaluation set (paper, figure 3).

The activations of one wide network on 10,000 images fill a disk, and a Gram matrix of 10,000 x 10,000 for each of its
layers fits no memory. So the covariance is never formed: Lanczos' method needs only its product with one vector a
step, and one forward pass gives that product for all layers at once. The memory is that of the vectors, one of a
layer's features a step.
"""

import math

import numpy as np
import torch

from widedeep.data import augmentation
from widedeep.formats.components import TOLERANCE, FirstComponents
from widedeep.measures import gram_matrices
from widedeep.names import random_seed
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32, widest

_MOST_STEPS = 60


@full_float32()
@torch.inference_mode()
def first_components(network, layers, images, batch_size, device, found=None):
    """Compute them by Lanczos over repeated forward passes.

    Args:
        network: in evaluation mode, on `device`.
        layers: list of tracing.Layer.
        images: uint8 (examples, channels, height, width) numpy array, or images that stay in their files (streaming).
        batch_size: examples a forward pass takes at once; the result does not depend on it.
        device: torch.device.
        found: components.FirstComponents to fill, in memory or in a file; by default one in memory.

    Returns:
        components.FirstComponents

    Raises:
        UserError: see tracing.described.
    """
    infos = tracing.described(network, layers, images.shape[1:], device)
    images = augmentation.on_device(images, device)
    n, wide = len(images), widest(device)

    def sweep(see):
        """One pass over all examples; see(layer's index, number of the first row, features (rows, p))."""
        start = 0
        with tracing.watching(layers, lambda index, output: see(index, start, tracing.features(output))):
            for batch in augmentation.plain_batches(images, torch.arange(n, device=device).split(batch_size)):
                network(batch)
                start += len(batch)

    means = [torch.zeros(math.prod(info.shape), dtype=wide, device=device) for info in infos]

    def add_to_mean(index, _start, features):
        means[index] += features.sum(dim=0, dtype=wide) / n

    sweep(add_to_mean)
    solvers = [_Lanczos(layer.name, mean.float()) for layer, mean in zip(layers, means, strict=True)]
    while any(not solver.done for solver in solvers):
        sweep(lambda index, _start, features: solvers[index].multiply(features))
        for solver in solvers:
            solver.step()
    found = found or FirstComponents.unfilled([layer.name for layer in layers], n)

    def project(index, start, features):
        found.values[index, start : start + len(features)] = solvers[index].project(features).cpu().numpy()

    sweep(project)
    for index, solver in enumerate(solvers):
        found.values[index], found.share[index] = solver.normalised(found.values[index])
        found.residual[index] = solver.residual
    return found


def inexact(found):
    """(residual, name) of the layers whose components missed the tolerance in the most steps, the worst first."""
    residuals = zip(found.residual, found.names, strict=True)
    return sorted(((residual, name) for residual, name in residuals if residual > TOLERANCE), reverse=True)


class _Lanczos:
    """The largest eigenvalue of one layer's n times covariance, X'X of centred features X (n, p)."""

    def __init__(self, name, mean):
        self.mean = mean
        self._wide = widest(mean.device)
        self.done = False
        self.total = 0.0
        self.residual = np.nan
        generator = torch.Generator().manual_seed(random_seed("lanczos", name))
        start = torch.randn(len(mean), generator=generator).to(mean.device)
        self._basis = [start / start.norm()]
        self._alpha, self._beta = [], []
        self._product = torch.zeros_like(start, dtype=self._wide)
        self._vector = None

    def multiply(self, features):
        """Add X'X v of some examples, v being the newest basis vector."""
        if self.done:
            return
        centred = features - self.mean
        if not self._alpha:
            self.total += centred.square().sum(dtype=self._wide).item()
        self._product += (centred.T @ (centred @ self._basis[-1])).to(self._wide)

    def step(self):
        """Extend the basis by the product, or end where the eigenvector is good enough."""
        if self.done:
            return
        product, self._product = self._product, torch.zeros_like(self._product)
        self._alpha.append((product @ self._basis[-1].to(self._wide)).item())
        for _ in range(2):  # once leaves rounding errors that grow into copies of the eigenvalue
            for vector in self._basis:
                product -= (product @ vector.to(self._wide)) * vector
        beta = product.norm().item()
        small = np.diag(self._alpha) + np.diag(self._beta, 1) + np.diag(self._beta, -1)
        finite = np.isfinite(small).all() and np.isfinite(beta)
        eigenvalues, eigenvectors = np.linalg.eigh(small) if finite else (np.full(len(small), np.nan), small)
        self.residual = abs(beta * eigenvectors[-1, -1]) / eigenvalues[-1] if eigenvalues[-1] > 0 else np.nan
        if not self.residual > TOLERANCE or len(self._alpha) == _MOST_STEPS:
            self._vector = sum(
                float(part) * vector for part, vector in zip(eigenvectors[:, -1], self._basis, strict=True)
            )
            self._basis, self.done = [], True
        else:
            self._beta.append(beta)
            self._basis.append((product / beta).float())

    def project(self, features):
        """The component's value for some examples, (rows,)."""
        return (features - self.mean) @ self._vector

    def normalised(self, values):
        """From what `project` gave for all examples, (unit vector (examples,), share of the variance).

        Both are NaN for a constant layer.
        """
        squared_mean = self.mean.to(self._wide).square().sum().item()
        # NaN counts as constant too.
        if not self.total > gram_matrices.rounding_of(len(values) * squared_mean, np.float32):
            return np.full(len(values), np.nan), np.nan
        size = np.linalg.norm(values)
        largest = values[np.abs(values).argmax()]
        return values / np.copysign(size, largest), size**2 / self.total
