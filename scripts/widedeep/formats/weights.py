"""Trained networks on disk: safetensors with all that is needed to build the network again."""

import hashlib
import json
from dataclasses import asdict

import safetensors
import safetensors.torch
import torch

from widedeep.names import Configuration
from widedeep.networks.build import build
from widedeep.runtime import files
from widedeep.runtime.errors import UserError, first_line

SCHEMA_VERSION = 2


def save(path, network, model, settings, description):
    """Write a trained network.

    Args:
        path: of the safetensors file.
        network: cifar_resnet.CifarResNet.
        model: names.Configuration.
        settings: JSON-able dict that identifies the training (training.settings).
        description: data.Description of the data set that it was trained on.
    """
    # One JSON text: safetensors allows only strings, and writes several keys in an order that changes.
    header = {
        "schema_version": SCHEMA_VERSION,
        "model": asdict(model),
        "training": settings,
        "classes": len(description.classes),
        "channels": description.image_shape[0],
        "image_size": description.image_shape[1:],
        "torch": torch.__version__,
    }
    # channels_last is how it was computed, not what it is. Copies: safetensors refuses weights that two layers share.
    state = network.state_dict()
    tensors = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    header["checksum"] = _checksum(header, tensors)
    with files.replacing(path) as unfinished:
        # Not save_file, whose files only their owner can read.
        unfinished.write_bytes(safetensors.torch.save(tensors, {"widedeep": json.dumps(header, sort_keys=True)}))


def load(path, device):
    """Read a trained network.

    Returns:
        (network in evaluation mode on `device`, names.Configuration, settings of its training).

    Raises:
        UserError: the file is missing, damaged, or not one of ours.
    """
    try:
        with safetensors.safe_open(path, framework="pt", device=str(device)) as file:
            header = json.loads((file.metadata() or {})["widedeep"])
            version, model, settings = (
                header["schema_version"],
                Configuration(**header["model"]),
                dict(header["training"]),
            )
            checksum = header.pop("checksum", None)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; train the network first (scripts/train.py).") from None
    except (
        safetensors.SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        OSError,
    ) as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{path}: is not a trained network of this workflow ({reason}); train it again.") from error
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path}: has schema version {first_line(version)} where {SCHEMA_VERSION} is expected; train it again."
        )
    if checksum != _checksum(header, tensors):
        raise UserError(f"{path}: is damaged (its checksum is another one); train it again.")
    try:
        # Files of before have no size of images, and no family that asks for it.
        classes, channels, size = header["classes"], header["channels"], tuple(header.get("image_size") or ()) or None
        network = build(model.family, model.depth, model.width, classes, channels, image_size=size)
        network.load_state_dict(tensors)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (RuntimeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: the weights do not fit {model}; the file is damaged, train it again.") from error
    return network.to(device, memory_format=torch.channels_last).eval(), model, settings


def _checksum(header, tensors):
    """SHA-256 of all that a file of weights holds; safetensors compares none itself."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def check_data(path, settings, description, data_path):
    """Refuse a data set on which a network was not trained.

    Args:
        path: of the weights.
        settings: of the training, as of `load`.
        description: data.Description of the data set at `data_path`.

    Raises:
        UserError: the checksums differ.
    """
    if settings["data_checksum"] != description.train_checksum:
        raise UserError(
            f"{path}: was trained on data with checksum {settings['data_checksum'][:12]}, and {data_path} has "
            f"{description.train_checksum[:12]}; give the data set that it was trained on."
        )
