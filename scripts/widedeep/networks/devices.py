"""The device that a program computes on."""

import torch

from widedeep.runtime.errors import UserError


def device_named(name):
    """Return the torch.device of a name: `cpu`, `cuda`, `mps`, or `auto`, the first available of cuda, mps and cpu.

    Raises:
        UserError: the device is not available.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, there in present.items() if there)
    if not present.get(name):
        raise UserError(f"--device '{name}' is not available on this machine; use auto or cpu.")
    return torch.device(name)
