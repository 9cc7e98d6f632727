"""What is known of data sets before their images are there: one record each, in a file of data/known/.

Data sets of one's own need no record: a folder of images, or a file scripts/datasets/NAME.py (sources.own_file).
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

# Data sets of one's own: scripts/datasets/NAME.py with a function load().
OWN_FILES = Path(__file__).parents[2] / "datasets"


class Fetched(NamedTuple):
    """The content of a data set as it comes from a source.

    Attributes:
        train, test: dataset.Split.
        classes: their names; labels count from 0 in their order.
        downloads: paths of the files that were downloaded for it, which are removed once the content is verified.
    """

    train: object
    test: object
    classes: list
    downloads: list = []


@dataclass(frozen=True)
class DataSet:
    """A known data set.

    Attributes:
        name: in configs, paths and file attributes.
        train_examples, test_examples: numbers of images.
        channels, side: of an image, in pixels; the images are square.
        classes: number of classes.
        sources: dict from the name of a source to a function (folder for downloads, mirrors, archive) that returns
            Fetched; the first is the default. Empty where the images come from a folder of the user's.
        checksums: dataset.content_checksum of the training and the test split, the same for all sources.
        archive: file name of the official archive, where it is one file.
        mirrored: whether a mirrored image belongs to the same class.
    """

    name: str
    train_examples: int
    test_examples: int
    channels: int
    side: int
    classes: int
    sources: dict[str, Callable] = field(default_factory=dict)
    checksums: tuple = ()
    archive: str | None = None
    mirrored: bool = True


def _records():
    from widedeep.data import known

    modules = [
        importlib.import_module(f"{known.__name__}.{found.name}") for found in pkgutil.iter_modules(known.__path__)
    ]
    return {record.name: record for module in modules for record in module.DATA_SETS}


KNOWN = _records()
# Those that need no folder of the user's.
WITH_SOURCES = {name: record for name, record in KNOWN.items() if record.sources}


def own_file(name):
    """The path of the file that loads a data set of one's own; None if there is none, or the data set is a known one."""
    path = OWN_FILES / f"{name}.py"
    return path if name not in WITH_SOURCES and path.exists() else None


@dataclass(frozen=True)
class Images:
    """How many images a data set has, their shape and the number of their classes; without the images.

    Attributes:
        train_examples, test_examples: of both splits.
        shape: (channels, height, width).
        classes: number of classes.
    """

    train_examples: int
    test_examples: int
    shape: tuple
    classes: int

    @classmethod
    def described(cls, found):
        """From the dataset.Description of a data set's file."""
        return cls(found.train_examples, found.test_examples, found.image_shape, len(found.classes))

    @classmethod
    def of(cls, record, side=None):
        """From a DataSet, whose images may be scaled to another side."""
        shape = (record.channels, side or record.side, side or record.side)
        return cls(record.train_examples, record.test_examples, shape, record.classes)
