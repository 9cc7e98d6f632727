"""The steps of one or several trainings as a CUDA graph, which the device runs without waiting for the host.

The step of a narrow network is some hundred small kernels, and the host takes several times as long to start them as
the device to run them. A graph starts them all at once, and those of several networks run beside each other.
"""

import contextlib
import copy

import torch

from widedeep.training.feed import InMemory

# Steps before a capture, in which libraries choose their algorithms and allocate their workspaces.
_WARM_UPS = 2


class NotCapturedError(Exception):
    """Steps cannot be a graph; the message says why."""


def captured(trainings):
    """Capture a step of each training; the trainings stay as they are.

    Args:
        trainings: list of loop.Training on one device, after `begin_epoch`.

    Returns:
        function without arguments that takes a step of each, beside each other, as their `take_step` does

    Raises:
        NotCapturedError: these trainings need the host in their steps.
        torch.OutOfMemoryError: the device has no room for all of them.
    """
    for training in trainings:
        if why := needs_the_host(training):
            raise NotCapturedError(why)
    saved = [copy.deepcopy(training.state()) for training in trainings]
    try:
        with _on_a_stream_beside():
            for training in trainings:
                _warm_up(training)
        return capture([lambda training=training: training.take_step(seeding=False) for training in trainings])
    except torch.OutOfMemoryError:
        for training in trainings:
            training.optimizer.zero_grad()  # gradients, which would keep the memory of the attempt
        raise
    except RuntimeError as error:
        raise NotCapturedError(f"they cannot be captured ({str(error).splitlines()[0]})") from error
    finally:
        for training, state in zip(trainings, saved, strict=True):
            training.restore(state)
            training.feed.place(training.step)


def needs_the_host(training):
    """Why the steps of a training need the host, as far as is known without trying; empty if they do not."""
    if training.device.type != "cuda":
        return f"the device is {training.device.type}"
    if training.group.size > 1:
        return "several processes share the batches"
    if not isinstance(training.feed, InMemory):
        return "the images are streamed"
    return ""


def _warm_up(training):
    """Take some steps as a capture will.

    Raises:
        NotCapturedError: the network draws random numbers of its own. A graph would not draw those of a training that
            is resumed.
    """
    before = _random_state(training.device)
    for _ in range(_WARM_UPS):
        training.feed.place(0)  # at the end of an epoch there are no two steps left
        training.take_step(seeding=False)
    if not torch.equal(before, _random_state(training.device)):
        raise NotCapturedError(f"{training.name} draws random numbers of its own, as dropout does")


def _random_state(device):
    return torch.get_rng_state() if device.type == "cpu" else torch.get_device_module(device).get_rng_state(device)


@contextlib.contextmanager
def _on_a_stream_beside():
    """Work on another stream than the current one, as torch demands of what precedes a capture."""
    torch.backends.cudnn.benchmark = True  # a graph keeps the algorithms that are chosen now
    main, beside = torch.cuda.current_stream(), torch.cuda.Stream()
    beside.wait_stream(main)
    try:
        with torch.cuda.stream(beside):
            yield
    finally:
        main.wait_stream(beside)


def capture(steps):
    """Capture functions as one CUDA graph, each on a stream of its own; return the function that runs the graph."""
    graph, streams = torch.cuda.CUDAGraph(), [torch.cuda.Stream() for _ in steps]
    # Around the capture, since one that fails does not give its stream back.
    with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
        capturing = torch.cuda.current_stream()
        for step, stream in zip(steps, streams, strict=True):
            stream.wait_stream(capturing)
            with torch.cuda.stream(stream):
                step()
        for stream in streams:
            capturing.wait_stream(stream)
    return graph.replay
