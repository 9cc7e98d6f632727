"""Records of the known data sets, one each, in the files of data/known/; they need no images.

A new known data set is one more file there. A user's own data set needs no record: it comes from a folder of images,
or from a file scripts/datasets/NAME.py (sources.load_own_file).
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

# The folder of data sets of users: NAME.py with a function load().
OWN_FILES = Path(__file__).parents[2] / "datasets"


class Fetched(NamedTuple):
    """The content of a data set from one of its sources.

    Attributes:
        train, test: dataset.Split.
        classes: list of class names; labels count from 0 in their order.
        downloads: paths of the downloaded files, which are removed once the content is verified.
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
        channels: of an image.
        side: of an image, in pixels; images are square.
        classes: number of classes.
        sources: dict from the name of a source to a function (folder for downloads, mirrors, archive) that returns
            Fetched; the first source is the default. Empty if the images come from a folder of the user.
        checksums: dataset.content_checksum of the training and the test split, the same for all sources.
        archive: file name of the official archive, if it is one file.
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
# The known data sets that need no folder of the user.
WITH_SOURCES = {name: record for name, record in KNOWN.items() if record.sources}


def own_file(name):
    """Return the path of the file of a user's data set; None if there is none, or the name is that of a known one."""
    path = OWN_FILES / f"{name}.py"
    return path if name not in WITH_SOURCES and path.exists() else None


@dataclass(frozen=True)
class Images:
    """The numbers of a data set that costs depend on: images, their shape, and classes.

    Attributes:
        train_examples, test_examples: numbers of images.
        shape: (channels, height, width).
        classes: number of classes.
    """

    train_examples: int
    test_examples: int
    shape: tuple
    classes: int

    @classmethod
    def described(cls, found):
        """Return the Images of a dataset.Description."""
        return cls(found.train_examples, found.test_examples, found.image_shape, len(found.classes))

    @classmethod
    def of(cls, record, side=None):
        """Return the Images of a DataSet, downscaled to `side` pixels unless this is None."""
        shape = (record.channels, side or record.side, side or record.side)
        return cls(record.train_examples, record.test_examples, shape, record.classes)
