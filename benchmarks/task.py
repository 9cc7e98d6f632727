"""The task of the CKA engines: a network, images, and a slow reference in float64.

The network is a CIFAR ResNet-20 with random He-normal weights, and batch norms with the statistics of 512 other images.
Its layers are the outputs of all its modules: convolutions, batch norms, ReLUs, additions, pooled features, logits.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import threadpoolctl
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from widedeep.networks import tracing  # noqa: E402
from widedeep.networks.build import build  # noqa: E402

MINIBATCHES = 10
BATCH_SIZE = 256
DEPTH = 20
CLASSES = 10
LAYOUTS = {"default": torch.contiguous_format, "channels_last": torch.channels_last}


def images(examples, seed):
    """Low rank plus noise: uint8 (examples, 3, 32, 32)."""
    rng = np.random.default_rng(seed)
    rank, pixels = 20, 3 * 32 * 32
    # Every seed draws from the same subspace, as from the same data set.
    basis = np.random.default_rng(0).standard_normal((rank, pixels), dtype=np.float32) / np.sqrt(rank)
    values = 128 + 40 * rng.standard_normal((examples, rank), dtype=np.float32) @ basis
    values += 20 * rng.standard_normal((examples, pixels), dtype=np.float32)
    return values.clip(0, 255).astype(np.uint8).reshape(examples, 3, 32, 32)


def scaled(pixels):
    """Images as the networks take them, float32 in [0, 1]."""
    return torch.from_numpy(pixels).float() / 255


@torch.no_grad()
def network(seed, depth=DEPTH):
    """A ResNet in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    # The momentum makes the statistics those of the last batch.
    result = build("resnet", depth, 1, CLASSES, 3, batchnorm_momentum=1.0, generator=generator)
    result.train()(scaled(images(512, seed=1)))
    return result.eval()


def names_of(model):
    """Names of all layers of a network, in forward order."""
    return [layer.name for layer in tracing.layers_of(model)]


class Minibatches(Dataset):
    """(inputs, labels) a minibatch; the labels are there because most packages expect them."""

    def __init__(self, inputs):
        self.inputs = inputs

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index], torch.zeros(len(self.inputs[index]), dtype=torch.int64)


def loader(inputs):
    """A DataLoader of minibatches in memory, so that loading costs no contestant anything.

    Args:
        inputs: list of float32 (n, ...) tensors.
    """
    return DataLoader(Minibatches(inputs), batch_size=None)


def minibatches(number=MINIBATCHES, batch_size=BATCH_SIZE):
    """List of float32 (batch_size, 3, 32, 32) tensors."""
    return list(scaled(images(number * batch_size, seed=2)).split(batch_size))


@torch.inference_mode()
def features(model, inputs, names):
    """Outputs of the layers `names` of a network on one minibatch: list of float32 (n, p) tensors."""
    modules, found = dict(model.named_modules()), {}
    hooks = [
        modules[name].register_forward_hook(lambda _m, _i, output, name=name: found.update({name: output.flatten(1)}))
        for name in names
    ]
    model(inputs)
    for hook in hooks:
        hook.remove()
    return [found[name] for name in names]


@dataclass(frozen=True)
class Reference:
    """HSIC between all layers of a network in each minibatch, (minibatches, layers, layers) float64.

    Attributes:
        unbiased: HSIC_1 (Song et al. 2012, eq. 5).
        biased: tr(KHLH), without its factor, which CKA does not depend on (Gretton et al. 2005).
    """

    unbiased: np.ndarray
    biased: np.ndarray

    def cka(self, estimator):
        """(layers, layers) CKA by one of ESTIMATORS."""
        hsic, average = ESTIMATORS[estimator]
        with np.errstate(divide="ignore", invalid="ignore"):
            return average(getattr(self, hsic))

    def part(self, minibatches, stride):
        """The Reference of the first minibatches and of every stride-th layer."""
        return Reference(*(hsic[:minibatches, ::stride, ::stride] for hsic in (self.unbiased, self.biased)))


def ratio_of_means(hsic):
    mean = hsic.mean(axis=0)
    return mean / np.sqrt(np.outer(np.diagonal(mean), np.diagonal(mean)))


def mean_of_ratios(hsic):
    return np.mean([ratio_of_means(minibatch[None]) for minibatch in hsic], axis=0)


# By name: the HSIC, and the function that turns its minibatches into one matrix.
ESTIMATORS = {
    "unbiased, ratio of means": ("unbiased", ratio_of_means),
    "unbiased, mean of ratios": ("unbiased", mean_of_ratios),
    "biased, mean of ratios": ("biased", mean_of_ratios),
}


def reference(model, inputs, names):
    """The Reference of a network on a list of minibatches."""
    layers = (features(model, part, names) for part in inputs)
    return reference_of([gram(layer.double().numpy()) for layer in of_minibatch] for of_minibatch in layers)


def reference_of(grams):
    """The Reference from the definitions, a pair of layers at a time.

    Args:
        grams: iterable of minibatches, a list of the layers' Gram matrices each.
    """
    found = {"unbiased": [], "biased": []}
    for layers in grams:
        hollow = [one - np.diag(np.diag(one)) for one in layers]
        unbiased, biased = np.empty((2, len(layers), len(layers)))
        for i in range(len(layers)):
            for j in range(i + 1):
                unbiased[i, j] = unbiased[j, i] = _hsic1(hollow[i], hollow[j])
                biased[i, j] = biased[j, i] = np.vdot(layers[i], layers[j])
        found["unbiased"].append(unbiased)
        found["biased"].append(biased)
    return Reference(**{name: np.stack(matrices) for name, matrices in found.items()})


def gram(x):
    """Gram matrix of centred features, (n, n), from (n, p) float64."""
    x = x - x.mean(axis=0)
    return x @ x.T


def _hsic1(k, l):  # noqa: E741 (the field's names)
    """HSIC_1 (Song et al. 2012, eq. 5) of Gram matrices with zeroed diagonals."""
    n = len(k)
    sums = k.sum() * l.sum() / ((n - 1) * (n - 2))
    rows = 2 / (n - 2) * k.sum(axis=0) @ l.sum(axis=0)
    return (np.vdot(k, l) + sums - rows) / (n * (n - 3))


class Columns(nn.Module):
    """A network whose layers are given as input: each layer's output is its own columns of the input.

    Args:
        layers: number of layers.
        width: number of features of each.
    """

    def __init__(self, layers, width):
        super().__init__()
        for layer in range(layers):
            self.add_module(f"layer{layer}", _Slice(layer * width, (layer + 1) * width))

    def forward(self, x):  # (n, layers * width)
        for layer in self.children():
            out = layer(x)
        return out


class _Slice(nn.Module):
    def __init__(self, start, stop):
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x):
        return x[:, self.start : self.stop]


def shifted(layers=24, width=2048, mean=1e4, number=2, batch_size=BATCH_SIZE):
    """Features whose mean is large beside their spread, as in some layers without normalisation.

    Returns:
        (Columns, list of `number` float32 (batch_size, layers * width) minibatches): shared components plus noise with
        a spread near 1 and means of the order `mean`.
    """
    rng = np.random.default_rng(0)
    shape, rank = (layers, 1, width), 10
    loadings, means = rng.standard_normal((layers, rank, width)) / np.sqrt(rank), mean * rng.standard_normal(shape)
    inputs = []
    for _ in range(number):
        values = rng.standard_normal((batch_size, rank)) @ loadings  # (layers, batch_size, width)
        values += rng.standard_normal(values.shape) * 0.5 + means
        inputs.append(torch.from_numpy(np.concatenate(list(values), axis=1).astype(np.float32)))
    return Columns(layers, width).eval(), inputs


def on_one_thread():
    """Limit the libraries of linear algebra of this process to one thread.

    Returns:
        lines that name the processor and these libraries
    """
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    libraries = [
        f"{library['prefix']} {library.get('version')} ({library.get('architecture', 'any processor')}), "
        f"{library['num_threads']} thread"
        for library in threadpoolctl.threadpool_info()
    ]
    return [f"{_processor()}, {os.cpu_count()} cores, of which one thread is used", *libraries]


def _processor():
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processor")
