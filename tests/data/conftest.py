"""Known data sets with small content of ours, and official hosts that cannot be reached."""

import hashlib

import pytest
import small
import small_archives
from torchvision.datasets import CIFAR10, FashionMNIST

UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture
def official(monkeypatch):
    """(archive, train, test): the bytes of an archive that counts as CIFAR-10's official one, and its content."""
    train, test = small_archives.cifar_like()
    archive, sums = small_archives.cifar_archive(train, test)
    small_archives.believe(monkeypatch, archive, sums)
    small_archives.expect(monkeypatch, "cifar10", train, test)
    monkeypatch.setattr(CIFAR10, "url", f"{UNREACHABLE}/{small_archives.CIFAR_ARCHIVE}")
    return archive, train, test


@pytest.fixture
def fashion(monkeypatch):
    """(files, train, test): the bytes of four files that count as Fashion-MNIST's by name, and their content."""
    train, test = (small.split(n, n, 1, 28, 10) for n in (60, 20))
    contents = small_archives.idx_files(train, test)
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in contents.items()]
    monkeypatch.setattr(FashionMNIST, "resources", resources)
    monkeypatch.setattr(FashionMNIST, "mirrors", [f"{UNREACHABLE}/"])
    small_archives.expect(monkeypatch, "fashion-mnist", train, test)
    return contents, train, test
