"""Data as users have them, as minibatches that a torch network takes."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from widedeep.measures import arrays
from widedeep.runtime.errors import UserError, first_line

# Examples per minibatch where the data are not yet in batches (paper, section 3).
BATCH_SIZE = 256


@dataclass(frozen=True)
class Inputs:
    """The arguments of a network for one minibatch.

    Attributes:
        args: tuple of positional arguments.
        kwargs: dict of named arguments.
        n: number of examples: length of the first axis of the first tensor.
    """

    args: tuple
    kwargs: dict
    n: int

    @property
    def device(self):
        """torch.device of the first tensor."""
        return next(value.device for value in (*self.args, *self.kwargs.values()) if isinstance(value, torch.Tensor))

    def some(self, examples):
        """Inputs of a slice of the examples; what has no row for each example stays as it is."""

        def cut(value):
            has_rows = (isinstance(value, torch.Tensor) and value.ndim) or isinstance(value, list | tuple)
            if not has_rows or len(value) != self.n:
                return value
            _refuse_sparse(value)
            return value[examples]

        kwargs = {name: cut(value) for name, value in self.kwargs.items()}
        return Inputs(tuple(map(cut, self.args)), kwargs, len(range(self.n)[examples]))

    def __str__(self):
        named = [*((None, value) for value in self.args), *self.kwargs.items()]
        return ", ".join(f"{name}: {_text(value)}" if name else _text(value) for name, value in named)


def batches_of(data):
    """Return an iterable of minibatches.

    Args:
        data: iterable of minibatches, as a DataLoader; or all examples at once, as a tensor, an array, a dict of them
            or a Dataset of torch, which are cut into minibatches of 256 in their order. An IterableDataset shall give
            minibatches.

    Raises:
        UserError: data is none of these.
    """
    is_iterable = isinstance(data, torch.utils.data.IterableDataset)
    if isinstance(data, torch.utils.data.Dataset) and not is_iterable:
        return torch.utils.data.DataLoader(data, BATCH_SIZE)
    for value in data.values() if isinstance(data, Mapping) else [data]:
        _refuse_sparse(value)
    if isinstance(data, torch.Tensor | np.ndarray):
        return _Cut(len(data) if data.ndim else 0, lambda part: data[part])
    if isinstance(data, Mapping):
        lengths = {len(value) for value in data.values() if isinstance(value, torch.Tensor | np.ndarray) and value.ndim}
        if len(lengths) != 1:
            raise UserError(
                f"data is a dict whose tensors have {sorted(lengths) or 'no'} examples; give a dict of tensors with "
                "the same examples, or an iterable of such minibatches."
            )
        return _Cut(*lengths, lambda part: {k: v[part] if getattr(v, "ndim", 0) else v for k, v in data.items()})
    # Iterable too are texts and bytes, and tables, over the names of their columns.
    is_other = isinstance(data, str | bytes | bytearray | memoryview) or hasattr(data, "to_numpy")
    if is_other or not isinstance(data, Iterable):
        raise UserError(
            f"data is {_text(data)}; give minibatches, as a DataLoader or a list of tensors, or one tensor of all "
            "examples."
        )
    return data


class _Cut:
    """Minibatches of examples that are all in memory."""

    def __init__(self, examples, part):
        self._examples, self._part, self._size = examples, part, min(BATCH_SIZE, examples)

    def __len__(self):
        return -(-self._examples // self._size) if self._size else 0

    def __iter__(self):
        return (self._part(slice(at * self._size, (at + 1) * self._size)) for at in range(len(self)))


def inputs_of(batch, network, device, dtype):
    """Find the arguments of a network in one minibatch.

    Of a tuple or list, as (images, labels), the network gets the first entry, or as many as its `forward` has
    parameters without a default. Of a dict it gets the entries that are parameters of its `forward`, or all where that
    takes any; where none is and a single entry has features, that one.

    Args:
        batch: tensor, array, tuple or list of them, or dict of them.
        network: torch.nn.Module.
        device: torch.device for the tensors.
        dtype: floating-point type of arrays that are not tensors.

    Returns:
        Inputs

    Raises:
        UserError: the batch holds no tensor, or no entry is a parameter of the network.
    """
    args, kwargs = (), {}
    if isinstance(batch, Mapping):
        args, kwargs = _named(batch, network)
    elif isinstance(batch, list | tuple):
        args = tuple(batch[: _required(network)])
    else:
        args = (batch,)
    args = tuple(_tensor(value, device, dtype) for value in args)
    kwargs = {name: _tensor(value, device, dtype) for name, value in kwargs.items()}
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor) and value.ndim]
    if not tensors:
        raise UserError(
            f"a minibatch is {_text(batch)}; give a tensor with a row for each example, a tuple whose first entry is "
            "one, or a dict of them."
        )
    return Inputs(args, kwargs, len(tensors[0]))


def run(network, inputs, which):
    """Run a network on Inputs.

    Args:
        network: torch.nn.Module.
        inputs: Inputs.
        which: name of the network in the message.

    Raises:
        UserError: the network does not take them.
    """
    # Copies, for a network may write into its input, which another network and the user go on to need.
    args, kwargs = [_copy(value) for value in inputs.args], {key: _copy(value) for key, value in inputs.kwargs.items()}
    try:
        return network(*args, **kwargs)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{which} does not take a minibatch of {inputs}: {type(error).__name__}: {first_line(error)}"
        ) from error


def _named(batch, network):
    """(args, kwargs) from a dict."""
    parameters = _parameters(network)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return (), dict(batch)
    known = {name: value for name, value in batch.items() if name in parameters}
    if known:
        return (), known
    features = [value for value in batch.values() if getattr(value, "ndim", 0) > 1]
    if len(features) == 1:
        return (features[0],), {}
    raise UserError(
        f"a minibatch has the entries {', '.join(map(str, batch))}, and the network takes "
        f"{', '.join(parameters) or 'nothing'}; rename the entries, or give the network's input alone."
    )


def _required(network):
    """Number of arguments that a network needs, at least 1."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [
        parameter
        for parameter in _parameters(network).values()
        if parameter.kind in kinds and parameter.default is parameter.empty
    ]
    return max(1, len(needed))


def _parameters(network):
    return inspect.signature(network.forward).parameters


def _copy(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


def _tensor(value, device, dtype):
    """An array or tensor as a tensor on the device; anything else as it is."""
    if isinstance(value, np.ndarray):
        arrays.refuse_masked(value, "a minibatch")
        if value.dtype.kind not in "fiubc":
            raise UserError(f"a minibatch holds an array of {value.dtype}; give numbers.")
        value = torch.from_numpy(np.require(value, _of_torch(value.dtype), ["C", "W"]))
        value = value.to(dtype) if value.is_floating_point() else value
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_meta:
        raise UserError(f"a minibatch holds a tensor on the device meta, {_text(value)}; give one with values.")
    return value.to(device)


def _of_torch(dtype):
    """Return numpy's type that torch has too: of the machine's byte order, and no wider than float64."""
    widest = {"f": "f8", "c": "c16"}.get(dtype.kind, dtype)
    return np.dtype(widest) if dtype.itemsize > np.dtype(widest).itemsize else dtype.newbyteorder("=")


def _refuse_sparse(value):
    """Refuse a sparse tensor, of which torch takes no rows."""
    if isinstance(value, torch.Tensor) and value.layout != torch.strided:
        raise UserError(f"data holds a sparse tensor, {_text(value)}; give .to_dense() of it.")


def _text(value):
    """What a value is, for messages."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {', '.join(map(_text, value[:3])) or 'nothing'}"
    return f"a {type(value).__name__}"
