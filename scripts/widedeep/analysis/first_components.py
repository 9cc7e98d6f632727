"""First principal component of every layer over the whole test set (paper, section 5.1 and figure 3).

The activations of one wide network on 10,000 images fill a disk, and a 10,000 x 10,000 Gram matrix per layer does not
fit into memory. So no covariance is formed. Lanczos' method needs one product of the covariance with a vector in each
step, and one forward pass gives this product for all layers. Memory holds one vector of each layer's size per step.

block_structure.py has the squared cosines between the components of different layers.
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

# Steps of Lanczos' method, that is forward passes over the test set, after which it gives up.
_MOST_STEPS = 60


@full_float32()
@torch.inference_mode()
def first_components(network, layers, images, batch_size, device, found=None):
    """Compute the first components of all layers by Lanczos' method over repeated forward passes.

    Args:
        network: torch.nn.Module in evaluation mode, on `device`.
        layers: list of tracing.Layer.
        images: (examples, channels, height, width) uint8 numpy array, or streamed images.
        batch_size: examples per forward pass; the result does not depend on it.
        device: torch.device.
        found: components.FirstComponents to fill, in memory or in a file; default: a new one in memory.

    Returns:
        components.FirstComponents

    Raises:
        UserError: see tracing.described.
    """
    infos = tracing.described(network, layers, images.shape[1:], device)
    images = augmentation.on_device(images, device)
    n, wide = len(images), widest(device)

    def sweep(see):
        """Pass over all examples once; call see(index of layer, index of first example, (rows, p) features)."""
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
    """List (residual, name) of the layers whose component did not reach the tolerance, largest residual first."""
    residuals = zip(found.residual, found.names, strict=True)
    return sorted(((residual, name) for residual, name in residuals if residual > TOLERANCE), reverse=True)


class _Lanczos:
    """Lanczos' method for the largest eigenvalue of X'X, where X (n, p) holds one layer's centred features.

    Args:
        name: name of the layer, from which the random start follows.
        mean: (p,) mean features.
    """

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
        """Add the part of X'X v that some examples contribute, for the newest basis vector v."""
        if self.done:
            return
        centred = features - self.mean
        if not self._alpha:
            self.total += centred.square().sum(dtype=self._wide).item()
        self._product += (centred.T @ (centred @ self._basis[-1])).to(self._wide)

    def step(self):
        """Extend the basis with the product X'X v, or stop if the eigenvector is accurate enough."""
        if self.done:
            return
        product, self._product = self._product, torch.zeros_like(self._product)
        self._alpha.append((product @ self._basis[-1].to(self._wide)).item())
        for _ in range(2):  # orthogonalised once, rounding errors grow into copies of the eigenvalue
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
        """The component's values on some examples, (rows,)."""
        return (features - self.mean) @ self._vector

    def normalised(self, values):
        """Scale the component's values on all examples to a unit vector, its largest entry positive.

        Returns:
            ((examples,) unit vector, share of the variance); both NaN for a layer that is constant or not finite
        """
        squared_mean = self.mean.to(self._wide).square().sum().item()
        # `not >` is true for NaN too.
        if not self.total > gram_matrices.rounding_of(len(values) * squared_mean, np.float32):
            return np.full(len(values), np.nan), np.nan
        size = np.linalg.norm(values)
        largest = values[np.abs(values).argmax()]
        return values / np.copysign(size, largest), size**2 / self.total
