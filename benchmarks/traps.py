"""Silent errors of tools for CKA, shown on small networks."""

import copy
import tempfile
from collections import OrderedDict
from pathlib import Path

import task
import torch
from contestants import UNBIASED, values_of
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from widedeep.analysis import activations, similarity
from widedeep.data import minibatches
from widedeep.formats import dumps
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError


def table(present):
    """Lines of Markdown: the values that each contestant gives.

    Args:
        present: list of contestants.Contestant with an estimator.
    """
    expected = task.reference(*_relu_after_batch_norm(inplace=False)).cka(UNBIASED)[1, 2]
    header = ("", "batch norm, in-place ReLU", "constant layer: with another; itself", "copy of a network, shuffled")
    lines = [row(header), "|" + "---|" * len(header), row(["right", f"{expected:.3f}", "none; none", "1.000"])]
    for contestant in present:
        # We compute the features for contestants that take them; they see neither an in-place layer nor a loader.
        network_cells = [in_place(contestant), shuffled(contestant)] if contestant.two else ["takes features"] * 2
        lines.append(row([contestant.label, network_cells[0], constant(contestant), network_cells[1]]))
    return [*lines, "", f"Two of our dumps whose networks saw the examples in different orders: {unmatched_dumps()}."]


def row(cells):
    return "| " + " | ".join(cells) + " |"


def in_place(contestant):
    """Cell: CKA between a batch norm and the in-place ReLU that overwrites its output."""
    model, inputs, names = _relu_after_batch_norm(inplace=True)
    return _cell(values_of(contestant, model, task.loader(inputs), names), (1, 2))


def constant(contestant):
    """Cell: CKA of a layer with the same output for all examples, which is undefined."""
    torch.manual_seed(0)
    layers = OrderedDict(conv=nn.Conv2d(3, 8, 3), constant=nn.Conv2d(8, 4, 3))
    nn.init.zeros_(layers["constant"].weight)  # its bias is left
    model, inputs = nn.Sequential(layers).eval(), _small_inputs()
    return _cell(values_of(contestant, model, task.loader(inputs), list(layers)), (0, 1), (1, 1))


def shuffled(contestant):
    """Cell: CKA between a layer and itself in a copy of the network, with one loader that shuffles."""
    model, inputs, names = _relu_after_batch_norm(inplace=False)
    examples = torch.cat(inputs)
    dataset = TensorDataset(examples, torch.zeros(len(examples)))
    torch.manual_seed(0)
    loader = DataLoader(dataset, batch_size=len(inputs[0]), shuffle=True)
    return _cell(values_of(contestant, model, loader, names, copy.deepcopy(model)), (0, 0))


def unmatched_dumps():
    """Result of comparing two dumps with different orders of the examples: `refused` or `compared`."""
    model, cpu = task.network(seed=0, depth=8), torch.device("cpu")
    pixels, origin = task.images(32, seed=2), dumps.Origin("resnet8", 0, "checksum", "test")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("first.h5", "second.h5")]
        for seed, path in enumerate(paths):
            sample_ids = minibatches.minibatches(len(pixels), 16, 1, seed)
            activations.write_dump(path, model, tracing.layers_of(model), pixels, sample_ids, "gram", origin, cpu)
        with dumps.Dump(paths[0]) as first, dumps.Dump(paths[1]) as second:
            try:
                similarity.compare([(first, second)])
            except UserError:
                return "refused"
    return "compared"


def _relu_after_batch_norm(inplace):
    """(network, minibatches, names of its layers)."""
    torch.manual_seed(0)
    layers = OrderedDict(conv=nn.Conv2d(3, 8, 3), bn=nn.BatchNorm2d(8), relu=nn.ReLU(inplace))
    return nn.Sequential(layers).eval(), _small_inputs(), list(layers)


def _small_inputs():
    return [part[:, :, :8, :8].contiguous() for part in task.minibatches(2, 64)]


def _cell(values, *places):
    """Cell: the values at some places of a matrix of CKA, or the message of a contestant that failed."""
    return values if isinstance(values, str) else "; ".join(f"{values[place]:.3g}" for place in places)
