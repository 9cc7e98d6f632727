"""Small data and small trainings for tests."""

import numpy as np
import torch

from widedeep.data import augmentation
from widedeep.formats import components, dataset
from widedeep.names import Configuration, Network
from widedeep.runtime.interruption import Interrupted
from widedeep.training import loop, side_by_side
from widedeep.training.distributed import Group
from widedeep.training.recipe import Recipe

RECIPE = {
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 0.1,
    "schedule": "epoch",
    "momentum": 0.9,
    "l2": 1e-4,
    "batchnorm_momentum": 0.1,
    "flip": True,
    "mixed_precision": False,
}
MODEL = Configuration("blobs", "resnet", 8, 0.5, 1.0)
CPU = torch.device("cpu")


def split(examples=50, seed=0, channels=1, size=8, classes=3):
    """Noisy images of `classes` brightnesses."""
    rng = np.random.default_rng(seed)
    labels = np.arange(examples) % classes
    images = 60 * labels[:, None, None, None] + rng.integers(0, 60, (examples, channels, size, size))
    return dataset.Split(images.astype(np.uint8), labels.astype(np.int64))


def write_dataset(path, examples=50, test_examples=40, seed=0):
    dataset.write(
        path, "blobs", split(examples, seed), split(test_examples, seed + 1), ["dark", "grey", "light"], "a test"
    )
    return path


def write_components(path, found, origin):
    """The file of FirstComponents that are in memory."""
    with components.creating(path, found.names, found.values.shape[1], origin) as file:
        for name in ("share", "residual", "values"):
            getattr(file, name)[...] = getattr(found, name)


def recipe(**changes):
    return Recipe(**{**RECIPE, **changes})


class NoCheckpoint:
    """A training that starts at the beginning."""

    def resume(self, _training):
        pass


def saving_after(checkpoint, steps):
    """What interrupts a training between two steps, after so many, its state saved."""
    seen = []

    def stop(state):
        seen.append(state.step)
        if len(seen) == steps:
            checkpoint.save(state.state())
            raise Interrupted

    return stop


def augmented(images, indices, flip, generator):
    """A batch of random crops of these examples, (batch, channels, height, width), all on the CPU."""
    crops = augmentation.drawn_crops(len(indices), images.shape[1:3], flip, generator)
    return augmentation.cropped(images, indices, *crops)


def training(seed=1, model=MODEL, **changes):
    """A Training on the small data, at its beginning."""
    train, test = (loop.examples_on(part, CPU) for part in (split(), split(30, 9)))
    return loop.training_of(Network(model, seed), (1, 8, 8), train, test, 3, recipe(**changes), Group(CPU))


def train(seed=1, after_step=lambda _: None, checkpoint=None, model=MODEL, **changes):
    """A finished Training on the small data."""
    one = training(seed, model, **changes)
    (checkpoint or NoCheckpoint()).resume(one)
    failed = side_by_side.run([one], lambda running: after_step(*running))
    if failed:
        raise failed[one.name]
    return one


def same(first, second):
    """Whether two networks hold the same bits."""
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def as_text(history):
    """A history as text, in which one NaN equals another."""
    return [{key: repr(value) for key, value in line.items()} for line in history]


class Hostile:
    """A pickle that would leave a file behind when it is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")
