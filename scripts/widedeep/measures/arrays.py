"""Arrays of activations as people hand them in: converted where their values stay exact, refused where not numbers."""

import numbers
import sys
from collections.abc import Iterable, Mapping

import numpy as np

from widedeep.runtime.errors import UserError, first_line


def checked(values, name):
    """Return activations as a numpy array of numbers.

    Args:
        values: numpy array, torch tensor on any device, DataFrame, nested list, or other array of numbers, (n, ...).
        name: of the argument, for messages.

    Returns:
        (n, ...) array of integers, booleans, real or complex numbers

    Raises:
        UserError: it is masked, sparse, ragged, a scalar, empty, or holds something else than numbers.
    """
    refuse_masked(values, name)
    if hasattr(values, "toarray"):
        raise UserError(f"{name} is a sparse {type(values).__name__}; give an array, as .toarray() makes it.")
    torch = sys.modules.get("torch")  # it is loaded where there is a tensor
    if torch and isinstance(values, torch.Tensor):
        values = _of_tensor(values, name)
    try:
        array = np.asarray(values)
    except MemoryError:
        raise
    except Exception as error:  # other libraries convert their arrays, and raise what they like
        raise UserError(
            f"{name} is no array: {first_line(error)}; give (n, ...) numbers with as many for each example."
        ) from None
    if array.dtype == object and array.ndim:
        array = _of_objects(array, name)
    if not array.ndim:
        raise UserError(f"{name} is a single {type(values).__name__}; give an array, (n, ...), with a row an example.")
    if not array.size:
        raise UserError(f"{name} has shape {array.shape}, which holds no values; give examples with features.")
    _check_numbers(array, name)
    return array


def refuse_masked(values, name):
    """Refuse a masked array, whose mask numpy's functions and torch ignore.

    Args:
        values: of any type.
        name: of the argument, for messages.
    """
    if np.ma.isMaskedArray(values):
        raise UserError(f"{name} is a masked array, whose hidden values would count; give .filled(...) or rows.")


def checked_layers(layers):
    """Return a list of the activations of several layers as arrays; see `checked`.

    Raises:
        UserError: there is no layer, or an array or a dict takes the place of the list.
    """
    what = type(layers).__name__
    if isinstance(layers, Mapping):
        raise UserError(f"layers are given as a {what}; give a list, as list(activations.values()).")
    if hasattr(layers, "__array__") or not isinstance(layers, Iterable):
        raise UserError(f"layers are given as one {what}; give a list of arrays, [x] for a single layer.")
    layers = list(layers)
    if not layers:
        raise UserError(f"layers are given as an empty {what}; give a list with an array for each layer.")
    if all(isinstance(layer, list | tuple) and np.ndim(layer[:1]) == 1 for layer in layers):
        raise UserError(f"layers are given as {len(layers)} lists of numbers; give arrays, [x] for one layer.")
    return [checked(layer, f"layer {place}") for place, layer in enumerate(layers)]


def real(array, name="the layer"):
    """Return an array of numbers as float32 or float64, (n, ...), without a copy where it is of these types.

    Half precision becomes float32. Integers, booleans and wider types become float64. Real and imaginary parts of
    complex numbers become separate features, so that the Gram matrix is Re(X X^H), which no rotation of X by a complex
    number of modulus 1 changes.

    Raises:
        UserError: it holds something else than numbers.
    """
    _check_numbers(array, name)
    with np.errstate(over="ignore"):  # of types wider than float64; results say that a layer with infinity is undefined
        if array.dtype.kind == "c":
            narrow = array.dtype.itemsize <= 8
            array = np.ascontiguousarray(array, dtype=np.complex64 if narrow else np.complex128)[..., None]
            array = array.view(np.float32 if narrow else np.float64)  # (n, ..., 2)
        narrow = array.dtype.kind == "f" and array.dtype.itemsize <= 4
        return array.astype(np.float32 if narrow else np.float64, copy=False)


def _of_tensor(tensor, name):
    """Convert a torch tensor; numpy has no bfloat16 and reads no gradients."""
    from widedeep.networks import tracing

    if not tensor.ndim:
        raise UserError(f"{name} is a single number; give an array, (n, ...), with a row an example.")
    try:
        return tracing.features(tensor.detach()).cpu().numpy()
    except (RuntimeError, TypeError) as error:  # as of quantized tensors, and of those on the device meta
        what = f"a tensor of {str(tensor.dtype).removeprefix('torch.')} on {tensor.device}"
        raise UserError(f"{name} is {what}, which cannot be read: {first_line(error)}; give numbers.") from error


def _of_objects(array, name):
    """Convert an array of Python's numbers."""
    others = [value for value in array.flat if not isinstance(value, numbers.Real)]
    if others:
        raise UserError(
            f"{name} holds a {type(others[0]).__name__} ({first_line(others[0])}); give an array of numbers."
        )
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise UserError(f"{name} holds an integer that float64 does not; give smaller numbers.") from None


def _check_numbers(array, name):
    if array.dtype.kind not in "biufc":
        raise UserError(f"{name} holds values of type {array.dtype}; give numbers.")
