"""Random crops with reflection padding and random flips, drawn for each image, computed for the whole batch at once."""

import numpy as np
import torch

from widedeep.data.streaming import ImageFiles, channels_last, crops, scaled


def crop_padding(size):
    """Pixels of reflection padding: 4 on the 32 x 32 images of the paper, an eighth of the side elsewhere."""
    return size // 8


def on_device(images, device):
    """The images of a data.Split as the functions here take them, on `device`.

    Args:
        images: uint8 (examples, channels, height, width) array, or images that stay in their files (streaming).

    Returns:
        uint8 (examples, height, width, channels) tensor, or what streams them
    """
    if isinstance(images, np.ndarray):
        return channels_last(images).to(device)
    return images.to(device)


def plain_batches(images, parts):
    """The images of each part as they are, scaled to [0, 1].

    Args:
        images: of `on_device`.
        parts: list of int64 tensors of indices.

    Yields:
        float32 (batch, channels, height, width), in channels_last layout
    """
    if isinstance(images, torch.Tensor):
        yield from (plain(images, part) for part in parts)
    else:
        yield from images.plain_batches(parts)


def augmented_batches(images, parts, flip, generators, share=lambda batch: batch):
    """Randomly cropped (and mirrored) images of each part; same result as `plain_batches`.

    Args:
        images: of `on_device`.
        parts: list of int64 tensors of indices.
        flip: whether half of the images, at random, are mirrored left to right.
        generators: list of torch.Generator on the CPU, one a part.
        share: which of a part's images to yield; random numbers are drawn for all, so that they do not depend on it.
    """
    if isinstance(images, ImageFiles):
        random, _ = crops(images.size, flip)
        places = []
        for part, generator in zip(parts, generators, strict=True):
            seeds = torch.randint(2**62, (len(part),), generator=generator)
            places.append(list(zip(share(part).tolist(), share(seeds).tolist(), strict=True)))
        yield from images.batches(places, random)
    else:
        for part, generator in zip(parts, generators, strict=True):
            yield share(augmented(images, part, flip, generator))


def augmented(images, indices, flip, generator):
    """A batch of randomly shifted (and flipped) images, gathered straight from the data set.

    Padding by reflection, cropping and flipping all only choose source pixels, so one gather does the three.

    Args:
        images: uint8 (examples, height, width, channels).
        indices: int64 (batch,), which examples.
        flip: whether half of the images, at random, are mirrored left to right.
        generator: torch.Generator on the CPU, so that every device draws the same numbers.

    Returns:
        float32 (batch, channels, height, width) in [0, 1], in channels_last layout.
    """
    batch, (_, height, width, _) = len(indices), images.shape
    rows = _shifted(height, torch.randint(0, 2 * crop_padding(height) + 1, (batch, 1), generator=generator))
    columns = _shifted(width, torch.randint(0, 2 * crop_padding(width) + 1, (batch, 1), generator=generator))
    if flip:
        mirrored = torch.rand(batch, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    rows, columns = rows.to(images.device), columns.to(images.device)
    return scaled(images[indices[:, None, None], rows[:, :, None], columns[:, None, :]])


def plain(images, indices):
    """The images as they are; same arguments and result as `augmented`."""
    return scaled(images[indices])


def _shifted(size, offsets):
    """Source positions (batch, size) of a crop at `offsets` (batch, 1) from an axis that is padded by reflection."""
    positions = (torch.arange(size) + offsets - crop_padding(size)).abs()
    return torch.where(positions < size, positions, 2 * (size - 1) - positions)
