"""Linear probes on the layers of a frozen network (paper, section 5.2 and figure 4), all trained in the same passes."""

import math

import torch
from torch import nn
from torch.nn import functional

from widedeep.data import augmentation
from widedeep.names import random_seed
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import Interrupted
from widedeep.training import feed, loop, side_by_side
from widedeep.training.distributed import Group
from widedeep.training.optimizer import SGD


def probed(network):
    """Return the layers that get a probe: each residual block's addition, and its last batch norm before that.

    Returns:
        list of tracing.Layer in forward order

    Raises:
        UserError: the network has no residual blocks, or they have neither of these layers.
    """
    layers = [layer for layer in tracing.layers_of(network) if layer.block and ".shortcut." not in layer.name]
    if not layers:
        raise UserError("figure 4 needs networks with residual blocks, modules named stage1.block1 and so on.")
    last_norms = {(layer.stage, layer.block): layer for layer in layers if layer.kind == "bn"}
    chosen = [layer for layer in layers if layer.kind == "add" or layer in last_norms.values()]
    if not chosen:
        raise UserError(
            "figure 4 needs residual blocks with an addition (networks.modules.Add) or a batch norm, and those of this "
            "network have neither; change its family's file or leave out figure 4."
        )
    return chosen


class Probes:
    """One dense layer on the flattened output of each chosen layer; the network itself does not change.

    A probe's initial weights and the images of a step depend only on the names of network and layer. So a probe learns
    the same alone and among others, and training can resume at any (epoch, step).

    Args:
        network: torch.nn.Module in evaluation mode, on `device`.
        layers: list of tracing.Layer.
        train, test: dataset.Split.
        classes: number of classes.
        recipe: probe_options.ProbeRecipe.
        name: label of the network, as `digits-resnet14-w1-f100/seed1`.
        device: torch.device.

    Raises:
        UserError: the batch is larger than the training set; see also tracing.described.
    """

    def __init__(self, network, layers, train, test, classes, recipe, name, device):
        if recipe.batch_size > len(train.labels):
            raise UserError(
                f"probes.batch_size {recipe.batch_size} is larger than the training set of {name} "
                f"({len(train.labels)} examples); use a smaller batch."
            )
        self.network, self.layers, self.recipe, self.name, self.device = network, layers, recipe, name, device
        self.group = Group(device)
        self.train, self.test = loop.examples_on(train, device), loop.examples_on(test, device)
        self.feed = feed.feeding(*self.train, recipe, self.group, self._generator)
        infos = tracing.described(network, layers, train.images.shape[1:], device)
        self.heads = nn.ModuleList(self._head(info, classes) for info in infos).to(device)
        self._classes = torch.arange(classes, device=device)
        self.optimizer = SGD([(self.heads.parameters(), 0.0)], recipe.momentum)
        self.epoch, self.step = 0, 0
        # Test accuracies after half of the epochs, which show whether the probes still learn; unknown until then.
        self.at_half = torch.full((len(layers),), math.nan, dtype=torch.float64)

    def run(self, after_step):
        """Train to the end, or until `after_step(self)` raises. It is called between steps, when `state` is complete.

        Raises:
            UserError: a probe's weights are not finite.
        """
        side_by_side.run([self], lambda _running: after_step(self))
        finite = torch.stack([head.weight.isfinite().all() for head in self.heads]).tolist()
        for layer, known in zip(self.layers, finite, strict=True):
            if not known:
                raise UserError(
                    f"{self.name}: the probe on {layer.name} did not stay finite; lower probes.learning_rate."
                )

    # What side_by_side.run and graph.captured ask of a training; see loop.Training.

    @property
    def epoch_is_over(self):
        return self.step == len(self.train[1]) // self.recipe.batch_size

    @property
    def is_finished(self):
        return self.epoch == self.recipe.epochs

    def begin_epoch(self):
        self.feed.begin(self.epoch, self.step)

    def take_step(self, seeding=True):
        """Train all probes on the next batch. The network draws no random numbers, so `seeding` changes nothing."""
        del seeding
        batch, labels = self.feed.batch()
        self._train_on(batch, labels)

    def count_step(self, _seconds):
        self.step += 1

    def finish_epoch(self):
        self.epoch, self.step = self.epoch + 1, 0
        if self.epoch == self.recipe.epochs // 2:
            self.at_half = torch.tensor(self._accuracies(*self.test), dtype=torch.float64)

    def state(self):
        """Return all that `restore` needs, in types that `torch.load(weights_only=True)` accepts."""
        learned = {"heads": self.heads.state_dict(), "optimizer": self.optimizer.state_dict(), "at_half": self.at_half}
        return {**learned, "epoch": self.epoch, "step": self.step}

    def restore(self, state):
        """Go on from a state that `state` returned."""
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.at_half = state["at_half"]
        self.epoch, self.step = state["epoch"], state["step"]

    def accuracies(self):
        """Return the lines of probes.csv, one dict per probe in forward order.

        Keys: layer, kind, stage, block, features, train_accuracy, test_accuracy, test_accuracy_at_half. The last one is
        after half of the epochs, rounded down; NaN if there is only one epoch.
        """
        train, test = (self._accuracies(*part) for part in (self.train, self.test))
        accuracies = zip(self.layers, self.heads, train, test, self.at_half.tolist(), strict=True)
        return [
            {
                "layer": layer.name,
                "kind": layer.kind,
                "stage": layer.stage,
                "block": layer.block,
                "features": head.in_features,
                "train_accuracy": train_accuracy,
                "test_accuracy": test_accuracy,
                "test_accuracy_at_half": at_half,
            }
            for layer, head, train_accuracy, test_accuracy, at_half in accuracies
        ]

    def _train_on(self, batch, labels):
        # functional.one_hot looks at the labels, for which the host waits.
        wanted = (labels[:, None] == self._classes).float()

        def learn(index, output):
            # Here, and not after the forward pass, so that memory holds the activations of one layer. The gradient of
            # the cross-entropy is written out: autograd takes five times as many kernels for it.
            head, inputs = self.heads[index], self._features(output)
            errors = (functional.softmax(head(inputs), dim=1) - wanted) / len(labels)  # (batch, classes)
            head.weight.grad, head.bias.grad = errors.mT @ inputs, errors.sum(dim=0)

        with torch.no_grad(), tracing.watching(self.layers, learn):
            self.network(batch)
        self.optimizer.step(self.recipe.learning_rate)

    @torch.no_grad()
    @full_float32()
    def _accuracies(self, images, labels):
        """Accuracy of each probe on images without augmentation, a list of floats."""
        correct = torch.zeros(len(self.layers), dtype=torch.int64, device=self.device)
        parts = torch.arange(len(labels), device=self.device).split(self.recipe.batch_size)
        for indices, batch in zip(parts, augmentation.plain_batches(images, parts), strict=True):

            def count(index, output, known=labels[indices]):
                correct[index] += (self.heads[index](self._features(output)).argmax(1) == known).sum()

            with tracing.watching(self.layers, count):
                self.network(batch)
        return (correct.cpu().double() / len(labels)).tolist()

    def _features(self, output):
        return tracing.features(functional.max_pool2d(output, 2) if self.recipe.pool else output).float()

    def _head(self, layer, classes):
        """A dense layer with Glorot-uniform weights and zero bias: Keras' default, which the authors use."""
        head = nn.Linear(self._features(torch.zeros(1, *layer.shape)).shape[1], classes)
        generator = torch.Generator().manual_seed(random_seed(self.name, "probe", layer.name))
        nn.init.xavier_uniform_(head.weight, generator=generator)
        nn.init.zeros_(head.bias)
        return head

    def _generator(self, purpose, *position):
        return torch.Generator().manual_seed(random_seed(self.name, "probes", purpose, *position))


def after_step(checkpoint, stop, clock, attempt):
    """Return the function that Probes.run calls after each step.

    It writes a checkpoint when the clock says so, and when a stop signal came; then it raises Interrupted.

    Args:
        checkpoint: checkpoint.Checkpoint.
        stop: interruption.StopSignal.
        clock: interruption.Clock.
        attempt: provenance.Attempt, recorded in the checkpoint.
    """

    def call(probes):
        if stop.name or clock.is_due():
            checkpoint.save(probes.state(), attempt.so_far())
        if stop.name:
            raise Interrupted

    return call
