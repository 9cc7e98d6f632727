"""Training throughput of several processes on one device, each measured while the others are.

In processes of their own, so that the caller never holds a part of the device that its jobs are to share.
"""

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from widedeep import costs

# Seconds after which a process that others wait for is taken for lost.
_PATIENCE = 600
_barrier = None


@dataclass(frozen=True)
class Measured:
    """What a number of processes do.

    Attributes:
        throughput: floating-point operations a second, all together; 0 if their networks do not fit in memory.
        start: seconds until the first of them trained.
        device: what they compute on, in words.
    """

    throughput: float
    start: float
    device: str


def measured(cost, images, recipe, processes):
    """The Measured of so many processes that train a network each.

    Args:
        cost: costs.Cost of the network.
        images: costs.Images.
        recipe: training.Recipe of the study.
        processes: their number.

    Raises:
        UserError: the recipe needs another device.
    """
    # spawn: a forked process cannot use a GPU, nor libraries whose threads were not forked with it.
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes, timeout=_PATIENCE)
    began = time.monotonic()
    with ProcessPoolExecutor(processes, context, initializer=_share, initargs=(barrier,)) as pool:
        try:
            each = list(pool.map(_measured, *([value] * processes for value in (cost, images, recipe))))
        except BrokenProcessPool:  # one was killed for its memory
            return Measured(0.0, 0.0, "")
    rates, ready, devices = zip(*each, strict=True)
    return Measured(sum(rates) if all(rates) else 0.0, min(ready) - began, devices[0])


def _share(barrier):
    global _barrier
    _barrier = barrier


def _measured(cost, images, recipe):
    """(throughput, 0 if there is no memory; moment at which it was ready; name of the device) of one process."""
    import torch

    from widedeep import models, provenance

    device, ready = models.device_named("auto"), []

    def wait():
        ready.append(time.monotonic())
        _barrier.wait()

    try:
        rate = costs.throughput_beside_others(cost, images, recipe, device, wait)
    except (torch.OutOfMemoryError, threading.BrokenBarrierError):  # here, or in another process
        rate = 0.0
    finally:
        if not ready:
            _barrier.abort()  # lest the others wait for it
    return rate, ready[0] if ready else time.monotonic(), provenance.device_name(device)
