"""Residual blocks taken out of a trained network (paper, figure 4): what each of them is worth."""

import contextlib

from torch import nn

from widedeep import augmentation, training

ALONE, FROM_THE_END = "alone", "from the end"


def accuracies(network, split, batch_size, device):
    """Accuracy of a network and of all its variants without some blocks.

    A block that changes the shape of its input, as the first of stages 2 and 3, has no identity to leave and stays.

    Args:
        network: in evaluation mode, on `device`; it is as before afterwards.
        split: data.Split to classify.
        batch_size: images a forward pass.
        device: torch.device.

    Returns:
        list of dicts with `deletion` (none, alone, from the end), `stage`, `block` (the first that is missing),
        `deleted` (how many) and `accuracy`.
    """
    images, labels = augmentation.on_device(split.images, device), training.labels_on(split, device)
    lines = []
    for how, names in [("none", []), *variants(network)]:
        with without(network, names):
            _, accuracy = training.evaluate(network, images, labels, batch_size)
        stage, block = position(names[0]) if names else (0, 0)
        lines.append({"deletion": how, "stage": stage, "block": block, "deleted": len(names), "accuracy": accuracy})
    return lines


def variants(network):
    """(how, names of the blocks to delete) of every variant: each block alone, and 2, 3, ... from a stage's end on."""
    blocks = deletable(network)
    yield from ((ALONE, [name]) for name in blocks)
    for stage in dict.fromkeys(position(name)[0] for name in blocks):
        names = [name for name in blocks if position(name)[0] == stage]
        yield from ((FROM_THE_END, names[first:]) for first in reversed(range(len(names))))


def deletable(network):
    """Names of the blocks whose output has the shape of their input, in forward order."""
    return [
        name
        for name, module in network.named_modules()
        if hasattr(module, "conv2") and module.conv1.stride == (1, 1) and keeps_channels(module)
    ]


def keeps_channels(block):
    return block.conv1.in_channels == block.conv2.out_channels


def position(name):
    """(stage, block) of `stage2.block3`."""
    stage, block = name.split(".")
    return int(stage.removeprefix("stage")), int(block.removeprefix("block"))


@contextlib.contextmanager
def without(network, names):
    """While the block runs, the named modules of the network pass their input on."""
    deleted = {name: network.get_submodule(name) for name in names}
    for name in deleted:
        network.set_submodule(name, nn.Identity())
    try:
        yield network
    finally:
        for name, module in deleted.items():
            network.set_submodule(name, module)
