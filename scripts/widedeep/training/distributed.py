"""One training on several GPUs, with a process for each, started by torchrun."""

import contextlib
import os
from dataclasses import dataclass

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Group:
    """The processes of one training.

    Attributes:
        device: torch.device of this process.
        rank: number of this process; process 0 writes the files.
        size: number of processes.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    def share(self, indices):
        """Return the part of a batch, an int64 tensor of indices, for this process."""
        return indices[self.rank :: self.size]

    def workers(self, number):
        """Return how many of `number` decoding processes belong to this process."""
        return (number + self.size - 1 - self.rank) // self.size

    def parallel(self, network):
        """Wrap the network for the forward pass of training, so that gradients are means over all processes."""
        if self.size == 1:
            return network
        return DistributedDataParallel(network, [self.device] if self.device.type == "cuda" else None)

    def mean(self, values):
        """Return the mean of a tensor over all processes; all must call it."""
        if self.size == 1:
            return values
        values = values.clone()
        distributed.all_reduce(values)
        return values / self.size

    def any(self, flag):
        """Return whether `flag` is true in any of the processes; all must call it."""
        if self.size == 1:
            return bool(flag)
        return bool(self.mean(torch.tensor(float(bool(flag)), device=self.device)) > 0)


@contextlib.contextmanager
def group(device):
    """Yield the Group of this process, which is alone or one of several started by torchrun.

    Args:
        device: torch.device; with several processes on cuda, each takes a device of its own.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(device)
        return
    rank = int(os.environ["RANK"])
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(device, rank, size)
    finally:
        distributed.destroy_process_group()
