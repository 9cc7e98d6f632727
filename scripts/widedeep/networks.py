"""Gram matrices and minibatch CKA of torch networks while they run, a layer at a time, on the device that runs them.

All pairs of layers of a network, or of two, in one pass over the data:

    similarity = layer_cka(network, batches)
    similarity = layer_cka(network, batches, second)
"""

import collections
import contextlib
import functools
from dataclasses import replace

import numpy as np
import torch

from widedeep import cka, tracing
from widedeep.errors import UserError
from widedeep.precision import full_float32, full_products

# A Gram matrix' 4096th power, after so many squarings, has the first component alone.
_SQUARINGS = 12
# Relative, of the eigenvalue equation of what is taken for the first component.
_RESIDUAL = 1e-8
# Values of Gram matrices that are squared together, lest they fill the device: 34 MB.
_SQUARED_AT_ONCE = 1 << 22


@full_float32()
@torch.inference_mode()
def layer_cka(first, batches, second=None):
    """Minibatch CKA between all layers of two networks, or of one with itself (paper, eq. 2 and 3).

    A layer's output becomes its Gram matrix before the next layer runs, so that modules that work in place are seen
    right, and the memory is that of one layer and of the Gram matrices of one minibatch. A module that runs several
    times is a layer each time, its name followed by #2, #3, ...

    Args:
        first, second: torch.nn.Module in evaluation mode, on one device; every submodule that has none itself and
            whose output is a tensor is a layer. Second None: the first with itself.
        batches: iterable of inputs (n, ...), the same n in all, on that device; incomplete ones are left to the caller.

    Returns:
        cka.Similarity with the names of the layers in the order in which they ran

    Raises:
        UserError: there is no batch, one has fewer than 4 examples or another number than the first, or a network is in
            training mode, or runs other layers from batch to batch.
    """
    networks = [first] if second is None else [first, second]
    if any(network.training for network in networks):
        raise UserError("a network is in training mode, where batch norms change with each batch; call eval() first.")
    similarity, recorders = cka.MinibatchCKA(), []
    for batch in batches:
        recorders = recorders or [_Recorder(network, batch) for network in networks]
        grams = [recorder.grams(batch) for recorder in recorders]
        similarity.add_grams(grams[0], grams[-1])
        # The next forward pass has its largest activations before it fills as many Gram matrices again.
        del grams
    result = similarity.result()
    return replace(result, names_first=recorders[0].names, names_second=recorders[-1].names)


class _Recorder:
    """Runs a network and makes the Gram matrices of its layers."""

    def __init__(self, network, batch):
        self.network = network
        self._names = {module: name for name, module in network.named_modules() if tracing.is_layer(module)}
        self.names = []
        self._run(batch[:1], lambda name, _output: self.names.append(name))
        self._n = len(batch)

    def grams(self, batch):
        """cka.Grams of all layers on one minibatch.

        Raises:
            UserError: the batch has another size than the first, or other layers run.
        """
        if len(batch) != self._n:
            raise UserError(f"a batch has {len(batch)} examples, the first had {self._n}; drop incomplete ones.")
        grams = cka.Grams.unfilled(len(self.names), self._n, _empty_on(batch.device))
        expected = iter(enumerate(self.names))

        def keep(name, output):
            place, known = next(expected, (None, None))
            if name != known:
                raise UserError(f"layer {name} runs where {known} ran in the first batch; CKA needs the same layers.")
            grams.fill(place, packed_gram(output))

        self._run(batch, keep)
        if missing := next(expected, None):
            raise UserError(f"layer {missing[1]} did not run in one of the batches; CKA needs the same layers.")
        return grams

    def _run(self, batch, callback):
        """One forward pass; callback(name, output) of each layer as soon as it has run."""
        calls = collections.Counter()

        def call(module, _inputs, output):
            if isinstance(output, torch.Tensor):
                calls[module] += 1
                callback(self._names[module] + (f"#{calls[module]}" if calls[module] > 1 else ""), output)

        with contextlib.ExitStack() as hooks:
            for module in self._names:
                hooks.callback(module.register_forward_hook(call).remove)
            self.network(batch)


def computes_apart(device):
    """Whether the host goes on while a device computes, so that it must not wait for a result of each layer."""
    return device.type != "cpu"


def _stay_on(device):
    """Whether Gram matrices stay where they were made: on CUDA. The CPU's are numpy's, and mps has no float64."""
    return device.type == "cuda"


def _empty_on(device):
    """What makes the arrays of cka.Grams of layers on a device."""
    if not _stay_on(device):
        return np.empty
    return functools.partial(torch.empty, dtype=torch.float64, device=device)


def packed_gram(output):
    """cka.PackedGram of one layer's output (n, ...), computed on the device that holds it.

    On the CPU its arrays are numpy's; elsewhere they are tensors, and nothing is read back from the device.
    """
    features = tracing.features(output)
    return packed_gram_on_device(features) if computes_apart(features.device) else cka.packed_gram(features.numpy())


def packed_gram_on_device(features):
    """cka.packed_gram in torch, of float32 (n, p) features on any device.

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
    gram.masked_fill_(gram.trace() <= cka.rounding_of(squared_norms.sum(), np.float32), 0)
    return cka.PackedGram(gram.flatten()[_flat_triangle(len(gram), wide)], gram.diagonal(), squared_norms)


@functools.cache
def _flat_triangle(n, device):
    return torch.from_numpy(cka.flat_triangle(n)).to(device)


def on_host(grams):
    """Gram matrices and first components of layers with numpy arrays: one copy from the device, not one a layer.

    Args:
        grams: dict of cka.PackedGram of tensors.

    Returns:
        dict of (cka.PackedGram, scores); the scores as of `first_scores_on_device`, None where they are not known.
    """
    if not grams:
        return {}
    parts = ("triangle", "diagonal", "squared_norms")
    columns = [torch.stack([getattr(gram, part) for gram in grams.values()]) for part in parts]
    stay = _stay_on(columns[0].device)
    scores = list(first_scores_on_device(*columns[:2]).cpu().numpy()) if stay else [None] * len(grams)
    rows = zip(grams, *(column.cpu().numpy() for column in columns), strict=True)
    return {
        name: (cka.PackedGram(*gram), None if found is None or np.isnan(found).any() else found)
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
