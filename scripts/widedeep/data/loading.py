"""Reading the images of a data set's file, all at once or one minibatch at a time, after checking them."""

import contextlib
from pathlib import Path

import numpy as np

from widedeep.formats import dataset
from widedeep.formats.dataset import Split
from widedeep.runtime import files
from widedeep.runtime.errors import UserError

# Images that `opened` reads at once to check them.
_BLOCK = 1000


def read(path, split, fraction=1.0, workers=0):
    """Load a split into memory, and compare it with its checksum.

    Args:
        path: of the data set file.
        split: `train` or `test`.
        fraction: share of the split to keep: the first round(fraction * examples). The paper keeps the first 50, 25
            and 6 %, in the order of the authors' data loader; here that is the order of the official files, or
            folders.stratified_order for a user's own images.
        workers: processes that decode streamed images.

    Returns:
        dataset.Split

    Raises:
        UserError: the file is missing, damaged or something else, or its content was altered.
    """
    with dataset.reading(path, split) as stored:
        examples = round(fraction * len(stored.labels))
        if stored.listing:
            return _streamed(stored, examples, workers)
        whole = Split(stored.images[:], stored.labels)
    dataset.compare_checksum(path, split, dataset.content_checksum(whole), stored.checksum)
    return Split(whole.images[:examples], whole.labels[:examples])


@contextlib.contextmanager
def opened(path, split, workers=0):
    """Check a split as `read` does, in blocks, and leave its images in the file, so that they take no memory.

    Args:
        path: of the data set file.
        split: `train` or `test`.
        workers: processes that decode streamed images.

    Yields:
        dataset.Split, whose images are streaming.StoredImages or streaming.ImageFiles.

    Raises:
        UserError: as `read`.
    """
    from widedeep.data.streaming import StoredImages

    with contextlib.ExitStack() as opened_files:
        with dataset.reading(path, split) as stored:
            if stored.listing:
                found = _streamed(stored, len(stored.labels), workers)
            else:
                # Kept open, so that the checked file is read even after another one has replaced it.
                file = opened_files.enter_context(open(path, "rb", buffering=0))
                images = StoredImages(file, stored.images.id.get_offset(), stored.images.shape)
                blocks = (images.read(range(len(images))[start:][:_BLOCK]) for start in range(0, len(images), _BLOCK))
                checksum = dataset.checksum_of_blocks(images.shape, blocks, stored.labels)
                dataset.compare_checksum(path, split, checksum, stored.checksum)
                found = Split(images, stored.labels)
        yield found


def check(path, split):
    """Compare a whole split with its checksum; for streamed images, their names, labels and file sizes.

    Raises:
        UserError: the file or an image is missing, the file is damaged or something else, or the content was altered.
    """
    with dataset.reading(path, split) as stored:
        if listing := stored.listing:
            found = dataset.listing_checksum(listing.folder, listing.paths, stored.labels, listing.size)
            if found != stored.checksum:
                raise UserError(
                    f"{path}: the images of {split} in {listing.folder} differ from its list; {dataset.REMEDY}."
                )
            return
    read(path, split)


def downscaled(split, size):
    """Return a split with smaller images, in which each pixel is the rounded mean of a square of pixels.

    Args:
        split: dataset.Split of square images.
        size: side in pixels of the smaller images, a divisor of the side of the images.

    Returns:
        dataset.Split
    """
    examples, channels, side, _ = split.images.shape
    factor = side // size
    squares = split.images.reshape(examples, channels, size, factor, size, factor)
    means = (squares.sum(axis=(3, 5), dtype=np.uint32) + factor**2 // 2) // factor**2
    return Split(means.astype(np.uint8), split.labels)


def _streamed(stored, examples, workers):
    """Return the first `examples` of a split whose images are streamed from their files."""
    from widedeep.data.streaming import ImageFiles

    listing = stored.listing
    if not files.is_there(Path(listing.folder, listing.paths[0])):
        raise UserError(
            f"{listing.folder}: image {listing.paths[0]} is missing; put the images back, or {dataset.REMEDY}."
        )
    images = ImageFiles(listing.folder, listing.paths[:examples], listing.size, workers)
    return Split(images, stored.labels[:examples])
