"""First principal component of every layer over the whole test set (paper, section 5.1 and figure 3).

No covariance is formed, and no Gram matrix of all examples. Lanczos' method needs one product of the covariance with a
vector in each step.

Where the device can hold a layer's features on all examples, the network runs once on all of them, and each component
is found while the features of its layer are held. The activations of a wide network on 10,000 images would fill a disk.
There the network runs again for each step, one batch after the other, and gives the products for all layers. Memory
then holds one vector of each layer's size per step. The largest layer decides for the whole network.

block_structure.py has the squared cosines between the components of different layers.
"""

import collections
import math

import numpy as np
import torch

from widedeep.data import augmentation
from widedeep.formats.components import TOLERANCE, FirstComponents
from widedeep.measures import gram_matrices, on_device
from widedeep.measures.lanczos import Lanczos, solve
from widedeep.measures.memory import most_held
from widedeep.names import random_seed
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32, widest

# Steps of Lanczos' method after which it gives up.
_MOST_STEPS = 60
# Examples whose sums are made in float32; those of more are added in the widest type.
_SUMMED = 512
# Bytes of features that the CPU holds until it finds the components of several layers together. With larger layers
# that saves nothing. A GPU holds as many as it can: the more layers, the fewer kernels.
_HELD_TOGETHER = 1 << 25


@full_float32()
@torch.inference_mode()
def first_components(network, layers, images, batch_size, device, found=None):
    """Compute the first components of all layers by Lanczos' method.

    Args:
        network: torch.nn.Module in evaluation mode, on `device`.
        layers: list of tracing.Layer.
        images: (examples, channels, height, width) uint8 numpy array, or streamed images.
        batch_size: examples per forward pass where not all are held at once; the result does not depend on it.
        device: torch.device.
        found: components.FirstComponents to fill, in memory or in a file; default: a new one in memory.

    Returns:
        components.FirstComponents

    Raises:
        UserError: see tracing.described.
    """
    infos = tracing.described(network, layers, images.shape[1:], device)
    n, sizes = len(images), [math.prod(info.shape) for info in infos]
    images = augmentation.on_device(images, device)
    result = _Components([layer.name for layer in layers], sizes, n, device)
    total = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None
    held = most_held(total)
    if 4 * n * max(sizes) <= held:
        _at_once(network, layers, images, result, _HELD_TOGETHER if total is None else held)
    else:
        _by_batches(network, layers, images, batch_size, result)
    found = found or FirstComponents.unfilled(result.names, n)
    result.write(found)
    return found


def inexact(found):
    """List (residual, name) of the layers whose component did not reach the tolerance, largest residual first."""
    residuals = zip(found.residual, found.names, strict=True)
    return sorted(((residual, name) for residual, name in residuals if residual > TOLERANCE), reverse=True)


class _Components:
    """What is found of each layer, on the device until `write`.

    Args:
        names: of the layers.
        sizes: list of their numbers of features.
        n: number of examples.
        device: torch.device.
    """

    def __init__(self, names, sizes, n, device):
        self.names, self.sizes, self.n, self.device = names, sizes, n, device
        self.values = torch.zeros(len(names), n, device=device)
        # Sums of squares: of the centred features of all examples, and of the means.
        self.totals, self.squared_means = (
            torch.zeros(len(names), dtype=widest(device), device=device) for _ in range(2)
        )
        self.residual = np.full(len(names), np.nan)
        parts = [torch.randn(size, generator=_generator(name)) for name, size in zip(names, sizes, strict=True)]
        # In one copy: each one makes the host wait.
        self._starts = torch.cat(parts).to(device).split(sizes)

    def solver(self, indices):
        """Lanczos for layers of one number of features, from random vectors that follow from the layers' names."""
        return Lanczos(torch.stack([self._starts[index] for index in indices]), TOLERANCE, _MOST_STEPS)

    def write(self, found):
        """Fill components.FirstComponents: unit vectors with positive largest entries; NaN without a variance."""
        values = self.values.cpu().numpy().astype(np.float64)
        totals, squared_means = torch.stack([self.totals, self.squared_means]).cpu().numpy()
        # `not >` is true for NaN too.
        nothing = ~(totals > gram_matrices.rounding_of(self.n * squared_means, np.float32))
        values[nothing] = np.nan
        size = np.linalg.norm(values, axis=1)
        largest = np.take_along_axis(values, np.abs(values).argmax(axis=1)[:, None], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.values[...] = values / np.copysign(size[:, None], largest)
            found.share[...] = size**2 / totals
        found.residual[...] = self.residual


def _generator(name):
    return torch.Generator().manual_seed(random_seed("lanczos", name))


def _at_once(network, layers, images, result, most):
    """Find the components from one forward pass of all examples.

    Args:
        most: bytes of features that are held until the components of their layers are found together.
    """
    held = _Held(result, most)
    parts = [torch.arange(result.n, device=result.device)]
    with tracing.watching(layers, lambda index, output: held.add(index, tracing.features(output).float())):
        for batch in augmentation.plain_batches(images, parts):
            network(batch)


class _Held:
    """Centred features of layers on all examples, held until there are enough of them."""

    def __init__(self, result, most):
        self._result, self._parts = result, {}
        part, held = [], 0
        for index, size in enumerate(result.sizes):
            if part and held + size * result.n * 4 > most:
                part, held = [], 0
            part.append(index)
            held += size * result.n * 4
            self._parts[index] = part
        self._groups = {}

    def add(self, index, features):
        """Take the next layer's features (examples, p), and find the components if they are the last of a part."""
        result, part, size = self._result, self._parts[index], features.shape[1]
        if size not in self._groups:
            of_this_size = [one for one in part if result.sizes[one] == size]
            self._groups[size] = of_this_size, features.new_empty(len(of_this_size), *features.shape)
        indices, centred = self._groups[size]
        own, each = centred[indices.index(index)], features.new_full((result.n,), 1 / result.n)
        # Sums by products: in float64 they take twenty times as long. The second mean is the rounding of the first one.
        mean = each @ features
        torch.sub(features, mean, out=own)
        own -= each @ own
        result.squared_means[index] = mean.to(result.squared_means.dtype).square().sum()
        if index == part[-1]:
            self._solve()
            self._groups.clear()

    def _solve(self):
        result = self._result
        alike = {result.solver(indices): _Alike(centred) for indices, centred in self._groups.values()}
        solve(list(alike), lambda running: [alike[solver].products(solver) for solver in running])
        for (indices, centred), solver in zip(self._groups.values(), alike, strict=True):
            result.residual[indices] = solver.residual
            for index, features, vector in zip(indices, centred, solver.eigenvectors, strict=True):
                torch.mv(features, vector, out=result.values[index])
            result.totals[indices] = _squared_norms(centred).sum(dim=1)


class _Alike:
    """Held features of layers that have as many, (layers, examples, p), and their products."""

    def __init__(self, centred):
        self._centred = self._of_active = centred
        self._active = list(range(len(centred)))

    def products(self, solver):
        """X'X v of the active layers, (active, p)."""
        vectors = solver.vectors
        sums = torch.zeros_like(vectors, dtype=widest(vectors.device))
        if on_device.computes_apart(vectors.device):
            if self._active != solver.active:
                self._active, self._of_active = solver.active, self._centred[solver.active]
            for part in self._of_active.split(_SUMMED, dim=1):
                sums += ((part @ vectors[:, :, None]).mT @ part)[:, 0]
            return sums
        # torch's batched products of narrow matrices are slow here.
        for row, position in enumerate(solver.active):
            if position not in solver.done:
                for part in self._centred[position].split(_SUMMED):
                    sums[row] += (part @ vectors[row]) @ part
        return sums


def _squared_norms(features):
    """Squared length of each example's features, (..., examples) in the widest type, from (..., examples, p)."""
    return torch.linalg.vector_norm(features, dim=-1).to(widest(features.device)).square()


def _by_batches(network, layers, images, batch_size, result):
    """Find the components from repeated forward passes, of one batch after the other."""
    n, wide, device = result.n, widest(result.device), result.device

    def sweep(see):
        """Pass over all examples once; call see(index of layer, index of first example, (rows, p) features)."""
        start = 0
        with tracing.watching(layers, lambda index, output: see(index, start, tracing.features(output).float())):
            for batch in augmentation.plain_batches(images, torch.arange(n, device=device).split(batch_size)):
                network(batch)
                start += len(batch)

    means = [torch.zeros(size, dtype=wide, device=device) for size in result.sizes]
    first_examples = {}

    def add_to_mean(index, _start, features):
        # Relative to an example, so that float32 rounds deviations and not the mean.
        one = first_examples.setdefault(index, features[0].clone())
        means[index] += features.new_full((len(features),), 1 / n) @ (features - one)

    sweep(add_to_mean)
    for index in range(len(means)):
        means[index] += first_examples.pop(index)
        result.squared_means[index] = means[index].square().sum()
        means[index] = means[index].float()
    alike = collections.defaultdict(list)
    for index, size in enumerate(result.sizes):
        alike[size].append(index)
    groups = {result.solver(indices): indices for indices in alike.values()}

    def multiply(solvers):
        sums = [torch.zeros_like(solver.vectors, dtype=wide) for solver in solvers]
        rows = {
            groups[solver][position]: (of_solver[row], solver.vectors[row])
            for solver, of_solver in zip(solvers, sums, strict=True)
            for row, position in enumerate(solver.active)
            if position not in solver.done
        }
        first = solvers[0].steps == 0

        def add(index, _start, features):
            if index in rows:
                own, vector = rows[index]
                centred = features - means[index]
                own += (centred @ vector) @ centred
                if first:
                    result.totals[index] += _squared_norms(centred).sum()

        sweep(add)
        return sums

    solve(list(groups), multiply)
    vectors = {}
    for solver, indices in groups.items():
        result.residual[indices] = solver.residual
        vectors.update(zip(indices, solver.eigenvectors, strict=True))

    def project(index, start, features):
        result.values[index, start : start + len(features)] = (features - means[index]) @ vectors[index]

    sweep(project)
