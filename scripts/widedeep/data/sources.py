"""The content of data sets from their sources. All sources of a data set yield the same content, which is verified."""

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
    """A known data set, verified; what was downloaded for it is removed then.

    Args:
        record: catalogue.DataSet.
        source: one of its sources.
        folder: for downloads.
        mirrors: addresses of folders that hold the official archive.
        archive: a local copy of it, or None.

    Returns:
        Fetched

    Raises:
        UserError: the source cannot be had, or holds something else.
    """
    fetched = record.sources[source](folder, mirrors, archive)
    for split, checksum in zip(("train", "test"), record.checksums, strict=False):
        found = content_checksum(getattr(fetched, split))
        if found != checksum:
            raise UserError(
                f"{record.name}: the content of {split} has checksum {found[:12]} where {checksum[:12]} is expected; "
                "the source holds other images or labels, use another one."
            )
    for path in fetched.downloads:
        path.unlink()
    return fetched


def own_file(name):
    """A data set of one's own, from scripts/datasets/NAME.py.

    That file has a function

        load() -> (train_images, train_labels, test_images, test_labels, classes)

    with images as uint8 (examples, channels, side, side), labels that count the names in `classes` from 0. Its order,
    which may be by class, gives way to that of folders.mixed.

    Returns:
        Fetched

    Raises:
        UserError: the file has no such function, or it returns something else.
    """
    path = catalogue.OWN_FILES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"datasets.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "load"):
        raise UserError(f"{path}: has no function load(); add it (see sources.own_file).")
    train_images, train_labels, test_images, test_labels, classes = module.load()
    splits = [
        Split(np.asarray(x), np.asarray(y)) for x, y in ((train_images, train_labels), (test_images, test_labels))
    ]
    for split in splits:
        images, labels = split.images, split.labels
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2] != images.shape[3]:
            raise UserError(
                f"{path}: load() gives images of type {images.dtype} and shape {images.shape}; "
                "uint8 (examples, channels, side, side) is expected."
            )
        if labels.shape != images.shape[:1] or not np.isin(labels, np.arange(len(classes))).all():
            raise UserError(
                f"{path}: load() gives labels that are not one number below {len(classes)} for each image; mend it."
            )
    train, test = (_mixed(split) for split in splits)
    return Fetched(train, test, list(classes))


def _mixed(split):
    order = folders.mixed(split.labels, range(len(split.labels)))
    return Split(split.images[order], split.labels[order])


def addresses(mirrors, official, filename):
    """Where a file may be downloaded from, the official address last."""
    return [f"{mirror.rstrip('/')}/{filename}" for mirror in mirrors] + [official]


@contextlib.contextmanager
def workplace(folder):
    """A temporary folder below `folder`, where there is room for a data set; older ones, of killed processes, go."""
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
