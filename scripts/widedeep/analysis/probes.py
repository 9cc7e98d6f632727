"""Linear probes on the layers of a frozen network (paper, figure 4), all trained in the same passes over the data."""

import torch
from torch import nn
from torch.nn import functional

from widedeep.data import augmentation
from widedeep.names import random_seed
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import Interrupted
from widedeep.training import loop
from widedeep.training.optimizer import SGD


def probed(network):
    """The layers (tracing.Layer) with a probe: each block's last batch norm before its addition, and the addition.

    Raises:
        UserError: the network has no blocks, or they have neither.
    """
    layers = [layer for layer in tracing.layers_of(network) if layer.block and ".shortcut." not in layer.name]
    if not layers:
        raise UserError("figure 4 needs networks with residual blocks, modules named stage1.block1 and so on.")
    last_norms = {(layer.stage, layer.block): layer for layer in layers if layer.kind == "bn"}
    chosen = [layer for layer in layers if layer.kind == "add" or layer in last_norms.values()]
    if not chosen:
        raise UserError(
            "figure 4 needs blocks with an addition (models.Add) or a batch norm; these have no such module."
        )
    return chosen


class Probes:
    """One dense layer on the flattened output of each of `layers`; the network itself is never changed.

    A probe's weights and the images of a step follow from the network's name and the layer's, so a probe learns the
    same alone as among others, and training can go on from (epoch, step).

    Args:
        network: in evaluation mode, on `device`.
        layers: list of tracing.Layer.
        train, test: data.Split.
        classes: number of classes.
        recipe: recipe.ProbeRecipe.
        name: of the network, as `digits-resnet14-w1-f100/seed1`.
        device: torch.device.

    Raises:
        UserError: the batch is larger than the training set, or see tracing.described.
    """

    def __init__(self, network, layers, train, test, classes, recipe, name, device):
        if recipe.batch_size > len(train.labels):
            raise UserError(
                f"probes.batch_size {recipe.batch_size} is larger than the training set of {name} "
                f"({len(train.labels)} examples); use a smaller batch."
            )
        self.network, self.layers, self.recipe, self.name, self.device = network, layers, recipe, name, device
        self.train = augmentation.on_device(train.images, device), loop.labels_on(train, device)
        self.test = augmentation.on_device(test.images, device), loop.labels_on(test, device)
        infos = tracing.described(network, layers, train.images.shape[1:], device)
        self.heads = nn.ModuleList(self._head(info, classes) for info in infos).to(device)
        self.optimizer = SGD([(self.heads.parameters(), 0.0)], recipe.momentum)
        self.epoch, self.step = 0, 0

    def run(self, after_step):
        """Train to the end, or until `after_step(self)` raises; it is called between steps, where the state is whole.

        Raises:
            UserError: a probe's weights are not finite.
        """
        images, labels = self.train
        batch_size = self.recipe.batch_size
        while self.epoch < self.recipe.epochs:
            order = torch.randperm(len(labels), generator=self._generator("order")).to(self.device)
            parts = order.split(batch_size)[self.step : len(labels) // batch_size]
            generators = [self._generator("augmentation", self.step + ahead) for ahead in range(len(parts))]
            batches = augmentation.augmented_batches(images, parts, self.recipe.flip, generators)
            for indices, batch in zip(parts, batches, strict=True):
                self._train_on(batch, labels[indices])
                self.step += 1
                after_step(self)
            self.epoch, self.step = self.epoch + 1, 0
        for layer, head in zip(self.layers, self.heads, strict=True):
            if not head.weight.isfinite().all():
                raise UserError(
                    f"{self.name}: the probe on {layer.name} did not stay finite; lower probes.learning_rate."
                )

    def state(self):
        """All that `restore` needs, in types that `torch.load(weights_only=True)` accepts."""
        position = {"epoch": self.epoch, "step": self.step}
        return {"heads": self.heads.state_dict(), "optimizer": self.optimizer.state_dict(), **position}

    def restore(self, state):
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]

    def accuracies(self):
        """A line a probe, in forward order: layer, kind, stage, block, features, train_accuracy, test_accuracy."""
        train, test = (self._accuracies(*part) for part in (self.train, self.test))
        return [
            {
                "layer": layer.name,
                "kind": layer.kind,
                "stage": layer.stage,
                "block": layer.block,
                "features": head.in_features,
                "train_accuracy": train_accuracy,
                "test_accuracy": test_accuracy,
            }
            for layer, head, train_accuracy, test_accuracy in zip(self.layers, self.heads, train, test, strict=True)
        ]

    def _train_on(self, batch, labels):
        self.optimizer.zero_grad()

        def learn(index, output):
            # At once, so that one layer's activations are held at a time.
            with torch.enable_grad():
                functional.cross_entropy(self.heads[index](self._features(output)), labels).backward()

        with torch.no_grad(), tracing.watching(self.layers, learn):
            self.network(batch)
        self.optimizer.step(self.recipe.learning_rate)

    @torch.no_grad()
    @full_float32()
    def _accuracies(self, images, labels):
        """(probes,) list of shares of right answers on plain images."""
        correct = torch.zeros(len(self.layers), dtype=torch.int64, device=self.device)
        parts = torch.arange(len(labels), device=self.device).split(self.recipe.batch_size)
        for indices, batch in zip(parts, augmentation.plain_batches(images, parts), strict=True):

            def count(index, output, known=labels[indices]):
                correct[index] += (self.heads[index](self._features(output)).argmax(1) == known).sum()

            with tracing.watching(self.layers, count):
                self.network(batch)
        return (correct.cpu().double() / len(labels)).tolist()

    def _features(self, output):
        return tracing.features(functional.max_pool2d(output, 2) if self.recipe.pool else output)

    def _head(self, layer, classes):
        """A dense layer with Glorot-uniform weights and zero bias, Keras' default, as the authors have it."""
        head = nn.Linear(self._features(torch.zeros(1, *layer.shape)).shape[1], classes)
        generator = torch.Generator().manual_seed(random_seed(self.name, "probe", layer.name))
        nn.init.xavier_uniform_(head.weight, generator=generator)
        nn.init.zeros_(head.bias)
        return head

    def _generator(self, purpose, *position):
        return torch.Generator().manual_seed(random_seed(self.name, "probes", purpose, self.epoch, *position))


def after_step(checkpoint, stop, clock, attempt):
    """What Probes.run calls: a checkpoint when it is time, and the end, with Interrupted, when told to stop.

    Args:
        checkpoint: Checkpoint.
        stop: interruption.StopSignal.
        clock: interruption.Clock.
        attempt: provenance.Attempt, which the checkpoint tells of.
    """

    def call(probes):
        if stop.name or clock.is_due():
            checkpoint.save(probes.state(), attempt.so_far())
        if stop.name:
            raise Interrupted

    return call
