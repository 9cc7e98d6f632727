"""One training on several GPUs: torchrun starts a process for each, and what they have in common is here."""

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
        device: torch.device of this one.
        rank: number of this one; 0 writes the files.
        size: how many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    def share(self, indices):
        """This process's part of a batch."""
        return indices[self.rank :: self.size]

    def workers(self, number):
        """This process's part of `number` processes that help all of them."""
        return (number + self.size - 1 - self.rank) // self.size

    def parallel(self, network):
        """The network for the forward pass of training: its gradients are means over all processes."""
        if self.size == 1:
            return network
        return DistributedDataParallel(network, [self.device] if self.device.type == "cuda" else None)

    def mean(self, values):
        """The mean of a tensor over all processes."""
        if self.size == 1:
            return values
        values = values.clone()
        distributed.all_reduce(values)
        return values / self.size

    def any(self, flag):
        """Whether `flag` is true in any of the processes; all must ask."""
        return (
            bool(flag) if self.size == 1 else bool(self.mean(torch.tensor(float(bool(flag)), device=self.device)) > 0)
        )


def is_first():
    """Whether this process writes the files: it is alone, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def group(device):
    """The Group of this process: alone, or one of those that torchrun started.

    Args:
        device: torch.device; of several cuda devices each process takes its own.
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
