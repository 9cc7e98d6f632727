"""model.safetensors: the weights of a trained network, and the settings from which the network is built again."""

import hashlib
import json
from dataclasses import asdict

import safetensors
import safetensors.torch
import torch

from widedeep.formats import foreign
from widedeep.names import DEEPEST, WIDEST, Configuration
from widedeep.networks.build import build
from widedeep.runtime import files
from widedeep.runtime.errors import MayBeWhole, UserError, first_line, lacks_memory

SCHEMA_VERSION = 2
_MOST, _LONGEST = 1_000_000, 1000
# The numbers in a header, by section: type, smallest and largest value.
_NUMBERS = {
    "": {"classes": (int, 1, _MOST), "channels": (int, 1, _MOST)},
    "model": {"depth": (int, 1, DEEPEST), "width": (int | float, 0, WIDEST), "fraction": (int | float, 0, 1)},
    "training": {"seed": (int, 0, 2**63)},
}


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
    remedy = "train the network first (scripts/train.py)"
    if files.is_folder(path):
        foreign.check(path, foreign.WEIGHTS)
    with files.reading(path, remedy) as file:
        file.read(8)  # the library maps the file into memory, where an error of the disk would kill the process
    try:
        with (
            files.explaining_unreadable(path, remedy),
            safetensors.safe_open(path, framework="pt", device=str(device)) as file,
        ):
            header = json.loads((file.metadata() or {})["widedeep"])
            version, settings = header["schema_version"], dict(header["training"])
            _check_kinds(header)
            configuration = Configuration(**header["model"])
            checksum = header.pop("checksum", None)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
    except UserError:
        raise
    except (
        safetensors.SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        OSError,
    ) as error:
        foreign.check(path, foreign.WEIGHTS)
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{path}: is not a trained network of this workflow ({reason}); train it again.") from error
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path}: has schema version {first_line(version)} where {SCHEMA_VERSION} is expected; train it again."
        )
    if checksum != _checksum(header, tensors):
        raise UserError(f"{path}: is damaged (its checksum does not match); train it again.")
    try:
        size = tuple(header.get("image_size") or ()) or None
        parts = configuration.family, configuration.depth, configuration.width, header["classes"], header["channels"]
        with torch.device("meta"):  # takes no memory, and the header may claim a larger network than the file holds
            claimed = build(*parts, image_size=size).state_dict()
        if {name: one.shape for name, one in claimed.items()} != {name: one.shape for name, one in tensors.items()}:
            raise ValueError("the weights are of other shapes")
        network = build(*parts, image_size=size)
        network.load_state_dict(tensors)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (RuntimeError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        if lacks_memory(error):
            raise MayBeWhole(f"{path}: does not fit into the free memory; run again where more is free.") from error
        raise UserError(
            f"{path}: the weights do not fit {configuration}; undo changes of "
            f"scripts/families/{configuration.family}.py, or train it again."
        ) from error
    return network.to(device, memory_format=torch.channels_last).eval(), configuration, settings


def _check_kinds(header):
    """Refuse a header that lacks an entry, or whose entry is of another type or outside its bounds.

    Raises:
        ValueError, KeyError: the file is not one that `save` wrote.
    """
    for section, numbers in _NUMBERS.items():
        for name, (kind, least, most) in numbers.items():
            value = (header[section] if section else header)[name]
            if not isinstance(value, kind) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"{name} is {value!r}")
    texts = header["model"]["dataset"], header["model"]["family"], header["training"]["data_checksum"]
    sides = header.get("image_size") or []  # older files have none; their families did not ask for it
    if not all(isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST for text in texts):
        raise ValueError("a name or checksum is none")
    if not isinstance(sides, list) or not all(isinstance(side, int) and 0 < side <= _MOST for side in sides):
        raise ValueError(f"image_size is {sides!r}")


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
