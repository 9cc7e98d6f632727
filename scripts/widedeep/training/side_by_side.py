"""Training several networks of one configuration side by side on one device, or a single network.

On a GPU a step of all of them is one graph (graph.py), where that is possible. They share the images and nothing else,
so that each learns what it learns alone.
"""

import time

import torch

from widedeep.runtime.errors import UserError
from widedeep.training import graph


def run(trainings, after_step, after_end=lambda _training: None):
    """Train networks to their ends, or until `after_step` raises.

    A training that fails leaves the others as they are.

    Args:
        trainings: list of loop.Training on one device, each at any step.
        after_step: function that is called between steps, where all states are whole, with the list of trainings that
            take them.
        after_end: function that is called with each training that has finished; a UserError of it counts as the
            training's.

    Returns:
        dict from the name of each training that failed to its UserError
    """
    failed = {}

    def goes_on(training):
        try:
            if training.epoch_is_over:
                training.finish_epoch()
            if training.is_finished:
                after_end(training)
                return False
        except UserError as error:
            failed[training.name] = error
            return False
        training.begin_epoch()
        return True

    def until_one_ends(going):
        beside, take_step = _as_many_as_fit(going)
        ended = []
        while not ended:
            started = time.monotonic()
            take_step()
            seconds = time.monotonic() - started
            for training in beside:
                training.count_step(seconds)
            after_step(beside)
            ended = [training for training in beside if training.epoch_is_over and not goes_on(training)]
        return ended

    going = [training for training in trainings if goes_on(training)]
    while going:
        ended = until_one_ends(going)
        going = [training for training in going if training not in ended]
    return failed


def _as_many_as_fit(trainings):
    """The first trainings, all of them if the device has room, and the function that takes a step of each.

    On a GPU the log says how it does.
    """
    number = len(trainings)
    while True:
        try:
            take_step, how = stepping(trainings[:number])
            break
        except torch.OutOfMemoryError:
            if number == 1:
                raise
        # Here, where the exception no longer holds what filled the memory.
        torch.cuda.empty_cache()
        number //= 2
    if trainings[0].device.type == "cuda":
        print(f"{', '.join(training.name for training in trainings[:number])}: each step runs {how}.", flush=True)
    return trainings[:number], take_step


def stepping(trainings):
    """The function that takes a step of each training, after `begin_epoch`, and in words how it does.

    Raises:
        torch.OutOfMemoryError: the device has no room for all at once.
    """
    try:
        return graph.captured(trainings), "in one CUDA graph"
    except graph.NotCapturedError as error:
        return one_after_another(trainings), f"kernel by kernel, since {error}"


def one_after_another(trainings):
    """The function that takes a step of each training, kernel by kernel."""

    def take_step():
        for training in trainings:
            training.take_step()

    return take_step
