"""Accuracy of a trained network without some of its residual blocks (paper, section 5.2 and figure 4).

A residual block is deleted by passing its input on unchanged. All names of residual blocks are those of their modules,
as `stage2.block3`.
"""

import re

import torch

from widedeep.data import augmentation
from widedeep.networks.precision import full_float32
from widedeep.runtime.errors import UserError
from widedeep.training import loop

_RESIDUAL_BLOCK = re.compile(r"stage\d+\.block\d+")
ALONE, FROM_THE_END = "alone", "from the end"
# Most activations in one run of a residual block, 64 MB; several variants run together up to it.
_AT_ONCE = 1 << 24


@full_float32()
@torch.inference_mode()
def accuracies(network, names, split, batch_size, device):
    """Accuracy of a network and of all its variants without some residual blocks.

    Args:
        network: torch.nn.Module in evaluation mode, on `device`.
        names: names of the residual blocks to delete, from `deletable`.
        split: dataset.Split to classify.
        batch_size: images per forward pass.
        device: torch.device.

    Returns:
        list of dicts with `deletion` (none, alone, from the end), `stage` and `block` of the first residual block that
        is deleted, `deleted` (number of residual blocks) and `accuracy`
    """
    images, labels = loop.examples_on(split, device)
    tried = [("none", []), *variants(names)]
    correct = torch.zeros(len(tried), dtype=torch.int64, device=device)
    parts = torch.arange(len(labels), device=device).split(batch_size)
    for indices, batch in zip(parts, augmentation.plain_batches(images, parts), strict=True):
        answers = classes_of(network, batch, [deleted for _, deleted in tried])
        correct += (answers == labels[indices]).sum(dim=1)
    return [
        {"deletion": how, **place_of(deleted), "deleted": len(deleted), "accuracy": accuracy}
        for (how, deleted), accuracy in zip(tried, (correct.cpu().double() / len(labels)).tolist(), strict=True)
    ]


def classes_of(network, batch, deletions):
    """Classes that a network predicts without each of several sets of residual blocks.

    Each variant starts from the input of its first deleted residual block, so that all before it is computed once. A
    residual block runs once for several variants, whose activations are put together to one batch.

    Args:
        network: torch.nn.Module in evaluation mode.
        batch: (images, channels, height, width) float32 tensor.
        deletions: list of lists of names of residual blocks, each in forward order; [] is the whole network.

    Returns:
        (deletions, images) int64 tensor
    """
    whole, apart = network.stem(batch), {}  # apart: the variants that differ by now, by their place in `deletions`
    for name, module in residual_blocks(network).items():
        passing = [place for place in apart if name not in deletions[place]]
        apart.update((place, whole) for place, names in enumerate(deletions) if names and names[0] == name)
        whole, *passed = _run(module, [whole, *(apart[place] for place in passing)])
        apart.update(zip(passing, passed, strict=True))
    every = _run(lambda x: _logits(network, x), [apart.get(place, whole) for place in range(len(deletions))])
    return torch.stack([logits.argmax(dim=1) for logits in every])


def _run(module, inputs):
    """Outputs of a module for several inputs of one shape, of which it sees as many at once as are _AT_ONCE numbers."""
    together, outputs = max(1, _AT_ONCE // inputs[0].numel()), []
    for first in range(0, len(inputs), together):
        part = inputs[first : first + together]
        outputs += module(torch.cat(part)).split(len(part[0])) if len(part) > 1 else [module(part[0])]
    return outputs


def variants(names):
    """List the deletions of figure 4: each residual block alone, then 1, 2, 3, ... from the end of each stage.

    Args:
        names: names of residual blocks, in forward order.

    Yields:
        (ALONE or FROM_THE_END, names of the residual blocks to delete)
    """
    yield from ((ALONE, [name]) for name in names)
    for stage in dict.fromkeys(position(name)[0] for name in names):
        of_stage = [name for name in names if position(name)[0] == stage]
        yield from ((FROM_THE_END, of_stage[first:]) for first in reversed(range(len(of_stage))))


def residual_blocks(network):
    """Return the residual blocks of a network, a dict from name to module in forward order."""
    return {name: module for name, module in network.named_modules() if _RESIDUAL_BLOCK.fullmatch(name)}


@torch.inference_mode()
def deletable(network, image_shape, device):
    """Names of the residual blocks that can be deleted, in forward order: those that keep the shape of their input.

    Others, such as the first ones of stages 2 and 3, change the shape, so their input cannot take the place of their
    output.

    Args:
        network: torch.nn.Module in evaluation mode, on `device`.
        image_shape: (channels, height, width).
        device: torch.device.

    Raises:
        UserError: the network is not the sequence of its stem, its residual blocks `stage1.block1` and so on, its pool
            and its logits.
    """
    if missing := [name for name in ("stem", "pool", "logits") if not hasattr(network, name)]:
        _refuse(f"has no {' and no '.join(missing)}")
    batch = torch.rand(2, *image_shape, generator=torch.Generator().manual_seed(0)).to(device)
    answer, found = network(batch), []
    try:
        x = network.stem(batch)
        for name, module in residual_blocks(network).items():
            before, x = x.shape, module(x)
            if x.shape == before:
                found.append(name)
        alike = torch.allclose(_logits(network, x), answer, rtol=1e-3, atol=1e-4, equal_nan=True)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        _refuse(f"fails when its modules run in that order ({error})")
    if not alike:
        _refuse("gives other logits when its modules run in that order")
    return found


def _refuse(why):
    raise UserError(
        "figure 4 deletes residual blocks of networks that run stem, blocks, pool, flatten and logits in this order; "
        f"this network {why}; change its family's file or leave out figure 4."
    )


def _logits(network, x):
    """Logits computed from the last residual block's output."""
    return network.logits(network.pool(x).flatten(1))


def place_of(names):
    """Stage and number of the first deleted residual block, a dict; zeros if none is deleted."""
    stage, block = position(names[0]) if names else (0, 0)
    return {"stage": stage, "block": block}


def position(name):
    """(2, 3) for `stage2.block3`."""
    stage, block = name.split(".")
    return int(stage.removeprefix("stage")), int(block.removeprefix("block"))
