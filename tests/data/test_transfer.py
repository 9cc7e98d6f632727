"""Downloads that resume, and archives that may hold anything."""

import gzip
import hashlib
import tarfile

import pytest
import servers
import small_archives

from widedeep.data import transfer
from widedeep.runtime.errors import UserError

CONTENT = bytes(range(256)) * 400
MD5 = hashlib.md5(CONTENT).hexdigest()
UNREACHABLE = "http://127.0.0.1:9/a.tar.gz"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tar.gz"


def partial_of(path):
    return path.with_name(f"{path.name}.partial")


def test_a_server_without_ranges_sends_the_whole_file_again(path):
    partial_of(path).write_bytes(CONTENT[:1000])
    with servers.serving({"/a": CONTENT}, ranges=False) as (address, requests):
        transfer.fetch([f"{address}/a"], path, MD5)
    assert path.read_bytes() == CONTENT
    assert requests == [("/a", "bytes=1000-", len(CONTENT))]


@pytest.mark.parametrize("rest", [b"something else", b"x" * 10**6])
def test_a_rest_of_another_file_is_replaced(path, rest):
    partial_of(path).write_bytes(rest)
    with servers.serving({"/a": CONTENT}) as (address, _):
        transfer.fetch([f"{address}/a"], path, MD5)
    assert path.read_bytes() == CONTENT
    assert not partial_of(path).exists()


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, "404"),
        ({"/a": b"<!DOCTYPE html><p>Please sign in"}, "web page"),
        ({"/a": b"not the archive"}, f"{hashlib.md5(b'not the archive').hexdigest()} .*{MD5}"),
        ({"/a": b""}, f"{hashlib.md5(b'').hexdigest()} .*{MD5}"),
    ],
)
def test_every_address_is_named_with_what_it_sent(path, files, found):
    with servers.serving(files) as (address, _):
        sentence = rf"^a\.tar\.gz: .*{address}/a .*{found}.*; {UNREACHABLE} .*--mirror.*--archive"
        with pytest.raises(UserError, match=sentence):
            transfer.fetch([f"{address}/a", UNREACHABLE], path, MD5)
    assert not list(path.parent.iterdir())


def test_a_server_without_end_is_left(path, monkeypatch):
    monkeypatch.setattr(transfer, "LARGEST", 1000)
    monkeypatch.setattr(transfer, "_CHUNK", 500)
    with servers.serving({"/a": CONTENT}) as (address, _), pytest.raises(UserError, match=f"{address}/a .* 1000 bytes"):
        transfer.fetch([f"{address}/a"], path, MD5)


@pytest.mark.parametrize("address", ["http://[", "http://a b", "https://:x"])
def test_an_impossible_address_is_named(path, address):
    with pytest.raises(UserError) as error:
        transfer.fetch([address], path, MD5)
    assert str(error.value).startswith(f"a.tar.gz: could not be downloaded: {address} ")


@pytest.mark.parametrize(
    "content",
    [small_archives.packed({"wanted": bytes(9999)})[:60], b"", b"text", gzip.compress(b"text")],
    ids=["truncated", "empty", "text", "packed text"],
)
def test_a_truncated_or_other_archive_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tar\.gz: "):
        transfer.extract(path, ["wanted"], path.parent)
    assert [one.name for one in path.parent.iterdir()] == ["a.tar.gz"]


def test_a_missing_archive_is_named(path):
    with pytest.raises(UserError, match=r"a\.tar\.gz: no such file"):
        transfer.extract(path, ["wanted"], path.parent)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_a_link_or_device_in_place_of_a_member_is_refused(path, kind):
    wanted = small_archives.member("wanted", 0)
    wanted.type, wanted.linkname = kind, "/etc/passwd"
    path.write_bytes(small_archives.packed({}, [wanted]))
    (path.parent / "out").mkdir()
    with pytest.raises(UserError, match=r"a\.tar\.gz: .* wanted"):
        transfer.extract(path, ["wanted"], path.parent / "out")
    assert not list((path.parent / "out").iterdir())


class Zeros:
    """An open file of so many zeros."""

    def __init__(self, size):
        self.left = size

    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def write_zeros(path, members):
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for member in members:
            tar.addfile(member, Zeros(member.size))


@pytest.mark.parametrize("name", ["wanted", "other"])
def test_an_archive_that_unpacks_without_end_is_refused(path, monkeypatch, name):
    monkeypatch.setattr(transfer, "LARGEST", 10**6)
    write_zeros(path, [small_archives.member(name, 2 * 10**6), small_archives.member("wanted", 5)])
    with pytest.raises(UserError, match=r"a\.tar\.gz: .* 1000000"):
        transfer.extract(path, ["wanted"], path.parent)
    unpacked = path.parent / "wanted"
    assert not unpacked.exists() or unpacked.stat().st_size < 10**6


def test_an_archive_of_endless_members_is_refused(path):
    write_zeros(path, [small_archives.member(f"m{number}", 0) for number in range(1001)])
    with pytest.raises(UserError, match=r"a\.tar\.gz: .* 1000 files"):
        transfer.extract(path, ["m1"], path.parent)


def test_a_header_of_negative_size_is_refused(path):
    """Python would read the whole archive into memory."""
    extended = small_archives.member("wanted", 1)
    extended.type = tarfile.XHDTYPE
    header = bytearray(extended.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" + (-1000).to_bytes(11, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(gzip.compress(header + bytes(10**6)))
    with pytest.raises(UserError, match=r"a\.tar\.gz: "):
        transfer.extract(path, ["wanted"], path.parent)


def test_damage_anywhere_is_a_sentence_or_does_no_harm(path):
    """What zlib raises is neither an OSError nor a ValueError."""
    archive, _ = small_archives.cifar_archive(*small_archives.cifar_like())
    refused = 0
    for position in range(0, len(archive), len(archive) // 40):
        damaged = bytearray(archive)
        damaged[position : position + 50] = b"\xff" * 50
        path.write_bytes(damaged)
        try:
            transfer.extract(path, ["cifar-10-batches-py/batches.meta"], path.parent)
        except UserError:
            refused += 1
    assert refused > 30
