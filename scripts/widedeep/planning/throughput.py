"""How fast a machine trains: a few real steps of a network, alone or beside others on the same device.

Processes side by side are measured in processes of their own, so that the caller never holds a part of the device that
its jobs are to share.
"""

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np

from widedeep.planning import sizes

# Seconds after which a process that others wait for is taken for lost.
_PATIENCE = 600
# For how many seconds processes are measured side by side, and in how many steps at most: their images are in memory.
_SECONDS_BESIDE, _MOST_STEPS = 3, 400
_barrier = None


@dataclass(frozen=True)
class Measured:
    """The result of some processes that train side by side.

    Attributes:
        throughput: floating-point operations a second, all together; 0 if their networks do not fit in memory.
        start: seconds until the first of them trained.
        device: name of what they compute on.
    """

    throughput: float
    start: float
    device: str


def alone(configuration, images, recipe, device):
    """Floating-point operations a second of training steps, from a few real ones on random images.

    The batch grows from 2 images to the study's as long as a step takes less than half a second: a whole batch of the
    paper's widest network keeps a core busy for a minute and tells nothing more.

    Args:
        configuration: names.Configuration.
        images: catalogue.Images.
        recipe: recipe.Recipe of the study.
        device: torch.device.

    Raises:
        UserError: the recipe needs another device.
    """
    batch_size, seconds = _largest_quick_batch(configuration, images, recipe, device)
    return 3 * sizes.counted(configuration, images).forward * batch_size / seconds


def side_by_side(configuration, images, recipe, processes):
    """The Measured of so many processes that train a network each; the other arguments are those of `alone`.

    Raises:
        UserError: the recipe needs another device.
    """
    # spawn: a forked process cannot use a GPU, nor libraries whose threads were not forked with it.
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes, timeout=_PATIENCE)
    began = time.monotonic()
    with ProcessPoolExecutor(processes, context, initializer=_share, initargs=(barrier,)) as pool:
        try:
            each = list(pool.map(_one_of_several, *([value] * processes for value in (configuration, images, recipe))))
        except BrokenProcessPool:  # one was killed for its memory
            return Measured(0.0, 0.0, "")
    rates, ready, devices = zip(*each, strict=True)
    return Measured(sum(rates) if all(rates) else 0.0, min(ready) - began, devices[0])


def at_width(width, measured):
    """Throughput of networks of a width: a power law between the widths that were measured.

    Args:
        width: width multiplier.
        measured: dict from width multipliers to throughputs; the only one holds for all widths.
    """
    widths = sorted(measured)
    return float(np.exp(np.interp(np.log(width), np.log(widths), np.log([measured[known] for known in widths]))))


def smallest_and_largest(configurations, images):
    """The narrowest and cheapest of some configurations, and the widest and costliest.

    By width first: it decides how well a processor is used, and depth does not.
    """

    def size(configuration):
        return configuration.width, sizes.counted(configuration, images).forward

    ordered = sorted(configurations, key=size)
    return ordered[0], ordered[-1]


def _share(barrier):
    global _barrier
    _barrier = barrier


def _one_of_several(configuration, images, recipe):
    """(throughput, 0 if there is no memory; moment at which it was ready; name of the device) of one process."""
    import torch

    from widedeep.networks.devices import device_named
    from widedeep.runtime import provenance

    device, ready = device_named("auto"), []

    def wait():
        ready.append(time.monotonic())
        _barrier.wait()

    try:
        batch_size, seconds = _largest_quick_batch(configuration, images, recipe, device)
        steps = 1 + min(max(-(-_SECONDS_BESIDE // seconds), 2), _MOST_STEPS)
        seconds = _seconds_a_step(configuration, images, _with_batch(recipe, batch_size), device, int(steps), wait)
        rate = 3 * sizes.counted(configuration, images).forward * batch_size / seconds
    except (torch.OutOfMemoryError, threading.BrokenBarrierError):  # here, or in another process
        rate = 0.0
    finally:
        if not ready:
            _barrier.abort()  # lest the others wait for it
    return rate, ready[0] if ready else time.monotonic(), provenance.device_name(device)


def _largest_quick_batch(configuration, images, recipe, device):
    """(batch size, seconds a step): the study's batch, or the first one that takes more than half a second."""
    batch_size = min(2, recipe.batch_size)
    while True:
        seconds = _seconds_a_step(configuration, images, _with_batch(recipe, batch_size), device)
        if batch_size == recipe.batch_size or seconds > 0.5:
            return batch_size, seconds
        batch_size = min(4 * batch_size, recipe.batch_size)


def _with_batch(recipe, batch_size):
    return recipe.model_copy(update={"batch_size": batch_size})


def _seconds_a_step(configuration, images, recipe, device, steps=3, wait=lambda: None):
    """Mean of training steps, after a first one in which libraries make themselves ready, and `wait`."""
    import torch

    from widedeep.formats.dataset import Split
    from widedeep.networks.build import build_for
    from widedeep.training.distributed import Group
    from widedeep.training.loop import Training

    # At rate 0, lest random images break the weights.
    recipe = recipe.model_copy(update={"epochs": 1, "learning_rate": 0.0})
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (steps * recipe.batch_size, *images.shape), dtype=np.uint8)
    split = Split(pixels, np.arange(len(pixels)) % images.classes)
    generator = torch.Generator().manual_seed(0)
    network = build_for(configuration, images.shape, images.classes, recipe.batchnorm_momentum, generator)
    network = network.to(device, memory_format=torch.channels_last)
    ended = []

    def after_step(state):
        # Between these two the device is not waited for, as in a training.
        if state.step in (1, steps):
            state.running_loss_and_accuracy()  # waits for the device
            if state.step == 1:
                wait()
            ended.append(time.monotonic())

    one = Split(split.images[:1], split.labels[:1])
    Training(network, split, one, recipe, str(configuration), Group(device)).run(after_step)
    return (ended[-1] - ended[0]) / (steps - 1)
