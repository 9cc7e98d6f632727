"""dataset.h5, the canonical file of a data set, whatever it was made from: verified uint8 images and labels.

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

from widedeep.formats import hdf5
from widedeep.runtime.errors import UserError

KIND = "dataset"
SCHEMA_VERSION = 2
REMEDY = "delete it and run scripts/download.py again"


@dataclass(frozen=True)
class Split:
    """Images uint8 (examples, channels, height, width) and labels int64 (examples,), in canonical order."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Listing:
    """The images of a split that stay where they are.

    Attributes:
        folder: that the paths are relative to.
        paths: (examples,) of str.
        size: side in pixels of the crops that networks see.
    """

    folder: str
    paths: np.ndarray
    size: int


@dataclass(frozen=True)
class Stored:
    """A split in an open file.

    Attributes:
        labels: int64 (examples,).
        images: h5py.Dataset of uint8 (examples, channels, height, width); None of a listing.
        listing: Listing, or None.
        checksum: as it was recorded when the file was written.
    """

    labels: np.ndarray
    images: object
    listing: Listing | None
    checksum: str


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
    return checksum_of_blocks(split.images.shape, [split.images], split.labels)


def checksum_of_blocks(shape, blocks, labels):
    """The content_checksum of images that come in blocks."""
    digest = hashlib.sha256(repr(shape).encode())
    for block in blocks:
        digest.update(np.ascontiguousarray(block, dtype=np.uint8))
    digest.update(np.ascontiguousarray(labels, dtype="<i8"))
    return digest.hexdigest()


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


@contextlib.contextmanager
def reading(path, split):
    """Open a split of a data set file; damage that shows while the block reads is explained.

    Args:
        path: of the data set file.
        split: `train` or `test`.

    Yields:
        Stored

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, REMEDY) as file, hdf5.explaining_damage(path, REMEDY):
        group = file[split]
        labels = hdf5.values(group, "labels", np.int64, (None,))
        images = listing = None
        if "paths" in group:
            paths = hdf5.values(group, "paths", str, (len(labels),))
            listing = Listing(file.attrs["folder"], paths, int(file.attrs["size"]))
        else:
            images = hdf5.held(group, "images", np.uint8, (len(labels), None, None, None))
        yield Stored(labels, images, listing, group.attrs["checksum"])


def compare_checksum(path, split, found, recorded):
    """Refuse a split whose content is not what was written.

    Raises:
        UserError: the checksums differ.
    """
    if found != recorded:
        raise UserError(f"{path}: the content of {split} does not have the checksum {recorded[:12]}; {REMEDY}.")


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


def _shape(file):
    """(channels, height, width) of an image."""
    if "paths" in file["train"]:
        return (3, int(file.attrs["size"]), int(file.attrs["size"]))
    return tuple(int(size) for size in file["train"]["images"].shape[1:])
