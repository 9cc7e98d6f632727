"""The training of one network by the paper's recipe, resumable at any step with the same final bits.

side_by_side.py takes the steps of one or several such trainings.
"""

import math
import time

import torch
from torch import nn
from torch.nn import functional

from widedeep.data import augmentation
from widedeep.names import random_seed
from widedeep.networks import tracing
from widedeep.networks.build import build_for
from widedeep.networks.precision import full_float32, widest
from widedeep.runtime.errors import UserError
from widedeep.training import feed
from widedeep.training.optimizer import SGD
from widedeep.training.recipe import epochs_between_evaluations

# Convolutions with fewer output channels are refused; see refuse_few_channels.
_FEWEST_CHANNELS = 8
# Pixels of the images that a GPU evaluates at once; with few of them it waits for the host.
_PIXELS_AT_ONCE = 1 << 20


class Training:
    """The state of one network's training: weights, optimiser, position and history.

    No random state is kept between steps. The order of an epoch, the crops of a step and the network's own random
    numbers, as of dropout, follow from the network's name, the epoch and the step. So a resumed training needs only its
    position (epoch, step).

    side_by_side.run takes the steps: `begin_epoch`, then `take_step` and `count_step` until `epoch_is_over`, then
    `finish_epoch`, until `is_finished`.

    Args:
        network: on the device of `train`, with initial weights.
        train, test: (images, labels) of `examples_on`.
        recipe: recipe.Recipe.
        name: label of the network, which seeds all random numbers, as `digits-resnet14-w1-f100/seed1`.
        group: distributed.Group of the processes that train it, each on its share of every batch.

    Attributes:
        epoch, step: completed epochs, and completed steps of the current one.
        history: list of dicts, one for each epoch: columns of history.csv.
        epoch_seconds: list of the seconds of each epoch.
        feed: feed.InMemory or feed.Streamed.

    Raises:
        UserError: the batch is larger than the training set or not a multiple of the processes, or mixed precision is
            asked for without cuda.
    """

    def __init__(self, network, train, test, recipe, name, group):
        device = group.device
        if recipe.batch_size > len(train[1]):
            raise UserError(
                f"training.batch_size {recipe.batch_size} is larger than the training set of {name} "
                f"({len(train[1])} examples); use a smaller batch or a larger fraction."
            )
        if recipe.mixed_precision and device.type != "cuda":
            raise UserError(f"training.mixed_precision needs a cuda device, and this is {device.type}; switch it off.")
        if recipe.batch_size % group.size:
            raise UserError(
                f"training.batch_size {recipe.batch_size} is not a multiple of the {group.size} processes that train "
                f"{name}; change one of them."
            )
        self.network, self.recipe, self.name, self.device, self.group = network, recipe, name, device, group
        self._parallel = group.parallel(network)
        self.train, self.test = train, test
        self.feed = feed.feeding(*train, recipe, group, self._generator)
        self.optimizer = _sgd(network, recipe)
        self.epoch, self.step = 0, 0
        self.history, self.epoch_seconds = [], []
        self._seconds = 0.0
        # Summed on the device and read once an epoch: reading the loss at each step would stall a GPU.
        self._sums = torch.zeros(2, dtype=widest(device), device=device)
        # On the device, since a graph cannot take a number from the host.
        self._learning_rate = torch.zeros((), dtype=_rate_type(device), device=device)

    @property
    def steps_per_epoch(self):
        """Number of complete batches in the training set."""
        return len(self.train[1]) // self.recipe.batch_size

    @property
    def epoch_is_over(self):
        """Whether all steps of the current epoch are taken."""
        return self.step == self.steps_per_epoch

    @property
    def is_finished(self):
        """Whether all epochs are completed."""
        return self.epoch == self.recipe.epochs

    def begin_epoch(self):
        """Make the batches of the current epoch ready, from the current step on."""
        self.network.train()
        self.feed.begin(self.epoch, self.step)
        self._set_learning_rate()

    def take_step(self, seeding=True):
        """Train on the next batch.

        Args:
            seeding: whether torch is seeded for the network's own random numbers, as of dropout. Without it, this needs
                nothing of the host.
        """
        if seeding:
            # They differ between processes.
            _seed_torch(self.device, random_seed(self.name, "dropout", self.epoch, self.step, self.group.rank))
        batch, labels = self.feed.batch()
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.mixed_precision):
            logits = self._parallel(batch)
            loss = functional.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        loss.backward()
        self.optimizer.step(self._learning_rate)
        correct = (logits.detach().argmax(1) == labels).sum()
        self._sums += torch.stack([loss.detach().to(self._sums.dtype), correct.to(self._sums.dtype)])

    def count_step(self, seconds):
        """Count a step that was taken, and its seconds."""
        self.step += 1
        self._seconds += seconds
        if self.recipe.schedule == "step" and not self.epoch_is_over:
            self._set_learning_rate()

    def finish_epoch(self):
        """Read this epoch's loss and accuracy, evaluate where it is time, and go to the next epoch.

        Raises:
            UserError: the loss is not finite.
        """
        started = time.monotonic()
        if self.epoch + 1 < self.recipe.epochs:
            self.feed.draw_ahead(self.epoch + 1)
        loss, accuracy = self._loss_and_accuracy(self.group.mean(self._sums))
        if not math.isfinite(loss):
            raise UserError(
                f"{self.name}: the training loss is {loss} in epoch {self.epoch + 1} of {self.recipe.epochs}, so no "
                "weights are written; lower training.learning_rate."
            )
        test_loss = test_accuracy = math.nan
        if self._is_evaluated():
            test_loss, test_accuracy = evaluate(self.network, *self.test, self.recipe.batch_size)
        self.history.append(
            {
                "epoch": self.epoch + 1,
                "learning_rate": self._rate_now(),
                "train_loss": loss,
                "train_accuracy": accuracy,
                "test_loss": test_loss,
                "test_accuracy": test_accuracy,
            }
        )
        # Not in the history, which is the same in every run.
        self.epoch_seconds.append(round(self._seconds + time.monotonic() - started, 3))
        self.epoch, self.step, self._seconds = self.epoch + 1, 0, 0.0
        self._sums.zero_()

    def state(self):
        """Return the state for `restore`, in types that `torch.load(weights_only=True)` accepts."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "sums": self._sums,
            "seconds": self._seconds,
            "history": self.history,
            "epoch_seconds": self.epoch_seconds,
        }

    def restore(self, state):
        """Go on from a state of `state`, before `begin_epoch`. All tensors stay where they are."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]
        self._sums.copy_(state["sums"])
        self._seconds = state["seconds"]
        self.history, self.epoch_seconds = state["history"], state["epoch_seconds"]

    @full_float32()
    def metrics(self):
        """Return loss and accuracy on the training and the test images, without augmentation, as a dict.

        Raises:
            UserError: a loss is not finite, as after a last step that is too long.
        """
        train_loss, train_accuracy = evaluate(self.network, *self.train, self.recipe.batch_size)
        test_loss, test_accuracy = evaluate(self.network, *self.test, self.recipe.batch_size)
        if not math.isfinite(train_loss + test_loss):
            raise UserError(
                f"{self.name}: the losses of the trained network are {train_loss} on training and {test_loss} on test "
                "images, so no weights are written; lower training.learning_rate."
            )
        return {
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
        }

    def running_loss_and_accuracy(self):
        """Return mean cross-entropy and accuracy over this epoch's steps so far; waits for the device."""
        return self._loss_and_accuracy(self._sums)

    def _loss_and_accuracy(self, sums):
        loss, correct = (sums / max(self.step, 1)).tolist()
        return loss, correct * self.group.size / self.recipe.batch_size

    def _is_evaluated(self):
        """Return whether this epoch ends with an evaluation: the last one does, and every n-th."""
        every = epochs_between_evaluations(len(self.train[1]), len(self.test[1]))
        return self.epoch + 1 == self.recipe.epochs or (self.epoch + 1) % every == 0

    def _rate_now(self):
        progress = self.epoch + (self.step / self.steps_per_epoch if self.recipe.schedule == "step" else 0)
        return self.recipe.learning_rate / 2 * (1 + math.cos(math.pi * progress / self.recipe.epochs))

    def _set_learning_rate(self):
        self._learning_rate.fill_(self._rate_now())

    def _generator(self, purpose, *position):
        return torch.Generator().manual_seed(random_seed(self.name, purpose, *position))


def refuse_few_channels(network, name):
    """Refuse a network with a convolution of fewer than 8 output channels.

    In channels_last layout the backward pass of such a convolution in torch 2.14.1 writes beyond its memory (seen on
    CPUs). The training crashes, or goes on with corrupted memory.

    Raises:
        UserError: there is such a convolution.
    """
    fewest = min((m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)), default=_FEWEST_CHANNELS)
    if fewest < _FEWEST_CHANNELS:
        raise UserError(
            f"{name}: has a convolution of {fewest} channels, and torch corrupts memory when it trains fewer than "
            f"{_FEWEST_CHANNELS}; choose a larger width."
        )


@torch.no_grad()
def check_network(network, name, image_shape, classes, device):
    """Refuse a network that cannot be evaluated, or whose layers cannot be followed, before it is trained.

    Args:
        network: on `device`; it is left in evaluation mode.
        name: label of the network, for the message.
        image_shape: (channels, height, width).
        classes: number of classes.
        device: torch.device.

    Raises:
        UserError: its output does not have the shape (batch, classes), it has no layers, or see tracing.described.
    """
    network.eval()
    answer = network(torch.zeros(2, *image_shape, device=device))
    found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
    if found != (2, classes):
        raise UserError(
            f"{name}: the network returns {found} for 2 images, and must return logits of shape (2, {classes}); "
            "correct the file of its family."
        )
    layers = tracing.layers_of(network)
    if not layers:
        raise UserError(
            f"{name}: the network has no layers, as no operation is a module; correct the file of its family."
        )
    try:
        tracing.described(network, layers, image_shape, device)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def training_of(network_name, image_shape, train, test, classes, recipe, group):
    """The Training of one network of the grid, at its beginning.

    Args:
        network_name: names.Network, whose label seeds initial weights, order, augmentation and dropout.
        image_shape: (channels, height, width).
        train, test: (images, labels) of `examples_on`.
        classes: number of classes.
        recipe: recipe.Recipe.
        group: distributed.Group.

    Raises:
        UserError: see check_network and Training.
    """
    name = str(network_name)
    generator = torch.Generator().manual_seed(random_seed(name, "init"))
    configuration, momentum = network_name.configuration, recipe.batchnorm_momentum
    network = build_for(configuration, image_shape, classes, momentum, generator)
    refuse_few_channels(network, name)
    network.to(group.device, memory_format=torch.channels_last)
    check_network(network, name, image_shape, classes, group.device)
    return Training(network, train, test, recipe, name, group)


@torch.inference_mode()
def evaluate(network, images, labels, batch_size):
    """Return mean cross-entropy and accuracy in evaluation mode; the network's mode is restored.

    Args:
        network: torch.nn.Module.
        images: of augmentation.on_device, on the network's device.
        labels: int64 (examples,), on the network's device.
        batch_size: images in a forward pass.

    Returns:
        (loss, accuracy) as floats
    """
    was_training = network.training
    network.eval()
    sums = torch.zeros(2, dtype=widest(labels.device), device=labels.device)
    parts = torch.arange(len(labels), device=labels.device).split(_evaluated_at_once(images, batch_size))
    for indices, batch in zip(parts, augmentation.plain_batches(images, parts), strict=True):
        logits = network(batch)
        loss = functional.cross_entropy(logits, labels[indices], reduction="sum")
        sums += torch.stack([loss.to(sums.dtype), (logits.argmax(1) == labels[indices]).sum().to(sums.dtype)])
    network.train(was_training)
    loss, correct = sums.tolist()
    return loss / len(labels), correct / len(labels)


def _evaluated_at_once(images, batch_size):
    """How many images are evaluated in one forward pass: a batch, and more of small images on a GPU."""
    device = images.device
    height, width = images.shape[1:3] if isinstance(images, torch.Tensor) else images.shape[2:]
    return batch_size if device.type == "cpu" else max(batch_size, _PIXELS_AT_ONCE // (height * width))


def examples_on(split, device):
    """Return (images of augmentation.on_device, int64 labels (examples,)) of a dataset.Split, for a whole training."""
    return augmentation.on_device(split.images, device), torch.from_numpy(split.labels).to(device)


def _sgd(network, recipe):
    """Return the SGD of a recipe. Its decay of kernels is the gradient of l2 * ||w||^2: 2 l2 in torch's convention."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return SGD([(kernels, 2 * recipe.l2), (others, 0.0)], recipe.momentum)


def _seed_torch(device, seed):
    """Seed torch's global generators of the CPU and of `device`.

    torch.manual_seed does the same, but takes a millisecond a call where cuda is available and unused.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def _rate_type(device):
    """The type of the learning rate on a device: fused SGD takes float32 on GPUs, and any on the CPU."""
    return torch.float64 if device.type == "cpu" else torch.float32
