"""The contestants of engine.py: the floor of the task, our engine, and packages, used as their documentation shows."""

import contextlib
import copy
import functools
import importlib.metadata
import importlib.util
import io
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import blas
from task import MINIBATCHES, features

from widedeep.measures import layer_similarity
from widedeep.networks import tracing

UNBIASED = "unbiased, ratio of means"


@dataclass(frozen=True)
class Contestant:
    """One row of the tables.

    Attributes:
        name: of the row; for a package, its name on the index.
        run: function of (network, loader, names of layers), and of a second network if `two`. It returns the matrix of
            CKA, (layers, layers), or None if it computes none.
        estimator: key of task.ESTIMATORS, or None.
        module: module of the package, which must be installed; None for ours.
        layout: key of task.LAYOUTS, for network and images.
        two: whether it runs and compares two networks; else it takes features.
        minibatches: number of minibatches of the task that it is measured on.
        stride: it is measured on every stride-th layer.
        passes: number of its forward passes for a minibatch.
        pairs: function of a number of layers that returns the number of pairs that it computes.
    """

    name: str
    run: Callable
    estimator: str | None = UNBIASED
    module: str | None = None
    layout: str = "default"
    two: bool = False
    minibatches: int = MINIBATCHES
    stride: int = 1
    passes: int = 1
    pairs: Callable = lambda layers: layers**2

    @property
    def is_part(self):
        """Whether it is measured on a part of the task, since it is too slow for all of it."""
        return self.minibatches < MINIBATCHES or self.stride > 1

    @property
    def is_there(self):
        return self.module is None or importlib.util.find_spec(self.module) is not None

    @property
    def label(self):
        """Name, with the version of a package."""
        return f"{self.name} {importlib.metadata.version(self.name)}" if self.module and self.is_there else self.name


@torch.inference_mode()
def forward(network, loader, _names):
    for inputs, _ in loader:
        network(inputs)


@torch.inference_mode()
def products(network, loader, names, gram, cross=None):
    """The least work of an engine that forms Gram matrices in float32 and compares them in float64.

    Args:
        network, loader, names: of the task.
        gram: function of features, (n, p) float32, that returns their (n, n) Gram matrix; the upper triangle counts.
        cross: function of the packed triangles of all layers, (layers, n (n - 1) / 2) float64, that returns their
            product with their transpose; None leaves this product out.
    """
    modules = dict(network.named_modules())
    for inputs, _ in loader:
        n = len(inputs)
        rows, columns = np.triu_indices(n, 1)
        places, triangles = rows * n + columns, np.empty((len(names), len(rows)))

        def keep(_module, _inputs, output, layer, places=places, triangles=triangles):
            triangles[layer] = gram(tracing.features(output).numpy()).ravel().take(places)

        with contextlib.ExitStack() as hooks:
            for layer, name in enumerate(names):
                handle = modules[name].register_forward_hook(functools.partial(keep, layer=layer))
                hooks.callback(handle.remove)
            network(inputs)
        if cross:
            cross(triangles)


# scipy takes arrays in Fortran's order: our transposes, without a copy.
def sgemm(x):
    return blas.sgemm(1, x.T, x.T, trans_a=True).T


def ssyrk(x):
    return blas.ssyrk(1, x.T, trans=True, lower=True).T


def dgemm(x):
    return blas.dgemm(1, x.T, x.T, trans_a=True).T


def dsyrk(x):
    return blas.dsyrk(1, x.T, trans=True, lower=True).T


def ours(network, loader, _names, second=None):
    return layer_similarity.layer_cka(network, (inputs for inputs, _ in loader), second).values


def pytorch_cka(network, loader, names, second=None):
    from cka import compute_cka

    second = network if second is None else second
    (found,) = compute_cka(network, second, loader, layers=names, device="cpu", progress=False)
    return found


def cka_pytorch(network, loader, names, second=None):
    from cka_pytorch.cka import CKACalculator

    second = network if second is None else second
    cpu = torch.device("cpu")
    calculator = CKACalculator(network, second, model1_layers=names, device=cpu, verbose=False)
    found = calculator.calculate_cka_matrix(loader, num_epochs=1)
    calculator.reset()  # takes its hooks away
    return found


def torch_cka(network, loader, names, second=None):
    from torch_cka import CKA

    # Its hooks stay, so it gets copies.
    first, second = copy.deepcopy(network), copy.deepcopy(network if second is None else second)
    cka = CKA(first, second, "first", "second", names, names)
    cka.compare(loader)
    return cka.export()["CKA"]


def simtorch(network, loader, names, second=None):
    from simtorch.model import SimilarityModel
    from simtorch.similarity import CKA

    first, second = copy.deepcopy(network), copy.deepcopy(network if second is None else second)
    models = [SimilarityModel(model, layers_to_include=names) for model in (first, second)]
    return CKA(*models).compute(loader)


def rsatoolbox(network, loader, names):
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm, compare

    found = []
    for inputs, _ in loader:
        rdms = calc_rdm([Dataset(layer.numpy()) for layer in features(network, inputs, names)], method="euclidean")
        found.append(compare(rdms, rdms, method="cosine_cov"))  # biased linear CKA by another name
    return np.mean(found, axis=0)


def repsim(network, loader, names):
    from repsim import hsic

    total = 0.0
    for inputs, _ in loader:
        layers = [layer.numpy() for layer in features(network, inputs, names)]
        total = total + hsic(layers, kernel_type="linear", estimator="song")
    return total / np.sqrt(np.outer(np.diagonal(total), np.diagonal(total)))


def thingsvision(network, loader, names):
    found = []
    for inputs, _ in loader:
        layers = features(network, inputs, names)
        cka = _cka_of_thingsvision().get_cka("torch", len(inputs), kernel="linear", unbiased=True, device="cpu")
        found.append(_of_each_pair(layers, cka.compare))
    return np.mean(found, axis=0)


def ckatorch(network, loader, names):
    from ckatorch.core import cka_batch

    layers = zip(*(features(network, inputs, names) for inputs, _ in loader), strict=True)
    return _of_each_pair([torch.stack(layer) for layer in layers], cka_batch)


def _of_each_pair(layers, compare):
    """The symmetric matrix of a function of one pair of layers."""
    values = np.empty((len(layers), len(layers)))
    for i in range(len(layers)):
        for j in range(i + 1):
            values[i, j] = values[j, i] = compare(layers[i], layers[j])
    return values


@functools.cache
def _cka_of_thingsvision():
    """thingsvision's module of CKA alone, since the package cannot be imported without TensorFlow."""
    folder = Path(importlib.util.find_spec("thingsvision").origin).parent / "core" / "cka"
    path, name = folder / "__init__.py", "cka_of_thingsvision"
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(folder)])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@contextlib.contextmanager
def quiet():
    """Suppress progress bars and warnings."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def values_of(contestant, *arguments):
    """The result of a contestant as a float64 array, or one line with the reason why it failed."""
    try:
        with quiet():
            found = contestant.run(*arguments)
    except Exception as error:  # whatever a package raises is its result
        return f"stops: {(str(error) or type(error).__name__).splitlines()[0]}"
    return None if found is None else np.asarray(found, dtype=np.float64)


def _floor(layout):
    work = {
        "forward pass alone": forward,
        "+ one Gram product a layer, gemm": functools.partial(products, gram=sgemm),
        "+ one Gram product a layer, syrk": functools.partial(products, gram=ssyrk),
        FLOORS[0]: functools.partial(products, gram=sgemm, cross=dgemm),
        FLOORS[1]: functools.partial(products, gram=ssyrk, cross=dsyrk),
    }
    return [Contestant(f"{name} ({layout})", run, None, layout=layout) for name, run in work.items()]


def _half(layers):
    return layers * (layers + 1) / 2


FLOORS = ("+ one V V' a minibatch, gemm", "+ one V V' a minibatch, syrk")
CONTESTANTS = [
    *_floor("default"),
    *_floor("channels_last"),
    Contestant("ours (default)", ours, two=True),
    Contestant("ours (channels_last)", ours, layout="channels_last", two=True),
    Contestant("pytorch-cka", pytorch_cka, module="cka", two=True),
    Contestant("rsatoolbox", rsatoolbox, "biased, mean of ratios", "rsatoolbox"),
    Contestant("cka-pytorch", cka_pytorch, module="cka_pytorch", two=True, passes=2),
    Contestant("repsim", repsim, module="repsim", minibatches=2),
    Contestant("torch-cka", torch_cka, module="torch_cka", two=True, minibatches=1, stride=2, passes=2),
    Contestant("simtorch", simtorch, "biased, mean of ratios", "simtorch", two=True, minibatches=1, stride=3, passes=2),
    Contestant(
        "thingsvision", thingsvision, "unbiased, mean of ratios", "thingsvision", minibatches=2, stride=5, pairs=_half
    ),
    Contestant("ckatorch", ckatorch, module="ckatorch", minibatches=2, stride=5, pairs=_half),
]
