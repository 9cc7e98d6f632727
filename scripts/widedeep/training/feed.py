"""The batches of a training: of images in the memory of the device, or streamed from their files.

All random numbers of an epoch follow from its number, so a resumed training begins anywhere in it.
"""

import torch

from widedeep.data import augmentation


def feeding(images, labels, recipe, group, generator):
    """InMemory or Streamed, whichever the images of loop.examples_on allow.

    Args:
        images, labels: of loop.examples_on.
        recipe: with `batch_size` and `flip`, as recipe.Recipe.
        group: distributed.Group.
        generator: function from a purpose, an epoch and further numbers to a torch.Generator on the CPU.
    """
    return (InMemory if isinstance(images, torch.Tensor) else Streamed)(images, labels, recipe, group, generator)


class InMemory:
    """Batches of images that are on the device.

    The random numbers of a whole epoch go to the device at once, and it counts the steps. So `batch` needs nothing of
    the host, and a CUDA graph can hold it.

    Args: see `feeding`.
    """

    def __init__(self, images, labels, recipe, group, generator):
        self._images, self._labels, self._recipe, self._generator = images, labels, recipe, generator
        self._share = group.share
        self._position = torch.zeros(1, dtype=torch.int64, device=images.device)
        self._numbers, self._drawn = None, {}

    def begin(self, epoch, step):
        """Go to a step of an epoch."""
        numbers = self._drawn.pop(epoch, None) or self._draw(epoch)
        if self._numbers is None:
            self._numbers = [part.to(self._images.device) for part in numbers]
        else:  # in place, since a graph reads them where they are
            for kept, part in zip(self._numbers, numbers, strict=True):
                kept.copy_(part, non_blocking=True)
        self.place(step)

    def place(self, step):
        """Go to another step of this epoch."""
        self._position.fill_(step)

    def draw_ahead(self, epoch):
        """Draw the random numbers of an epoch while the device is still busy with the one before."""
        self._drawn = {epoch: self._draw(epoch)}

    def batch(self):
        """Return the next batch: float32 (images, channels, height, width) in [0, 1], and int64 labels (images,)."""
        indices, *crops = (part.index_select(0, self._position)[0] for part in self._numbers)
        self._position += 1
        return augmentation.cropped(self._images, indices, *crops), self._labels[indices]

    def _draw(self, epoch):
        """(order, rows, columns, mirrored) of all steps of an epoch, each (steps, this process' share of a batch)."""
        size = self._recipe.batch_size
        parts = torch.randperm(len(self._labels), generator=self._generator("order", epoch)).split(size)
        parts = parts[: len(self._labels) // size]
        sides, flip = self._images.shape[1:3], self._recipe.flip
        steps = [
            (part, *augmentation.drawn_crops(size, sides, flip, self._generator("augmentation", epoch, step)))
            for step, part in enumerate(parts)
        ]
        drawn = [torch.stack(list(map(self._share, column))) for column in zip(*steps, strict=True)]
        # From pinned memory the copy to a GPU does not hold up the host.
        return [part.pin_memory() for part in drawn] if self._images.device.type == "cuda" else drawn


class Streamed:
    """Batches of images that stay in their files, in the form of InMemory; the device waits for them."""

    def __init__(self, images, labels, recipe, group, generator):
        self._images, self._labels, self._recipe, self._generator = images, labels, recipe, generator
        self._share, self._batches = group.share, None

    def begin(self, epoch, step):
        size = self._recipe.batch_size
        order = torch.randperm(len(self._labels), generator=self._generator("order", epoch)).to(self._labels.device)
        parts = order.split(size)[step : len(self._labels) // size]
        generators = [self._generator("augmentation", epoch, step + ahead) for ahead in range(len(parts))]
        batches = self._images.augmented_batches(parts, self._recipe.flip, generators, self._share)
        self._batches = zip(batches, (self._labels[self._share(part)] for part in parts), strict=True)

    def draw_ahead(self, epoch):
        """Nothing: its workers decode ahead."""

    def batch(self):
        return next(self._batches)
