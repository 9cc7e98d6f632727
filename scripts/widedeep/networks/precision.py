"""In which precision devices compute: float32 that is float32, also on GPUs that may round factors to TF32's 10 bits.

torch takes TF32 for convolutions by default, and for products where a program asks for it. Trainings may use it: what
they make is a network like another. What is measured of a trained network is to be the same on every device, to
rounding in float32.
"""

import contextlib

import torch


def widest(device):
    """The widest floating-point type of a torch.device: float64, which mps has not."""
    return torch.float32 if device.type == "mps" else torch.float64


@contextlib.contextmanager
def full_products():
    """Matrix products of float32 tensors in float32; the setting before comes back."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def full_float32():
    """The same of matrix products and convolutions. Decorates what runs a trained network."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with full_products():
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
