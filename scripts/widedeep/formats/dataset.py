"""dataset.h5: the verified uint8 images and labels of a data set, from any source.

/               attributes: kind, schema_version, name, classes (JSON list), source;
                listed (folders.checksum), if the images come from a folder;
                folder and size, if the images are streamed from their files
/train, /test   attribute: checksum
    images      (examples, channels, height, width) uint8
    labels      (examples,) int64
    paths       (examples,) str, relative to the folder, in place of images if these are streamed
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from widedeep.formats import hdf5
from widedeep.runtime import files
from widedeep.runtime.errors import UserError, named

KIND = "dataset"
SCHEMA_VERSION = 2
REMEDY = "make it again (scripts/download.py)"


@dataclass(frozen=True)
class Split:
    """Images uint8 (examples, channels, height, width) and labels int64 (examples,), in canonical order."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Listing:
    """The images of a split that stay in their files.

    Attributes:
        folder: folder of the images.
        paths: (examples,) str, relative to the folder.
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
        images: h5py.Dataset of uint8 (examples, channels, height, width); None if the images are streamed.
        listing: Listing of streamed images, or None.
        checksum: the checksum that was recorded when the file was written.
    """

    labels: np.ndarray
    images: object
    listing: Listing | None
    checksum: str


@dataclass(frozen=True)
class Description:
    """What a data set file records beside its images.

    Attributes:
        name: of the data set.
        classes: list of class names; labels count from 0 in their order.
        image_shape: (channels, height, width).
        train_examples, test_examples: numbers of images.
        train_checksum, test_checksum: of the splits (content_checksum or listing_checksum).
        listed: folders.checksum of the folder that the images come from; empty for other sources.
    """

    name: str
    classes: list
    image_shape: tuple
    train_examples: int
    test_examples: int
    train_checksum: str
    test_checksum: str
    listed: str


def content_checksum(split):
    """Return the SHA-256 over shape, images and labels of a Split: the same for all sources of the same content."""
    return checksum_of_blocks(split.images.shape, [split.images], split.labels)


def checksum_of_blocks(shape, blocks, labels):
    """Return the content_checksum of images that come in blocks.

    Args:
        shape: of all images, (examples, channels, height, width).
        blocks: iterable of uint8 arrays, which together are the images.
        labels: (examples,) whole numbers.
    """
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
        source: name of the source that the images come from, as `official` or `folder`.
        listed: folders.checksum of the folder that they come from; empty for other sources.
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
    """Write the file of a data set whose images stay in their files.

    Args:
        path: of the HDF5 file.
        name: of the data set.
        folder: of the images.
        size: side in pixels of the crops that networks see.
        train, test: lists of (path relative to the folder, label).
        classes: list of class names; labels count from 0 in their order.

    Raises:
        UserError: the path of the folder has a character that is not printable.
    """
    places = {"folder": str(Path(folder).absolute()), "size": size}
    if not places["folder"].isprintable():  # which hdf5.attribute reads from no file
        raise UserError(f"{named(places['folder'])}: has a character that is not printable; rename the folder.")
    with hdf5.creating(path) as file:
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        file.attrs.update({"name": name, "classes": json.dumps(list(classes)), "source": "folder", **places})
        for split_name, samples in (("train", train), ("test", test)):
            group = file.create_group(split_name)
            paths, labels = zip(*samples, strict=True)
            group.create_dataset("paths", data=[str(one) for one in paths], dtype=h5py.string_dtype())
            group["labels"] = np.asarray(labels, dtype=np.int64)
            group.attrs["checksum"] = listing_checksum(folder, paths, labels, size)


def listing_checksum(folder, paths, labels, size):
    """Return the SHA-256 over names, labels and file sizes of images, and the side of the crops; reads no image."""
    digest = hashlib.sha256(f"{size}".encode())
    for path, label in zip(paths, labels, strict=True):
        with files.explaining_unreadable(image := Path(folder, path), f"put the image back, or {REMEDY}"):
            digest.update(f"{path}\0{label}\0{image.stat().st_size}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def reading(path, split):
    """Open a split of a data set file; damage that is found in the block becomes a UserError.

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
        if not np.isin(labels, np.arange(len(_classes(file)))).all():
            raise ValueError("a label has no class")
        images = listing = None
        if "paths" in group:
            paths = hdf5.values(group, "paths", str, (len(labels),))
            listing = Listing(hdf5.attribute(file, "folder", str), paths, hdf5.attribute(file, "size", int))
        else:
            images = hdf5.checked(group, "images", np.uint8, (len(labels), None, None, None))
        yield Stored(labels, images, listing, hdf5.attribute(group, "checksum", str))


def compare_checksum(path, split, found, recorded):
    """Refuse a split whose content is not the one that was written.

    Args:
        path: of the data set file.
        split: `train` or `test`.
        found: checksum of the content.
        recorded: checksum in the file.

    Raises:
        UserError: the checksums differ.
    """
    if found != recorded:
        raise UserError(f"{path}: the content of {split} does not have the checksum {recorded[:12]}; {REMEDY}.")


def describe(path):
    """Read the Description of a data set file, without its images.

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    with hdf5.open_stamped(path, KIND, SCHEMA_VERSION, REMEDY) as file, hdf5.explaining_damage(path, REMEDY):
        train, test = file["train"], file["test"]
        return Description(
            name=hdf5.attribute(file, "name", str),
            classes=_classes(file),
            image_shape=_shape(file),
            train_examples=len(train["labels"]),
            test_examples=len(test["labels"]),
            train_checksum=hdf5.attribute(train, "checksum", str),
            test_checksum=hdf5.attribute(test, "checksum", str),
            listed=hdf5.attribute(file, "listed", str) if "listed" in file.attrs else "",
        )


def _classes(file):
    """Return the class names in an open file, a list of str."""
    classes = json.loads(file.attrs["classes"])
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise ValueError("classes is not a list of names")
    return classes


def _shape(file):
    """Return (channels, height, width) of the images in an open file."""
    if "paths" in file["train"]:
        return (3, *[hdf5.attribute(file, "size", int)] * 2)
    return tuple(int(size) for size in file["train"]["images"].shape[1:])
