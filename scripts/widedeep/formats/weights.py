"""model.safetensors: the weights of a trained network, and the settings from which the network is built again."""

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


def save(path, network, configuration, settings, description):
    """Write a trained network.

    Args:
        path: of the safetensors file.
        network: torch.nn.Module.
        configuration: names.Configuration.
        settings: JSON-able dict that identifies the training (training.recipe.settings_of).
        description: dataset.Description of the data set that it was trained on.
    """
    # One JSON text: safetensors allows only strings, and writes several keys in changing order.
    header = {
        "schema_version": SCHEMA_VERSION,
        "model": asdict(configuration),
        "training": settings,
        "classes": len(description.classes),
        "channels": description.image_shape[0],
        "image_size": description.image_shape[1:],
        "torch": torch.__version__,
    }
    # Not in channels_last, which is only the layout of the computation. Copies, since safetensors refuses weights that
    # two layers share.
    state = network.state_dict()
    tensors = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    header["checksum"] = _checksum(header, tensors)
    with files.replacing(path) as unfinished:
        # Not save_file: only the owner could read its files.
        unfinished.write_bytes(safetensors.torch.save(tensors, {"widedeep": json.dumps(header, sort_keys=True)}))


def load(path, device):
    """Read a trained network.

    Returns:
        (network in evaluation mode on `device`, names.Configuration, dict of the training's settings)

    Raises:
        UserError: the file is missing or damaged, was not written by this workflow, or its family is gone.
    """
    try:
        with safetensors.safe_open(path, framework="pt", device=str(device)) as file:
            header = json.loads((file.metadata() or {})["widedeep"])
            version, settings = header["schema_version"], dict(header["training"])
            configuration = Configuration(**header["model"])
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
        raise UserError(f"{path}: is damaged (its checksum does not match); train it again.")
    try:
        # Older files have no image size; their families did not ask for it.
        classes, channels, size = header["classes"], header["channels"], tuple(header.get("image_size") or ()) or None
        family, depth, width = configuration.family, configuration.depth, configuration.width
        network = build(family, depth, width, classes, channels, image_size=size)
        network.load_state_dict(tensors)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (RuntimeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: the weights do not fit {configuration}; train it again.") from error
    return network.to(device, memory_format=torch.channels_last).eval(), configuration, settings


def _checksum(header, tensors):
    """Return the SHA-256 of a file's header and tensors; safetensors itself compares no checksum."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def check_data(path, settings, description, data_path):
    """Refuse a data set other than the one on which a network was trained.

    Args:
        path: of the weights.
        settings: of the training, from `load`.
        description: dataset.Description of the data set at `data_path`.

    Raises:
        UserError: the checksums differ.
    """
    if settings["data_checksum"] != description.train_checksum:
        raise UserError(
            f"{path}: was trained on data with checksum {settings['data_checksum'][:12]}, and {data_path} has "
            f"{description.train_checksum[:12]}; give the data set that it was trained on."
        )
