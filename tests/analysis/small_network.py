"""The folder of one small network, as the programs behind its dump leave it: cka.h5, pca.h5, metrics.json."""

import json

import compute_cka
import h5py
import numpy as np
import small
from small_dumps import ORIGIN, network, write

from widedeep.analysis import first_components
from widedeep.formats import components, dumps, hdf5, similarities
from widedeep.names import configuration_and_seed
from widedeep.networks import tracing

METRICS = {
    "model": ORIGIN.model,
    "dataset": "blobs",
    "family": "resnet",
    "depth": 8,
    "width": 1.0,
    "fraction": 1.0,
    "seed": 1,
    "test_accuracy": 0.875,
    "train_accuracy": 0.9,
    "parameters": 1234,
}


def write_network(folder):
    """Dump and compare the network of small_dumps; its metrics are METRICS."""
    net = network()
    compute_cka.main([str(write(folder / "activations.h5", net=net)), "--out", str(folder / "cka.h5")])
    images = small.split(30, 2, size=16).images
    found = first_components.first_components(net, tracing.layers_of(net), images, 16, small.CPU)
    small.write_components(folder / "pca.h5", found, ORIGIN)
    (folder / "metrics.json").write_text(json.dumps(METRICS))


def write_components(path, label, layers, block, residual=None):
    """A pca.h5 of layers l0, l1 and so on, of which those of `block` share one dominant component; returns its path."""
    rng = np.random.default_rng(len(label) + layers)
    values = rng.standard_normal((layers, 50))
    values[block] = values[block[0]]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    share = np.where(np.isin(np.arange(layers), block), 0.9, 0.2)
    residual = np.zeros(layers) if residual is None else residual
    found = components.FirstComponents([f"l{i}" for i in range(layers)], share, residual, values)
    model, seed = configuration_and_seed(label)
    small.write_components(path, found, dumps.Origin(model, seed, "sum", "test"))
    return str(path)


def with_block(layers, start, stop):
    """CKA of a network with itself: similar by distance alone, but for a square of similar layers."""
    places = np.arange(layers)
    cka = np.exp(-np.abs(places[:, None] - places) / 10)
    cka[start:stop, start:stop] = np.maximum(cka[start:stop, start:stop], 0.95)
    return cka


def write_cka(path, label, cka, deflated=None):
    """The cka.h5 of a network from its (layers, layers) CKA; returns its path."""
    write_similarities(path, "/", (label, label), cka, cka if deflated is None else deflated)
    return str(path)


def write_similarities(path, name, labels, values, deflated):
    """A file of one comparison, of networks whose layers are called l0, l1 and so on, each a residual block."""
    with hdf5.creating(path) as file:
        hdf5.stamp(file, similarities.KIND, similarities.SCHEMA_VERSION)
        group = file.require_group(name)
        group.attrs.update({"first": labels[0], "second": labels[1], "minibatches": 1, "batch_size": 8})
        group["cka"] = group["squared_cosine"] = values
        group["deflated"] = deflated
        for side, count in zip(("first", "second"), values.shape, strict=True):
            layers = group.create_group(side)
            text = h5py.string_dtype()
            layers.create_dataset("name", data=[f"l{i}" for i in range(count)], dtype=text)
            for key in ("kind", "undefined_cka", "undefined_deflated", "undefined_squared_cosine"):
                layers.create_dataset(key, data=[""] * count, dtype=text)
            layers["stage"], layers["block"] = [1] * count, np.arange(1, count + 1)
            layers["first_component_share"] = np.ones(count)
