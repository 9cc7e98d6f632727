"""The forward sweep over fixed minibatches that writes a network's dump, and the predictions on the test set."""

import fnmatch
import math
import shutil
from pathlib import Path

import h5py
import numpy as np
import torch

from widedeep.data import augmentation
from widedeep.formats import dumps, hdf5
from widedeep.formats.dump_options import raw_bytes
from widedeep.measures import on_device
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32
from widedeep.runtime.errors import UserError


def choose(network, kinds=None, pattern=None):
    """Return the layers of a network that are of given kinds and whose names match a shell pattern.

    Args:
        network: torch.nn.Module.
        kinds: list of networks.layers.KINDS; None: all.
        pattern: as `stage3.*`; None: all.

    Returns:
        list of tracing.Layer in forward order

    Raises:
        UserError: no layer matches.
    """
    chosen = [
        layer
        for layer in tracing.layers_of(network)
        if (kinds is None or layer.kind in kinds) and (pattern is None or fnmatch.fnmatchcase(layer.name, pattern))
    ]
    if not chosen:
        asked = f"--kinds {' '.join(kinds or ['any'])} --layers {pattern or 'any'}"
        raise UserError(f"{asked}: the network has no such layer; choose others.")
    return chosen


@full_float32()
@torch.inference_mode()
def write_dump(path, network, layers, images, sample_ids, form, origin, device):
    """Run the network once on each minibatch and write the dump of the chosen layers.

    Each layer's output becomes a Gram matrix on its device before the next layer runs. So memory holds one forward pass
    of one minibatch. The Gram matrices of a minibatch wait on the device until all of its layers have run, so that the
    host waits once for all of them.

    Args:
        path: dump to write.
        network: torch.nn.Module in evaluation mode, on `device`.
        layers: list of tracing.Layer.
        images: (examples, channels, height, width) uint8 numpy array.
        sample_ids: (minibatches, n) int64 indices of examples.
        form: one of dumps.FORMS.
        origin: dumps.Origin.
        device: torch.device.

    Raises:
        UserError: a raw dump does not fit on the disk, or a value does not fit float16; see also tracing.described.
    """
    image_shape, images = images.shape[1:], augmentation.on_device(images, device)
    infos = tracing.described(network, layers, image_shape, device)
    if form != "gram":
        features = sum(math.prod(info.shape) for info in infos)
        _check_room(path, raw_bytes(form, features, sample_ids.size))
    versions = {"torch": torch.__version__, "numpy": np.__version__, "h5py": h5py.__version__}
    with hdf5.creating(path) as file:
        writer = dumps.Writer(file, form, origin, sample_ids, versions)
        for info in infos:
            writer.add_layer(info)
        minibatch, waiting = 0, {}

        def keep(index, output):
            name = layers[index].name
            if form != "gram":
                writer.put_activations(name, minibatch, output.float().cpu().numpy())
                return
            waiting[name] = on_device.started_gram(output)
            if not on_device.computes_apart(output.device) and on_device.waits_long_enough(waiting):
                put(minibatch)

        def put(minibatch):
            for name, (gram, scores) in on_device.on_host(waiting).items():
                writer.put_gram(name, minibatch, gram, scores)
            waiting.clear()  # before the next forward pass has its largest activations

        with tracing.watching(layers, keep):
            parts = torch.from_numpy(sample_ids).to(device)
            for minibatch, batch in enumerate(augmentation.plain_batches(images, parts)):
                network(batch)
                put(minibatch)


@full_float32()
@torch.inference_mode()
def log_probabilities(network, images, batch_size, device):
    """Logarithms of the class probabilities, (examples, classes) float32.

    Args:
        network: torch.nn.Module in evaluation mode, on `device`.
        images: (examples, channels, height, width) uint8 numpy array.
        batch_size: examples per forward pass.
        device: torch.device.
    """
    images = augmentation.on_device(images, device)
    parts = [
        torch.log_softmax(network(batch).float(), dim=1)
        for batch in augmentation.plain_batches(images, torch.arange(len(images), device=device).split(batch_size))
    ]
    return torch.cat(parts).cpu().numpy()


def _check_room(path, size):
    folder = next(parent for parent in Path(path).absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{path}: the raw form needs {size / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB free; "
            "use dumps.form gram, fewer passes, or fewer layers."
        )
