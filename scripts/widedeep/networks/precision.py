"""Full float32 precision on GPUs, which may round the factors of a product to the 10 bits of TF32.

torch uses TF32 for convolutions by default, and for matrix products if a program asks for it. Trainings may use it.
Measurements of a trained network must not: they agree on all devices up to the rounding of float32.
"""

import contextlib

import torch


def widest(device):
    """Return the widest floating-point type of a torch.device: float64, or float32 on mps."""
    return torch.float32 if device.type == "mps" else torch.float64


@contextlib.contextmanager
def full_products():
    """Compute matrix products of float32 tensors in full float32; the setting is restored afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def full_float32():
    """Compute matrix products and convolutions in full float32; the settings are restored afterwards.

    It also decorates functions: those that measure a trained network.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with full_products():
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
