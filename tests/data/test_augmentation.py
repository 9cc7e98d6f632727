"""Vectorised augmentation against padding, cropping and flipping one image at a time."""

import numpy as np
import pytest
import small
import torch

from widedeep.data import augmentation


def images(n=5, height=16, width=24, channels=3):
    return torch.randint(0, 256, (n, height, width, channels), dtype=torch.uint8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_by_one(images, indices, flip, draw):
    """The definition: the same random numbers, then pad, crop and mirror each image."""
    _, height, width, _ = images.shape
    pad_y, pad_x = height // 8, width // 8
    tops = torch.randint(0, 2 * pad_y + 1, (len(indices), 1), generator=draw)
    lefts = torch.randint(0, 2 * pad_x + 1, (len(indices), 1), generator=draw)
    mirrored = torch.rand(len(indices), 1, generator=draw) < 0.5 if flip else torch.zeros(len(indices), 1)
    result = []
    for index, top, left, mirror in zip(indices, tops, lefts, mirrored, strict=True):
        padded = np.pad(images[index].numpy(), ((pad_y, pad_y), (pad_x, pad_x), (0, 0)), mode="reflect")
        crop = padded[int(top) : int(top) + height, int(left) : int(left) + width]
        crop = crop[:, ::-1] if mirror else crop
        result.append(torch.from_numpy(crop.transpose(2, 0, 1) / 255))
    return torch.stack(result).float()


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 24, 3), (32, 32, 3), (28, 28, 1)])
def test_equals_one_image_at_a_time(flip, shape):
    pixels, indices = images(6, *shape), torch.tensor([3, 0, 0, 5, 2, 1, 4])
    batch = small.augmented(pixels, indices, flip, generator())
    torch.testing.assert_close(batch, one_by_one(pixels, indices, flip, generator()))


def test_every_shift_and_both_directions_occur():
    """With a ramp for an image, a shifted crop shows its shift."""
    ramp = (torch.arange(16)[:, None] * 16 + torch.arange(16)[None, :]).to(torch.uint8)[None, :, :, None]
    batch = small.augmented(ramp, torch.zeros(2000, dtype=torch.int64), True, generator())
    values = (batch[:, 0, 8, 7:9] * 255).round().int()
    left_to_right = values[:, 1] > values[:, 0]
    assert 0.4 < left_to_right.float().mean() < 0.6
    shifts = {(int(a // 16) - 8, int(a % 16) - 7) for a in values[left_to_right][:, 0]}
    assert shifts == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}


def test_plain_scales_and_changes_nothing_else():
    pixels = images()
    before = pixels.clone()
    batch = augmentation.plain(pixels, torch.tensor([4, 1]))
    torch.testing.assert_close(batch, before[[4, 1]].permute(0, 3, 1, 2).float() / 255)
    small.augmented(pixels, torch.arange(5), True, generator())
    assert torch.equal(pixels, before)


def test_layout_and_range():
    batch = small.augmented(images(), torch.arange(5), True, generator())
    assert batch.shape == (5, 3, 16, 24)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= batch.min() <= batch.max() <= 1


def test_follows_from_the_generator():
    pixels, everything = images(), torch.arange(5)
    first, again, other = (small.augmented(pixels, everything, True, generator(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_white_is_one():
    white = torch.full((1, 8, 8, 1), 255, dtype=torch.uint8)
    assert (augmentation.plain(white, torch.tensor([0])) == 1).all()
