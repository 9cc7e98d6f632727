"""The content of data sets from their sources; all sources of a known data set yield the same, verified content."""

import contextlib
import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np

from widedeep.data import catalogue, folders
from widedeep.data.catalogue import Fetched
from widedeep.formats.dataset import Split, content_checksum
from widedeep.runtime import files
from widedeep.runtime.errors import UserError


def known(record, source, folder, mirrors=(), archive=None):
    """Fetch a known data set, verify its content, and remove the downloads.

    Args:
        record: catalogue.DataSet.
        source: name of one of its sources.
        folder: for downloads.
        mirrors: addresses of folders that hold the official archive.
        archive: local copy of the official archive, or None.

    Returns:
        Fetched

    Raises:
        UserError: the source fails, or holds other content.
    """
    fetched = record.sources[source](folder, mirrors, archive)
    for split, checksum in zip(("train", "test"), record.checksums, strict=False):
        found = content_checksum(getattr(fetched, split))
        if found != checksum:
            raise UserError(
                f"{record.name}: the content of {split} has checksum {found[:12]} where {checksum[:12]} is expected; "
                "use another source, since this one has other images or labels."
            )
    for path in fetched.downloads:
        path.unlink()
    return fetched


def load_own_file(name):
    """Load a user's own data set from scripts/datasets/NAME.py.

    The file has a function

        load() -> (train_images, train_labels, test_images, test_labels, classes)

    Images are uint8 arrays (examples, channels, side, side). Labels are positions in `classes`, the list of class
    names. Examples may come in any order, also by class: they get the order of folders.stratified_order.

    Args:
        name: of the data set.

    Returns:
        Fetched

    Raises:
        UserError: the file has no such function, or the function returns something else, less than two classes, or
            images that are all the same.
    """
    path = catalogue.OWN_FILES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"datasets.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "load"):
        raise UserError(f"{path}: has no function load(); add it as data/sources.py says.")
    train_images, train_labels, test_images, test_labels, classes = module.load()
    splits = [
        Split(np.asarray(x), np.asarray(y)) for x, y in ((train_images, train_labels), (test_images, test_labels))
    ]
    if len(classes) < 2:
        raise UserError(f"{path}: load() returns {len(classes)} classes, and networks need two or more; add classes.")
    for split in splits:
        images, labels = split.images, split.labels
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2] != images.shape[3]:
            raise UserError(
                f"{path}: load() returns images of type {images.dtype} and shape {images.shape}; "
                "return uint8 (examples, channels, side, side)."
            )
        if labels.shape != images.shape[:1] or not np.isin(labels, np.arange(len(classes))).all():
            raise UserError(
                f"{path}: load() returns labels of shape {labels.shape} for {len(images)} images; return one whole "
                f"number from 0 to {len(classes) - 1} for each."
            )
        folders.check_variety(f"{path}: load()", images)
    train, test = (_mixed(split) for split in splits)
    return Fetched(train, test, list(classes))


def _mixed(split):
    order = folders.stratified_order(split.labels, range(len(split.labels)))
    return Split(split.images[order], split.labels[order])


def addresses(mirrors, official, filename):
    """Return the addresses to try for a file: on the mirrors, then the official one.

    Args:
        mirrors: addresses of folders.
        official: address of the file.
        filename: name of the file on the mirrors.
    """
    return [f"{mirror.rstrip('/')}/{filename}" for mirror in mirrors] + [official]


@contextlib.contextmanager
def workplace(folder):
    """Yield a temporary folder below `folder`, which has room for a data set; removes those of killed processes."""
    unpacked = Path(folder, "unpacked")
    place = files.unfinished_of(unpacked, os.getpid())
    with files.explaining_os_errors(folder):
        place.parent.mkdir(parents=True, exist_ok=True)
        files.remove_unfinished(unpacked)
        place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
