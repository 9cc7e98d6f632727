"""Random crops with reflection padding, and random flips, computed for a whole batch at once.

Streamed images get random resized crops instead (streaming.py).
"""

import numpy as np
import torch

from widedeep.data.streaming import channels_last, scaled


def crop_padding(size):
    """Return the pixels of reflection padding on each side: an eighth of the image, 4 on the paper's 32 x 32 images."""
    return size // 8


def on_device(images, device):
    """Return the images of a dataset.Split on `device`, in the form that the functions of this module take.

    Args:
        images: uint8 (examples, channels, height, width) array, or streaming.StoredImages or streaming.ImageFiles.
        device: torch.device.

    Returns:
        uint8 (examples, height, width, channels) tensor; streamed images as the same class, with their batches on
        `device`
    """
    if isinstance(images, np.ndarray):
        return channels_last(images).to(device)
    return images.to(device)


def plain_batches(images, parts):
    """Yield the images of each part unchanged, scaled to [0, 1].

    Args:
        images: from `on_device`.
        parts: list of int64 tensors of indices, one for each batch.

    Yields:
        float32 (batch, channels, height, width), in channels_last layout
    """
    if isinstance(images, torch.Tensor):
        yield from (plain(images, part) for part in parts)
    else:
        yield from images.plain_batches(parts)


def drawn_crops(batch, size, flip, generator):
    """Draw the random crops of a batch.

    Args:
        batch: number of images.
        size: (height, width) of the images, and of their crops.
        flip: whether a random half of the images is mirrored left to right.
        generator: torch.Generator on the CPU, so that the numbers do not depend on the device.

    Returns:
        (rows, columns, mirrored) on the CPU: int64 (batch,) offsets of the crops in the padded images, bool (batch,)
    """
    rows, columns = (
        torch.randint(0, 2 * crop_padding(side) + 1, (batch, 1), generator=generator)[:, 0] for side in size
    )
    mirrored = torch.rand(batch, 1, generator=generator)[:, 0] < 0.5 if flip else torch.zeros(batch, dtype=torch.bool)
    return rows, columns, mirrored


def cropped(images, indices, rows, columns, mirrored):
    """Return crops of images, gathered directly from the data set; all arguments are on one device.

    Reflection padding, cropping and mirroring only choose source pixels, so one gather does all three.

    Args:
        images: uint8 (examples, height, width, channels).
        indices: int64 (batch,), the examples of the batch.
        rows, columns, mirrored: see `drawn_crops`.

    Returns:
        float32 (batch, channels, height, width) in [0, 1], in channels_last layout
    """
    height, width = images.shape[1:3]
    rows, columns = _shifted(height, rows), _shifted(width, columns)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    return scaled(images[indices[:, None, None], rows[:, :, None], columns[:, None, :]])


def plain(images, indices):
    """Return a batch of images unchanged; arguments and result as in `cropped`."""
    return scaled(images[indices])


def _shifted(size, offsets):
    """Return the source positions (batch, size) of crops at `offsets` (batch,) of an axis padded by reflection."""
    positions = (torch.arange(size, device=offsets.device) + offsets[:, None] - crop_padding(size)).abs()
    return torch.where(positions < size, positions, 2 * (size - 1) - positions)
