"""Residual blocks taken out of a trained network (paper, figure 4): what each of them is worth."""

import re

import torch

from widedeep import augmentation, training
from widedeep.precision import full_float32

_BLOCK = re.compile(r"stage\d+\.block\d+")
ALONE, FROM_THE_END = "alone", "from the end"


@full_float32()
@torch.inference_mode()
def accuracies(network, split, batch_size, device):
    """Accuracy of a network and of all its variants without some blocks.

    A block that changes the shape of its input, as the first of stages 2 and 3, has no identity to leave and stays.

    Args:
        network: in evaluation mode, on `device`; a stem, blocks named `stage1.block1`, pool and logits.
        split: data.Split to classify.
        batch_size: images a forward pass.
        device: torch.device.

    Returns:
        list of dicts with `deletion` (none, alone, from the end), `stage`, `block` (the first that is missing),
        `deleted` (how many) and `accuracy`.
    """
    images, labels = augmentation.on_device(split.images, device), training.labels_on(split, device)
    tried = [("none", []), *variants(network)]
    correct = torch.zeros(len(tried), dtype=torch.int64, device=device)
    parts = torch.arange(len(labels), device=device).split(batch_size)
    for indices, batch in zip(parts, augmentation.plain_batches(images, parts), strict=True):
        answers = classes_of(network, batch, [names for _, names in tried])
        correct += (answers == labels[indices]).sum(dim=1)
    return [
        {"deletion": how, **place_of(names), "deleted": len(names), "accuracy": accuracy}
        for (how, names), accuracy in zip(tried, (correct.double() / len(labels)).tolist(), strict=True)
    ]


def classes_of(network, batch, deletions):
    """The classes that a network predicts without each of several sets of blocks.

    Each variant goes on from the input of its first missing block, so what lies before is computed once.

    Args:
        batch: float32 (images, channels, height, width).
        deletions: list of lists of names of blocks, each in forward order; an empty one is the whole network.

    Returns:
        (deletions, images) int64 tensor
    """
    blocks = blocks_of(network)
    inputs, x = {}, network.stem(batch)
    for name, block in blocks.items():
        inputs[name] = x
        x = block(x)
    whole, order, answers = x, list(blocks), []
    for names in deletions:
        x = inputs[names[0]] if names else whole
        following = order[order.index(names[0]) :] if names else []
        for name in following:
            if name not in names:
                x = blocks[name](x)
        answers.append(network.logits(network.pool(x).flatten(1)).argmax(dim=1))
    return torch.stack(answers)


def variants(network):
    """(how, names of the blocks to delete) of every variant: each block alone, and 2, 3, ... from a stage's end on."""
    blocks = deletable(network)
    yield from ((ALONE, [name]) for name in blocks)
    for stage in dict.fromkeys(position(name)[0] for name in blocks):
        names = [name for name in blocks if position(name)[0] == stage]
        yield from ((FROM_THE_END, names[first:]) for first in reversed(range(len(names))))


def blocks_of(network):
    """The residual blocks of a network by name, in forward order."""
    return {name: module for name, module in network.named_modules() if _BLOCK.fullmatch(name)}


def deletable(network):
    """Names of the blocks whose output has the shape of their input, in forward order."""
    return [name for name, block in blocks_of(network).items() if block.keeps_shape]


def place_of(names):
    """Where the first of the missing blocks was."""
    stage, block = position(names[0]) if names else (0, 0)
    return {"stage": stage, "block": block}


def position(name):
    """(stage, block) of `stage2.block3`."""
    stage, block = name.split(".")
    return int(stage.removeprefix("stage")), int(block.removeprefix("block"))
