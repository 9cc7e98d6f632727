"""Counts or refuses what would make the host wait for a device, on the CPU, where nothing waits."""

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# numpy() is not among them: on another device it takes a tensor that cpu() returned.
_WAITING = {"item", "tolist", "cpu", "nonzero", "__bool__", "__float__", "__int__", "__index__"}


class Reads(TorchFunctionMode):
    """A context manager whose `count` is the number of reads of tensors by the host while it is active.

    It sees the methods of tensors in _WAITING. Copies to the device and masks as indices, which wait too, escape it.
    """

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_function__(self, function, _types, args=(), kwargs=None):
        self.count += getattr(function, "__name__", "") in _WAITING
        return function(*args, **(kwargs or {}))


# What makes the host wait for a device: a value, or a size that depends on values.
_REFUSED = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal")


class WithoutHost(TorchDispatchMode):
    """Refuses what would make the host wait for the device."""

    def __torch_dispatch__(self, func, _types, args=(), kwargs=None):
        name = func.overloadpacket.__name__.rstrip("_")
        assert not any(name.startswith(waiting.rstrip("_")) for waiting in _REFUSED), f"{name} needs the host"
        return func(*args, **(kwargs or {}))
