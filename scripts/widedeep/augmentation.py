"""Random crops with reflection padding and random flips, drawn for each image, computed for the whole batch at once."""

import torch


def crop_padding(size):
    """Pixels of reflection padding: 4 on the 32 x 32 images of the paper, an eighth of the side elsewhere."""
    return size // 8


def on_device(images, device):
    """The uint8 (examples, channels, height, width) array of a data set as the functions here take it, on `device`."""
    return torch.from_numpy(images).permute(0, 2, 3, 1).contiguous().to(device)


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
    return _scaled(images[indices[:, None, None], rows[:, :, None], columns[:, None, :]])


def plain(images, indices):
    """The images as they are; same arguments and result as `augmented`."""
    return _scaled(images[indices])


def _shifted(size, offsets):
    """Source positions (batch, size) of a crop at `offsets` (batch, 1) from an axis that is padded by reflection."""
    positions = (torch.arange(size) + offsets - crop_padding(size)).abs()
    return torch.where(positions < size, positions, 2 * (size - 1) - positions)


def _scaled(images):
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255)
