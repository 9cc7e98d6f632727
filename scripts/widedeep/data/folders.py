"""Data sets from a folder of images, with one folder for each class.

No checksum verifies their content. So the rule `download` has the fingerprint of this file, and an edit makes these
data sets again.
"""

import hashlib
from pathlib import Path

import numpy as np

from widedeep.data import finding
from widedeep.formats.dataset import Split
from widedeep.names import random_seed
from widedeep.runtime.errors import UserError, named


def image_folder(folder, size):
    """Read all images of a folder with one folder for each class; see `listing`.

    Images are decoded by pictures.rgb, resized so that the shorter side is `size`, and cropped to their centre.

    Args:
        folder: see finding.find.
        size: side in pixels.

    Returns:
        (train, test, classes): two dataset.Split, and the list of class names

    Raises:
        UserError: see finding.find; or an image cannot be read, or all together do not fit into the free memory.
    """
    train, test, classes = listing(folder)
    splits = [_read_images(folder, samples, size) for samples in (train, test)]
    for split in splits:
        check_variety(folder, split.images)
    return *splits, classes


def listing(folder):
    """List the image files of a folder, as finding.find, in an order that mixes classes (`stratified_order`).

    Returns:
        (train, test, classes): two lists of (path relative to the folder, label), and the list of class names

    Raises:
        UserError: see finding.find.
    """
    found = finding.find(folder)
    return _mixed(found.train), _mixed(found.test), found.classes


def checksum(folder):
    """Return the SHA-256 over the names and file sizes of a folder's images, which detects changes of the folder.

    It depends on no dates, which differ in a copy, and reads no images.

    Raises:
        UserError: see finding.find.
    """
    found = finding.find(folder)
    digest = hashlib.sha256()
    for path, _ in [*found.train, *found.test]:
        digest.update(f"{path.as_posix()}\0{Path(folder, path).stat().st_size}\n".encode())
    return digest.hexdigest()


def check_variety(origin, images):
    """Refuse images that are all the same, from which no network learns and which have no CKA.

    Args:
        origin: of the images, which the message names.
        images: iterable of arrays; as many are taken as are equal to the first.

    Raises:
        UserError: all images are the same.
    """
    images = iter(images)
    first = next(images, None)
    if all(np.array_equal(first, image) for image in images):
        raise UserError(f"{named(origin)}: all images are the same; give images that differ.")


def decoded(folder, samples):
    """Yield the images of a `listing` as arrays, uint8 (height, width, 3).

    Raises:
        UserError: see pictures.rgb.
    """
    from widedeep.data import pictures

    for path, _ in samples:
        yield np.asarray(pictures.rgb(Path(folder, path)))


def stratified_order(labels, names):
    """Return an order of examples whose every prefix has nearly the class proportions of the whole.

    Fractions of the training set and the examples of dumps are the first k. Within a class the order is random but
    fixed: it follows from the names, so adding an example does not reorder the others.

    Args:
        labels: (examples,) whole numbers from 0.
        names: (examples,) list of unique names.

    Returns:
        (examples,) int64: the index of the example at each position
    """
    labels = np.asarray(labels, np.int64)
    drawn = np.array([random_seed("order of images", name) for name in names])
    by_class = np.lexsort((drawn, labels))
    counts = np.bincount(labels)
    position = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return by_class[np.argsort((position + 0.5) / np.repeat(counts, counts), kind="stable")]


def _mixed(samples):
    order = stratified_order([label for _, label in samples], [path.as_posix() for path, _ in samples])
    return [samples[index] for index in order]


def _read_images(folder, samples, size):
    from PIL import Image, ImageOps

    try:
        images = np.empty((len(samples), 3, size, size), np.uint8)
    except MemoryError:
        raise UserError(
            f"{named(folder)}: {len(samples)} images of {size} x {size} pixels do not fit into the free memory; give "
            "a smaller image_size, or set stream."
        ) from None
    for image, pixels in zip(images, decoded(folder, samples), strict=True):
        fitted = ImageOps.fit(Image.fromarray(pixels), (size, size), Image.Resampling.BILINEAR)
        image[:] = np.asarray(fitted).transpose(2, 0, 1)
    return Split(images, np.array([label for _, label in samples]))
