"""Images that stay in their files: read by minibatch from a data set's file, or decoded and cropped by workers."""

import math
import os
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from widedeep.data import pictures
from widedeep.formats import dataset
from widedeep.runtime import files
from widedeep.runtime.errors import UserError


class StoredImages:
    """The images in a data set's file, to be used like an array; a slice is a StoredImages of fewer images.

    Args:
        file: open for reading, unbuffered; it stays open while images are read.
        offset: bytes before the first image.
        shape: (examples, channels, height, width) of the uint8 images, which are contiguous in the file.
        device: torch.device of the batches.
    """

    def __init__(self, file, offset, shape, device=None):
        self.file, self.offset, self.shape, self.device = file, offset, shape, device

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        start, stop, _ = part.indices(len(self))
        shape = (stop - start, *self.shape[1:])
        return StoredImages(self.file, self.offset + start * self._size, shape, self.device)

    def to(self, device):
        return StoredImages(self.file, self.offset, self.shape, device)

    def plain_batches(self, parts):
        """See augmentation.plain_batches."""
        for part in parts:
            yield scaled(channels_last(self.read(part.tolist())).to(self.device))

    def read(self, indices):
        """Read some images: uint8 (indices, channels, height, width) array."""
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        with files.explaining_unreadable(self.file.name, dataset.REMEDY):
            for image, index in zip(images, indices, strict=True):
                if os.preadv(self.file.fileno(), [image], self.offset + index * self._size) != self._size:
                    raise UserError(f"{self.file.name}: was truncated while it was read; {dataset.REMEDY}.")
        return images

    @property
    def _size(self):
        return math.prod(self.shape[1:])


class ImageFiles:
    """A list of image files, to be used like an array of images.

    A slice is an ImageFiles of fewer files. A single index gives the central crop of an image, uint8 (3, size, size).

    Args:
        folder: folder of the images.
        paths: (examples,) str, relative to the folder.
        size: side in pixels of the crops.
        workers: number of processes that decode; 0 decodes in this process.
        device: torch.device of the batches.
    """

    def __init__(self, folder, paths, size, workers=0, device=None):
        self.folder, self.paths, self.size, self.device = Path(folder), np.asarray(paths), size, device
        self.workers = workers

    @property
    def shape(self):
        return (len(self.paths), 3, self.size, self.size)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, part):
        if not isinstance(part, slice):
            _, central = crops(self.size)
            return _Decoded(self.folder, self.paths, central)[part, 0].numpy()
        return ImageFiles(self.folder, self.paths[part], self.size, self.workers, self.device)

    def to(self, device):
        return ImageFiles(self.folder, self.paths, self.size, self.workers, device)

    def plain_batches(self, parts):
        """See augmentation.plain_batches; the images are central crops."""
        _, central = crops(self.size)
        yield from self.batches([[(index, 0) for index in part.tolist()] for part in parts], central)

    def augmented_batches(self, parts, flip, generators, select=lambda batch: batch):
        """Yield random resized crops of the images of each part, in the form of augmentation.plain_batches.

        Args:
            parts: list of int64 tensors of indices, one for each batch.
            flip: whether a random half of the images is mirrored left to right.
            generators: list of torch.Generator on the CPU, one for each part.
            select: function that returns the images of a part to yield. Random numbers are drawn for the whole part, so
                they do not depend on the selection.
        """
        random, _ = crops(self.size, flip)
        places = []
        for part, generator in zip(parts, generators, strict=True):
            seeds = torch.randint(2**62, (len(part),), generator=generator)
            places.append(list(zip(select(part).tolist(), select(seeds).tolist(), strict=True)))
        yield from self.batches(places, random)

    def batches(self, parts, crop):
        """Yield a batch for each part: float32 (batch, 3, size, size) in [0, 1], on the device.

        Args:
            parts: list of lists of (index, seed of the random crop).
            crop: one of the two transforms of `crops`.

        Raises:
            UserError: pictures.rgb refuses an image.
        """
        loader = DataLoader(
            _Decoded(self.folder, self.paths, crop),
            batch_sampler=parts,
            collate_fn=_collated,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )
        for batch in loader:
            if isinstance(batch, UserError):
                raise batch
            batch = batch.to(self.device, non_blocking=True, memory_format=torch.channels_last)
            yield batch.to(torch.float32).div_(255)


def crops(size, flip=False):
    """Return (random crop for training, central crop for evaluation), the standard transforms of ImageNet.

    Args:
        size: side in pixels of the crop. Before the central crop, the shorter side is resized to 8/7 of it.
        flip: whether the random crop is mirrored half of the time.
    """
    from torchvision.transforms import v2  # here, because importing it takes a second

    random = [v2.RandomResizedCrop(size, antialias=True), *([v2.RandomHorizontalFlip()] if flip else [])]
    return v2.Compose(random), v2.Compose([v2.Resize(round(size * 8 / 7), antialias=True), v2.CenterCrop(size)])


def channels_last(images):
    """Convert a uint8 array (batch, channels, height, width) to a tensor (batch, height, width, channels)."""
    return torch.from_numpy(images).permute(0, 2, 3, 1).contiguous()


def scaled(images):
    """Scale uint8 (batch, height, width, channels) to float32 (batch, channels, height, width) in [0, 1].

    The result is in channels_last layout.
    """
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255)


class _Decoded(Dataset):
    """Decodes and crops one image by (index, seed); the crop follows from the seed, in any process."""

    def __init__(self, folder, paths, crop):
        self.folder, self.paths, self.crop = folder, paths, crop

    def __getitem__(self, place):
        index, seed = place
        image = torch.from_numpy(np.array(pictures.rgb(self.folder / self.paths[index]))).permute(2, 0, 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.crop(image)

    def __getitems__(self, places):
        """Return the list of several images; or the UserError, since a worker's exception ends in its traceback."""
        try:
            return [self[place] for place in places]
        except UserError as error:
            return error


def _collated(images):
    return images if isinstance(images, UserError) else default_collate(images)
