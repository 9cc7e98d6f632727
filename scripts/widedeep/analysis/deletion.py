"""Residual blocks taken out of a trained network (paper, figure 4): what each of them is worth."""

import re

import torch

from widedeep.data import augmentation
from widedeep.networks.precision import full_float32
from widedeep.runtime.errors import UserError
from widedeep.training import loop

_BLOCK = re.compile(r"stage\d+\.block\d+")
ALONE, FROM_THE_END = "alone", "from the end"


@full_float32()
@torch.inference_mode()
def accuracies(network, blocks, split, batch_size, device):
    """Accuracy of a network and of all its variants without some blocks.

    Args:
        network: in evaluation mode, on `device`.
        blocks: names of those to delete, of `deletable`.
        split: data.Split to classify.
        batch_size: images a forward pass.
        device: torch.device.

    Returns:
        list of dicts with `deletion` (none, alone, from the end), `stage`, `block` (the first that is missing),
        `deleted` (how many) and `accuracy`.
    """
    images, labels = augmentation.on_device(split.images, device), loop.labels_on(split, device)
    tried = [("none", []), *variants(blocks)]
    correct = torch.zeros(len(tried), dtype=torch.int64, device=device)
    parts = torch.arange(len(labels), device=device).split(batch_size)
    for indices, batch in zip(parts, augmentation.plain_batches(images, parts), strict=True):
        answers = classes_of(network, batch, [names for _, names in tried])
        correct += (answers == labels[indices]).sum(dim=1)
    return [
        {"deletion": how, **place_of(names), "deleted": len(names), "accuracy": accuracy}
        for (how, names), accuracy in zip(tried, (correct.cpu().double() / len(labels)).tolist(), strict=True)
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
        answers.append(_logits(network, x).argmax(dim=1))
    return torch.stack(answers)


def variants(blocks):
    """(how, names of the blocks to delete) of every variant: each block alone, and 2, 3, ... from a stage's end on."""
    yield from ((ALONE, [name]) for name in blocks)
    for stage in dict.fromkeys(position(name)[0] for name in blocks):
        names = [name for name in blocks if position(name)[0] == stage]
        yield from ((FROM_THE_END, names[first:]) for first in reversed(range(len(names))))


def blocks_of(network):
    """The residual blocks of a network by name, in forward order."""
    return {name: module for name, module in network.named_modules() if _BLOCK.fullmatch(name)}


@torch.inference_mode()
def deletable(network, image_shape, device):
    """Names of the blocks whose output has the shape of their input, in forward order.

    The others, as the first of stages 2 and 3, have no identity to leave and stay.

    Args:
        network: in evaluation mode, on `device`.
        image_shape: (channels, height, width).
        device: torch.device.

    Raises:
        UserError: the network is not a stem, blocks named `stage1.block1`, pool and logits, one after the other.
    """
    if missing := [name for name in ("stem", "pool", "logits") if not hasattr(network, name)]:
        _refuse(f"has no {' and no '.join(missing)}")
    batch = torch.rand(2, *image_shape, generator=torch.Generator().manual_seed(0)).to(device)
    answer, found = network(batch), []
    try:
        x = network.stem(batch)
        for name, block in blocks_of(network).items():
            before, x = x.shape, block(x)
            if x.shape == before:
                found.append(name)
        alike = torch.allclose(_logits(network, x), answer, rtol=1e-3, atol=1e-4, equal_nan=True)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        _refuse(f"does not run so ({error})")
    if not alike:
        _refuse("answers something else when they run so")
    return found


def _refuse(why):
    raise UserError(
        "figure 4 deletes blocks of networks that are stem, blocks, pool, flatten and logits, one after the other; "
        f"this one {why}; change its family's file or leave out figure 4."
    )


def _logits(network, x):
    """What a network answers where its last block gave x."""
    return network.logits(network.pool(x).flatten(1))


def place_of(names):
    """Where the first of the missing blocks was."""
    stage, block = position(names[0]) if names else (0, 0)
    return {"stage": stage, "block": block}


def position(name):
    """(stage, block) of `stage2.block3`."""
    stage, block = name.split(".")
    return int(stage.removeprefix("stage")), int(block.removeprefix("block"))
