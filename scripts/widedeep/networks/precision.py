"""Full float32 precision on GPUs, which may round the factors of a product to the 10 bits of TF32.

torch uses TF32 for convolutions by default, and for matrix products if a program asks for it. Trainings may use it.
Measurements of a trained network must not: they agree on all devices up to the rounding of float32.
"""

import contextlib

import torch

# The operations of torch that have a precision of their own (torch.backends, fp32_precision).
_PRODUCTS = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
_OTHERS = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.mkldnn.conv, torch.backends.mkldnn.rnn)


def widest(device):
    """Return the widest floating-point type of a torch.device: float64, or float32 on mps."""
    return torch.float32 if device.type == "mps" else torch.float64


@contextlib.contextmanager
def full_products():
    """Compute matrix products of float32 tensors in full float32; the settings are restored afterwards."""
    with _full(_PRODUCTS):
        yield


@contextlib.contextmanager
def full_float32():
    """Compute matrix products, convolutions and recurrences in full float32; the settings are restored afterwards.

    It also decorates functions: those that measure a trained network.
    """
    with _full((*_PRODUCTS, *_OTHERS)):
        yield


@contextlib.contextmanager
def _full(operations):
    before = [operation.fp32_precision for operation in operations]
    for operation in operations:
        operation.fp32_precision = "ieee"
    try:
        yield
    finally:
        for operation, precision in zip(operations, before, strict=True):
            # What torch.backends.fp32_precision says for all shall go on to hold where it held before.
            operation.fp32_precision = "none"
            if operation.fp32_precision != precision:
                operation.fp32_precision = precision
