"""The checksum in front of HDF5 files and checkpoints."""

import zlib

import h5py
import pytest
import torch

from widedeep.formats import hdf5, seals
from widedeep.planning import progress
from widedeep.runtime.errors import MayBeWhole, UserError
from widedeep.training.checkpoint import Checkpoint

REMEDY = "make it again"


@pytest.fixture
def path(tmp_path):
    """A file whose parts lie behind each other as HDF5 put them."""
    with hdf5.creating(tmp_path / "x.h5") as file:
        hdf5.stamp(file, "numbers", 1)
        file["values"] = range(1000)
        file["names"] = ["one", "two"]
    return tmp_path / "x.h5"


def test_the_seal_is_text_that_other_programs_can_check(path):
    content = path.read_bytes()
    text = content[:512].rstrip(b"\0").decode()
    assert (
        text
        == f"widedeep: CRC-32 {zlib.crc32(content[512:]):08x} of the {len(content) - 512} bytes after the first 512\n"
    )
    seals.check(path, REMEDY)


def test_hdf5_itself_reads_past_the_seal(path):
    with h5py.File(path, "r") as file:
        assert file.userblock_size == 512
        assert file["values"][999] == 999


def test_two_files_of_one_content_are_equal_byte_for_byte(path, tmp_path):
    with hdf5.creating(tmp_path / "y.h5") as file:
        hdf5.stamp(file, "numbers", 1)
        file["values"] = range(1000)
        file["names"] = ["one", "two"]
    assert path.read_bytes() == (tmp_path / "y.h5").read_bytes()


def test_every_single_byte_counts(path):
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"x\.h5: .*truncated.*; make it again\."):
            seals.check(path, REMEDY)


def test_every_length_counts(path):
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"x\.h5: .*truncated.*; make it again\."):
            seals.check(path, REMEDY)
    path.write_bytes(content + b"\0")
    with pytest.raises(UserError, match=r"x\.h5: .*damaged.*; make it again\."):
        seals.check(path, REMEDY)


def test_a_damaged_file_never_reaches_hdf5(path, monkeypatch):
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(h5py, "File", None)
    with pytest.raises(UserError, match=r"x\.h5: .*checksum.*; make it again\."):
        hdf5.open_stamped(path, "numbers", 1, REMEDY)


def test_a_file_of_before_there_were_seals_is_one_sentence(tmp_path):
    with h5py.File(tmp_path / "old.h5", "w") as file:
        hdf5.stamp(file, "numbers", 1)
    with pytest.raises(UserError, match=r"old\.h5: .*older.*checksum.*; make it again\."):
        hdf5.open_stamped(tmp_path / "old.h5", "numbers", 1, REMEDY)


def test_a_place_that_holds_no_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path / 'none'}: no such file; make it again."):
        seals.check(tmp_path / "none", REMEDY)


def test_a_file_that_the_system_does_not_read_is_one_sentence(path, monkeypatch):
    def refuse(*_words, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root may read anything
    with pytest.raises(MayBeWhole, match=r"x\.h5: .*Permission denied.*; change the permissions and run again\."):
        seals.check(path, REMEDY)


def test_a_seal_over_other_content_is_one_sentence(path):
    with open(path, "ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match=r"x\.h5: .*checksum.*; make it again\."):
        seals.check(path, REMEDY)


def test_a_file_is_read_once_a_process_until_it_changes(path, monkeypatch):
    seals.check(path, REMEDY)
    count = []
    monkeypatch.setattr(zlib, "crc32", lambda *_: count.append(1) or 0)
    seals.check(path, REMEDY)
    assert not count
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(UserError, match=r"x\.h5: .*damaged.*; make it again\."):
        seals.check(path, REMEDY)
    assert count


def test_a_damaged_checkpoint_never_reaches_torch_and_a_whole_one_tells_its_epoch(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {"a": 1})
    checkpoint.save({"epoch": 6, "weights": torch.zeros(1000)})
    assert progress._checkpoint_epoch(checkpoint.path) == 7
    content = bytearray(checkpoint.path.read_bytes())
    content[len(content) // 2] ^= 1  # among the weights, where torch would not notice
    checkpoint.path.write_bytes(content)
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(UserError, match=r"checkpoint\.pt: .*checksum.*; move it away to train"):
        checkpoint.load()
