"""Counts the places where the host would wait for a device, on the CPU, where nothing waits."""

from torch.overrides import TorchFunctionMode

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
