"""Files that appear whole or not at all, and the words for places that cannot be written to."""

import errno
import os
import subprocess

import h5py
import pytest

from widedeep import files
from widedeep.errors import UserError


def write(path, text="new"):
    with files.replacing(path) as unfinished:
        unfinished.write_text(text)


def test_makes_the_folder_and_leaves_nothing_else(tmp_path):
    write(tmp_path / "a" / "b.txt")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as unfinished:  # noqa: PT012
        unfinished.write_text("half")
        assert path.read_text() == "old"
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.txt"]


def test_the_content_is_on_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: events.append("fsync") or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda a, b: events.append("replace") or replace(a, b))
    write(tmp_path / "x")
    assert events == ["fsync", "replace"]


def test_two_writers_do_not_share_a_file(tmp_path, monkeypatch):
    with files.replacing(tmp_path / "x") as mine:
        monkeypatch.setattr(os, "getpid", lambda: 1)
        with files.replacing(tmp_path / "x") as theirs:
            assert mine != theirs
            theirs.write_text("theirs")
        mine.write_text("mine")
    assert (tmp_path / "x").read_text() == "mine"


def test_a_file_in_place_of_a_folder_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/x: cannot be written: a part of the path is a file"):
        write(tmp_path / "file" / "x")


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 256 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted without root rights")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_explained_and_leaves_nothing(tiny_disk):
    with pytest.raises(UserError, match=r"x: cannot be written: the disk is full; make room and run again"):
        write(tiny_disk / "x", "x" * 10**6)
    assert not list(tiny_disk.iterdir())


def test_a_full_disk_under_hdf5_is_explained_too(tiny_disk):
    with pytest.raises(UserError, match="the disk is full"), files.replacing(tiny_disk / "x.h5") as unfinished:  # noqa: SIM117
        with h5py.File(unfinished, "w") as file:
            file["x"] = [0.0] * 10**6
    assert not list(tiny_disk.iterdir())


def test_a_read_only_file_system_is_explained(tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(UserError, match="the file system is read-only"):
        write(tiny_disk / "x")


def test_missing_permission_is_explained(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(os, "replace", refuse)  # root may write anywhere, so the system's answer is played
    with pytest.raises(UserError, match="no permission to write there"):
        write(tmp_path / "x")


def test_other_errors_of_the_system_keep_their_traceback(tmp_path):
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "x"):
        open(tmp_path / "none")  # noqa: SIM115


def test_json_refuses_what_json_has_not(tmp_path):
    files.write_json(tmp_path / "a.json", {"x": 1})
    assert (tmp_path / "a.json").read_text() == '{\n  "x": 1\n}\n'
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(tmp_path / "b.json", {"x": float("nan")})
    assert not (tmp_path / "b.json").exists()
