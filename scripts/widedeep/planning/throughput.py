"""Measured rates of this machine: training steps of a network, alone or beside others, and the work of CKA.

What is measured side by side runs in new processes, so the caller never holds a part of the device that its jobs will
share.
"""

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np

from widedeep.planning import sizes

# Seconds that processes wait for the slowest of them.
_PATIENCE = 600
# Seconds for which processes are measured side by side, and their most steps, since the images of all are in memory.
_SECONDS_BESIDE, _MOST_STEPS = 3, 400
_barrier = None


@dataclass(frozen=True)
class Measured:
    """Result of measuring networks that train side by side.

    Attributes:
        throughput: floating-point operations a second of all networks together; 0 if they run out of memory.
        start: seconds until the first process was ready to train.
        device: name of their device.
    """

    throughput: float
    start: float
    device: str


def alone(configuration, images, recipe, device):
    """Floating-point operations a second of training one network, from a few steps on random images.

    The batch grows from 2 images to that of the study as long as a step takes less than half a second. A larger batch
    would take long and give the same rate: one of the paper's widest network keeps a core busy for a minute.

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


def side_by_side(configuration, images, recipe, number, in_one=False, in_graph=True):
    """Measure several networks that train at the same time.

    Args:
        configuration, images, recipe: see `alone`.
        number: number of networks.
        in_one: whether one process trains them all, as a GPU does it; else each has a process.
        in_graph: whether steps are CUDA graphs where that is possible; else as all else that runs networks.

    Returns:
        Measured

    Raises:
        UserError: the recipe needs another device.
    """
    # spawn: a forked process cannot use a GPU, nor libraries whose threads were not forked with it.
    context, processes = multiprocessing.get_context("spawn"), 1 if in_one else number
    barrier = context.Barrier(processes, timeout=_PATIENCE)
    began = time.monotonic()
    how = configuration, images, recipe, number if in_one else 1, in_graph
    with ProcessPoolExecutor(processes, context, initializer=_share, initargs=(barrier,)) as pool:
        try:
            each = list(pool.map(_one_of_several, *([value] * processes for value in how)))
        except BrokenProcessPool:  # one was killed for its memory
            return Measured(0.0, 0.0, "")
    rates, ready, devices = zip(*each, strict=True)
    return Measured(sum(rates) if all(rates) else 0.0, min(ready) - began, devices[0])


def at_width(width, measured):
    """Throughput of networks of a width, interpolated by a power law between measured widths.

    Args:
        width: width multiplier.
        measured: dict from width multipliers to throughputs; a single one holds for all widths.
    """
    widths = sorted(measured)
    return float(np.exp(np.interp(np.log(width), np.log(widths), np.log([measured[known] for known in widths]))))


def smallest_and_largest(configurations, images):
    """The cheapest narrowest and the costliest widest configuration.

    Width counts first: it decides how well a processor is used, and depth does not.

    Args:
        configurations: iterable of names.Configuration.
        images: catalogue.Images.
    """

    def size(configuration):
        return configuration.width, sizes.counted(configuration, images).forward

    ordered = sorted(configurations, key=size)
    return ordered[0], ordered[-1]


def product_rate():
    """Floating-point operations a second of one core in products of double precision, as CKA takes them."""
    layers, entries = 400, 8192
    first, second = np.random.default_rng(0).random((2, layers, entries))
    started = time.perf_counter()
    first @ second.T
    return 2 * layers * layers * entries / (time.perf_counter() - started)


def seconds_to_store_gram(examples, with_scores):
    """Seconds in which one core writes a Gram matrix into a dump, mean over twenty.

    Args:
        examples: rows of the matrix.
        with_scores: whether the scores of its first component are given, as on CUDA; else they are computed here too.
    """
    import h5py

    from widedeep.formats import dumps
    from widedeep.measures import gram_matrices
    from widedeep.networks.layers import LayerInfo

    # The variances of a real layer's components fall about so; equal ones would make the first harder to find.
    spread = np.arange(1, 2 * examples + 1) ** -0.5
    gram = gram_matrices.packed_gram(np.random.default_rng(0).standard_normal((examples, 2 * examples)) * spread)
    sample_ids, origin = np.arange(21 * examples).reshape(21, -1), dumps.Origin("measured", 1, "", "test")
    with h5py.File("measured", "w", driver="core", backing_store=False) as file:
        writer = dumps.Writer(file, "gram", origin, sample_ids, {})
        writer.add_layer(LayerInfo("layer", "other", 0, 0, (1,)))
        for minibatch in range(len(sample_ids)):
            if minibatch == 1:  # the first one imports what it needs
                started = time.perf_counter()
            writer.put_gram("layer", minibatch, gram, gram.diagonal if with_scores else None)
        return (time.perf_counter() - started) / (len(sample_ids) - 1)


def _share(barrier):
    global _barrier
    _barrier = barrier


def _one_of_several(configuration, images, recipe, networks=1, in_graph=True):
    """Measure one of several processes: (throughput, or 0 without memory; moment when ready; name of the device)."""
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
        recipe = _with_batch(recipe, batch_size)
        seconds = _seconds_a_step(configuration, images, recipe, device, int(steps), wait, networks, in_graph)
        rate = networks * 3 * sizes.counted(configuration, images).forward * batch_size / seconds
    except (torch.OutOfMemoryError, threading.BrokenBarrierError):  # here, or in another process
        rate = 0.0
    finally:
        if not ready:
            _barrier.abort()  # or the others would wait for it
    return rate, ready[0] if ready else time.monotonic(), provenance.device_name(device)


def _largest_quick_batch(configuration, images, recipe, device):
    """(batch size, seconds a step) of the study's batch, or of the first one that takes more than half a second."""
    batch_size = min(2, recipe.batch_size)
    while True:
        seconds = _seconds_a_step(configuration, images, _with_batch(recipe, batch_size), device)
        if batch_size == recipe.batch_size or seconds > 0.5:
            return batch_size, seconds
        batch_size = min(4 * batch_size, recipe.batch_size)


def _with_batch(recipe, batch_size):
    return recipe.model_copy(update={"batch_size": batch_size})


def _seconds_a_step(configuration, images, recipe, device, steps=3, wait=lambda: None, networks=1, in_graph=True):
    """Mean seconds of a training step of all networks.

    Args:
        configuration, images, recipe, device: see `alone`.
        steps: number of steps; the first one, in which libraries prepare themselves, is not timed.
        wait: is called after the first step, and not timed.
        networks: number of networks that this process trains side by side.
        in_graph: see `side_by_side`.

    Raises:
        torch.OutOfMemoryError: they do not fit into the memory of the device.
    """
    from widedeep.training import side_by_side

    trainings = on_random_images(configuration, images, recipe, device, steps, networks)
    take_step = side_by_side.stepping(trainings)[0] if in_graph else side_by_side.one_after_another(trainings)
    for step in range(steps):
        take_step()
        for training in trainings:
            training.count_step(0.0)
        if step == 0:
            trainings[0].running_loss_and_accuracy()  # waits for the device
            wait()
            started = time.monotonic()
    # As in a training, the device is not waited for between these two.
    trainings[0].running_loss_and_accuracy()
    return (time.monotonic() - started) / (steps - 1)


def on_random_images(configuration, images, recipe, device, steps, networks):
    """Trainings on random images, at the beginning of their only epoch.

    Args:
        configuration, images, recipe, device: see `alone`.
        steps: number of steps of the epoch.
        networks: number of trainings, each of another seed.

    Returns:
        list of loop.Training
    """
    from widedeep.formats.dataset import Split
    from widedeep.names import Network
    from widedeep.training import loop
    from widedeep.training.distributed import Group

    # With a learning rate of 0, random images leave the weights as they are.
    recipe = recipe.model_copy(update={"epochs": 1, "learning_rate": 0.0})
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (steps * recipe.batch_size, *images.shape), dtype=np.uint8)
    examples = loop.examples_on(Split(pixels, np.arange(len(pixels)) % images.classes), device)
    trainings = [
        loop.training_of(
            Network(configuration, seed), images.shape, examples, examples, images.classes, recipe, Group(device)
        )
        for seed in range(networks)
    ]
    for training in trainings:
        training.begin_epoch()
    return trainings
