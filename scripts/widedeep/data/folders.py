"""Data sets from a folder of images, with one folder for each class.

No checksum verifies their content. So the rule `download` has the fingerprint of this file, and an edit makes these
data sets again.
"""

import hashlib
from pathlib import Path

import numpy as np

from widedeep.formats.dataset import Split
from widedeep.names import random_seed
from widedeep.runtime import files
from widedeep.runtime.errors import UserError, first_line

# The suffixes that torchvision accepts, repeated here because importing it takes seconds.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})


def image_folder(folder, size):
    """Read all images of a folder with one folder for each class; see `listing`.

    Images are converted to RGB, resized so that the shorter side is `size`, and cropped to their centre.

    Args:
        folder: see `listing`.
        size: side in pixels.

    Returns:
        (train, test, classes): two dataset.Split, and the list of class names

    Raises:
        UserError: see `listing`; or an image cannot be read.
    """
    train, test, classes = listing(folder)
    return _read_images(folder, train, size), _read_images(folder, test, size), classes


def listing(folder):
    """List the image files of a folder: FOLDER/train/CLASS and FOLDER/test/CLASS, or FOLDER/CLASS alone.

    In the second form every fifth image of a class, by name, is a test image. Classes are mixed (`mixed`).

    Args:
        folder: of the images; without `test`, its folder `val` is used.

    Returns:
        (train, test, classes): two lists of (path relative to the folder, label), and the list of class names

    Raises:
        UserError: there is no class, a class is empty, or the splits differ in classes.
    """
    train, test, classes = _found(Path(folder))
    return _mixed(train), _mixed(test), classes


def checksum(folder):
    """Return the SHA-256 over the names and file sizes of a folder's images, which detects changes of the folder.

    It depends on no dates, which differ in a copy, and reads no images.

    Raises:
        UserError: see `listing`.
    """
    train, test, _ = _found(Path(folder))
    digest = hashlib.sha256()
    for path, _ in [*train, *test]:
        digest.update(f"{path.as_posix()}\0{Path(folder, path).stat().st_size}\n".encode())
    return digest.hexdigest()


def _found(folder):
    """Return the result of `listing`, in the order of the names."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a folder with one folder for each class.")
    if not (folder / "train").is_dir():
        classes, samples = _samples(folder)
        train, test = [s for s in samples if s[2] % 5 != 4], [s for s in samples if s[2] % 5 == 4]
        if {label for _, label, _ in test} != set(range(len(classes))):
            raise UserError(f"{folder}: a class has fewer than 5 images, so it has no test image; add images.")
        return _relative(folder, train), _relative(folder, test), classes
    test_folder = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    if test_folder is None:
        raise UserError(f"{folder}: has train but neither test nor val; add one, or put the classes into {folder}.")
    (classes, train), (test_classes, test) = _samples(folder / "train"), _samples(test_folder)
    if classes != test_classes:
        different = sorted(set(classes) ^ set(test_classes))[0]
        raise UserError(
            f"{folder}: class {different} is only in one of train and {test_folder.name}; both need the same classes."
        )
    return _relative(folder, train), _relative(folder, test), classes


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


def _relative(folder, samples):
    return [(path.relative_to(folder), label) for path, label, _ in samples]


def _samples(folder):
    """Return (classes, [(path, label, position in its class)]) of a folder of classes."""
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if not classes:
        raise UserError(f"{folder}: has no folders; give a folder with one folder for each class.")
    samples = []
    for label, name in enumerate(classes):
        paths = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise UserError(f"{folder / name}: has no image; add images, or remove the folder.")
        for path in paths:
            try:
                str(path).encode()
            except UnicodeEncodeError:  # HDF5 and checksums need UTF-8
                raise UserError(f"{str(path)!r}: its name is not UTF-8; rename it.") from None
        samples += [(path, label, position) for position, path in enumerate(paths)]
    return classes, samples


def _read_images(folder, samples, size):
    from PIL import Image, ImageOps

    images = np.empty((len(samples), 3, size, size), np.uint8)
    for image, (relative, _) in zip(images, samples, strict=True):
        path = Path(folder, relative)
        try:
            with Image.open(path) as file:
                fitted = ImageOps.fit(file.convert("RGB"), (size, size), Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            if isinstance(error, OSError):
                files.check_was_read(path, error)
            reason = first_line(error)
            raise UserError(f"{path}: cannot be read as an image ({reason}); replace or remove it.") from error
        image[:] = np.asarray(fitted).transpose(2, 0, 1)
    return Split(images, np.array([label for _, label in samples]))
