"""The canonical file of a data set, whatever it was made from: verified uint8 images and labels.

/               attributes: kind, schema_version, name, classes (JSON list), source; listed, where it is from a folder
                (folders.checksum); folder and size of a listing
/train, /test   attribute: checksum
    images      (examples, channels, height, width) uint8
    labels      (examples,) int64
    paths       (examples,) of str, relative to the folder: in place of images, where these are streamed
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from widedeep import hdf5
from widedeep.errors import UserError

KIND = "dataset"
SCHEMA_VERSION = 2
REMEDY = "delete it and run scripts/download.py again"
# Images that are read at once to be checked.
_BLOCK = 1000


@dataclass(frozen=True)
class Split:
    """Images uint8 (examples, channels, height, width) and labels int64 (examples,), in canonical order."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Description:
    """What a data set file says of itself, without its images."""

    name: str
    classes: list
    image_shape: tuple
    train_examples: int
    test_examples: int
    train_checksum: str
    test_checksum: str
    listed: str


def content_checksum(split):
    """SHA-256 over shape, images and labels: the same for every source of the same content, whatever its container."""
    return _checksum(split.images.shape, [split.images], split.labels)


def _checksum(shape, blocks, labels):
    """The content_checksum of images that come in blocks."""
    digest = hashlib.sha256(repr(shape).encode())
    for block in blocks:
        digest.update(np.ascontiguousarray(block, dtype=np.uint8))
    digest.update(np.ascontiguousarray(labels, dtype="<i8"))
    return digest.hexdigest()


def reduced(split, size):
    """The split with smaller images: each pixel the rounded mean of a square of pixels.

    Args:
        split: Split with square images.
        size: side in pixels; it divides the images' side.
    """
    examples, channels, side, _ = split.images.shape
    factor = side // size
    squares = split.images.reshape(examples, channels, size, factor, size, factor)
    means = (squares.sum(axis=(3, 5), dtype=np.uint32) + factor**2 // 2) // factor**2
    return Split(means.astype(np.uint8), split.labels)


def write(path, name, train, test, classes, source, listed=""):
    """Write a data set file.

    Args:
        path: of the HDF5 file.
        name: of the data set.
        train, test: Split.
        classes: list of class names; labels count from 0 in their order.
        source: where the images come from, in words.
        listed: folders.checksum of the folder that they come from.
    """
    with hdf5.creating(path) as file:
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        file.attrs.update({"name": name, "classes": json.dumps(list(classes)), "source": source})
        file.attrs["listed"] = listed
        for split_name, split in (("train", train), ("test", test)):
            group = file.create_group(split_name)
            group.attrs["checksum"] = content_checksum(split)
            group["images"] = np.ascontiguousarray(split.images, dtype=np.uint8)
            group["labels"] = np.asarray(split.labels, dtype=np.int64)


def write_listing(path, name, folder, size, train, test, classes):
    """Write the file of a data set whose images stay where they are.

    Args:
        path: of the HDF5 file.
        name: of the data set.
        folder: of the images.
        size: side in pixels of the crops that networks see.
        train, test: lists of (path relative to the folder, label).
        classes: list of class names; labels count from 0 in their order.
    """
    with hdf5.creating(path) as file:
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        places = {"folder": str(Path(folder).absolute()), "size": size}
        file.attrs.update({"name": name, "classes": json.dumps(list(classes)), "source": "folder", **places})
        for split_name, samples in (("train", train), ("test", test)):
            group = file.create_group(split_name)
            paths, labels = zip(*samples, strict=True)
            group.create_dataset("paths", data=[str(one) for one in paths], dtype=h5py.string_dtype())
            group["labels"] = np.asarray(labels, dtype=np.int64)
            group.attrs["checksum"] = listing_checksum(folder, paths, labels, size)


def listing_checksum(folder, paths, labels, size):
    """SHA-256 over names, labels and sizes of image files, and the size of the crops; their content is not read."""
    digest = hashlib.sha256(f"{size}".encode())
    for path, label in zip(paths, labels, strict=True):
        digest.update(f"{path}\0{label}\0{Path(folder, path).stat().st_size}\n".encode())
    return digest.hexdigest()


def read(path, split, fraction=1.0, workers=0):
    """Load a split to memory, and check that it is what was written.

    Args:
        path: of the data set file.
        split: `train` or `test`.
        fraction: keep the first round(fraction * examples). The paper's subsets are the first 50, 25 and 6 %; the
            official order of the files stands in for the order of the authors' data loader; one's own images have the
            order of folders.mixed.
        workers: processes that decode images, where they are streamed.

    Returns:
        Split

    Raises:
        UserError: the file is missing, damaged, something else, or its content was altered.
    """
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, REMEDY) as file, hdf5.explaining_damage(path, REMEDY):
        group = file[split]
        if "paths" in group:
            return _read_listing(file, group, fraction, workers)
        labels = _labels(group)
        whole = Split(_images(group, labels)[:], labels)
        checksum = group.attrs["checksum"]
    _compare_checksum(path, split, content_checksum(whole), checksum)
    examples = round(fraction * len(whole.labels))
    return Split(whole.images[:examples], whole.labels[:examples])


@contextlib.contextmanager
def opened(path, split, workers=0):
    """Check a split as `read` does, in blocks, and keep its images in the file, so that they take no memory.

    Args:
        path: of the data set file.
        split: `train` or `test`.
        workers: processes that decode images, where they are streamed.

    Yields:
        Split, whose images are streaming.StoredImages or streaming.ImageFiles.

    Raises:
        UserError: as `read`.
    """
    from widedeep.streaming import StoredImages

    with contextlib.ExitStack() as files:
        with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, REMEDY) as file, hdf5.explaining_damage(path, REMEDY):
            group = file[split]
            if "paths" in group:
                found = _read_listing(file, group, 1.0, workers)
            else:
                # Held open, so that it is this file that is read even where another takes its place.
                stored = files.enter_context(open(path, "rb", buffering=0))
                labels = _labels(group)
                held = _images(group, labels)
                images = StoredImages(stored, held.id.get_offset(), held.shape)
                blocks = (images.read(range(len(images))[start:][:_BLOCK]) for start in range(0, len(images), _BLOCK))
                _compare_checksum(path, split, _checksum(images.shape, blocks, labels), group.attrs["checksum"])
                found = Split(images, labels)
        yield found


def _compare_checksum(path, split, found, recorded):
    if found != recorded:
        raise UserError(f"{path}: the content of {split} does not have the checksum {recorded[:12]}; {REMEDY}.")


def _read_listing(file, group, fraction, workers):
    from widedeep.streaming import ImageFiles

    labels = _labels(group)
    examples = round(fraction * len(labels))
    paths = hdf5.values(group, "paths", str, (len(labels),))[:examples]
    folder = file.attrs["folder"]
    if not Path(folder, paths[0]).exists():
        raise UserError(f"{folder}: its images are gone, as {paths[0]}; put them back, or {REMEDY}.")
    return Split(ImageFiles(folder, paths, int(file.attrs["size"]), workers), labels[:examples])


def check(path, split):
    """Read a split completely and compare it with its checksum; of streamed images names, labels and sizes.

    Raises:
        UserError: the file or an image is missing, the file is damaged or something else, or the content was altered.
    """
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, REMEDY) as file, hdf5.explaining_damage(path, REMEDY):
        group = file[split]
        if "paths" in group:
            labels = _labels(group)
            paths = hdf5.values(group, "paths", str, (len(labels),))
            places = file.attrs["folder"], paths, labels, int(file.attrs["size"])
            if listing_checksum(*places) != group.attrs["checksum"]:
                raise UserError(f"{path}: the images of {split} in {places[0]} are not those that it lists; {REMEDY}.")
            return
    read(path, split)


def describe(path):
    """The Description of a data set file; reads no images.

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, REMEDY) as file, hdf5.explaining_damage(path, REMEDY):
        train, test = file["train"], file["test"]
        return Description(
            name=file.attrs["name"],
            classes=json.loads(file.attrs["classes"]),
            image_shape=_shape(file),
            train_examples=len(train["labels"]),
            test_examples=len(test["labels"]),
            train_checksum=train.attrs["checksum"],
            test_checksum=test.attrs["checksum"],
            listed=file.attrs.get("listed", ""),
        )


def _labels(group):
    return hdf5.values(group, "labels", np.int64, (None,))


def _images(group, labels):
    """The dataset of the images with these labels."""
    return hdf5.held(group, "images", np.uint8, (len(labels), None, None, None))


def _shape(file):
    """(channels, height, width) of an image."""
    if "paths" in file["train"]:
        return (3, int(file.attrs["size"]), int(file.attrs["size"]))
    return tuple(int(size) for size in file["train"]["images"].shape[1:])
