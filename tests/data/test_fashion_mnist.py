"""Fashion-MNIST from a mirror, a local folder and Debian's package."""

import gzip
import os

import numpy as np
import pytest
import servers
import small_archives

from widedeep.data import loading, transfer
from widedeep.data.known import fashion_mnist
from widedeep.formats import dataset
from widedeep.runtime.errors import UserError


def test_a_mirror_a_folder_and_debian_give_the_same_content(fashion, tmp_path, monkeypatch):
    contents, train, test = fashion
    local = tmp_path / "local"
    local.mkdir()
    for name, content in contents.items():
        (local / name).write_bytes(content)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", local)
    with servers.serving({f"/fm/{name}": content for name, content in contents.items()}) as (address, _):
        ways = [["--mirror", f"{address}/fm/"], ["--archive", local], ["--source", "debian"]]
        for way in ways:
            out = tmp_path / way[0].strip("-")
            small_archives.run(["--dataset", "fashion-mnist", "--out", out / "dataset.h5", *way])
            np.testing.assert_array_equal(loading.read(out / "dataset.h5", "train").images, train.images)
            np.testing.assert_array_equal(loading.read(out / "dataset.h5", "test").labels, test.labels)
            assert os.listdir(out) == ["dataset.h5"]
    assert len(os.listdir(local)) == 4


def test_damaged_idx_files_and_a_missing_package_are_named(fashion, tmp_path, monkeypatch):
    contents, _, _ = fashion
    name = "t10k-images-idx3-ubyte.gz"
    monkeypatch.setattr(transfer, "LARGEST", 4 * 10**5)
    bomb = gzip.compress(bytes(10**6))
    broken = [bomb, contents[name][:500], b"text", gzip.compress(b"\0" * 50), gzip.compress(b"\0\0\x08\x03\0\0")]
    for content in broken:
        for path, whole in contents.items():
            (tmp_path / path).write_bytes(whole)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: .*IDX"):
            fashion_mnist.official(tmp_path / "out", (), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file"):
        fashion_mnist.official(tmp_path / "out", (), tmp_path)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "none")
    with pytest.raises(UserError, match="none: .*dataset-fashion-mnist.*official"):
        fashion_mnist.debian(tmp_path, (), None)


def test_the_images_can_be_made_smaller(fashion, tmp_path):
    contents, train, _ = fashion
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "out/dataset.h5"
    small_archives.run(["--dataset", "fashion-mnist", "--archive", tmp_path, "--image-size", "14", "--out", path])
    assert dataset.describe(path).image_shape == (1, 14, 14)
    np.testing.assert_array_equal(loading.read(path, "train").images, loading.downscaled(train, 14).images)
