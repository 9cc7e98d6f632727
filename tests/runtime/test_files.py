"""Files that appear whole or not at all, and the words for places that cannot be written to."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from widedeep.formats import hdf5
from widedeep.runtime import files
from widedeep.runtime.errors import UserError
from widedeep.training.checkpoint import Checkpoint

FULL = "the disk is full; make room and run again"
SCRIPTS = Path(__file__).parents[2] / "scripts"


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
    with pytest.raises(UserError, match=r"file/x: .*path.*file"):
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
    with pytest.raises(UserError, match=r"disk/x: .*disk is full"):
        write(tiny_disk / "x", "x" * 10**6)
    assert not list(tiny_disk.iterdir())


def write_hdf5(path):
    """Small chunks, which HDF5 writes when a dataset is closed, and much metadata, which it writes at the end."""
    with hdf5.creating(path) as file:
        for number in range(15):
            values = file.create_dataset(f"values{number}", (4, 300), chunks=(1, 300), dtype="float32")
            values[:] = number


def write_checkpoint(path):
    Checkpoint(path, {}).save([torch.zeros(20_000), [torch.zeros(100)] * 10])


@pytest.mark.parametrize("write_file", [write_hdf5, write_checkpoint])
def test_a_disk_that_is_full_anywhere_in_a_file_is_explained(tiny_disk, write_file, capfd):
    outcomes = set()
    for free in range(0, 256, 4):
        (tiny_disk / "ballast").write_bytes(bytes(1024 * (256 - free)))
        try:
            write_file(tiny_disk / "x")
            outcomes.add("whole")
            (tiny_disk / "x").unlink()
        except UserError as error:
            outcomes.add(str(error).removeprefix(str(tiny_disk)))
            assert [path.name for path in tiny_disk.iterdir()] == ["ballast"]
    assert outcomes == {"whole", f"/x: cannot be written: {FULL}."}
    # HDF5 and h5py print what they cannot raise.
    assert capfd.readouterr().err == ""


def test_room_that_is_made_too_late_does_not_hide_what_is_lost(tiny_disk):
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(200 * 1024))
    with pytest.raises(UserError, match=FULL), hdf5.creating(tiny_disk / "x.h5") as file:  # noqa: PT012
        for number in range(30):
            file.create_dataset(f"values{number}", (4, 300), chunks=(1, 300), dtype="float32")[:] = number
        ballast.unlink()
    assert not list(tiny_disk.iterdir())


def test_a_read_only_file_system_is_explained(tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(UserError, match=r"disk/x: .*read-only"):
        write(tiny_disk / "x")


def test_missing_permission_is_explained(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(os, "replace", refuse)  # root may write anywhere, so the system's answer is played
    with pytest.raises(UserError, match="/x: .*permission"):
        write(tmp_path / "x")


def fill_text(path):
    path.write_text("x")


def fill_table(path):
    pd.DataFrame({"x": [1]}).to_csv(path)


def fill_after_all(path):
    """As where the folder vanishes behind a file that is open."""


@pytest.mark.parametrize("fill", [fill_text, fill_table, fill_after_all])
def test_a_folder_that_vanishes_is_explained(tmp_path, fill):
    path = tmp_path / "gone/x"
    with pytest.raises(UserError, match="gone/x: .*folder.*removed"), files.replacing(path) as place:  # noqa: PT012
        path.parent.rmdir()
        fill(place)


def test_other_errors_of_the_system_keep_their_traceback(tmp_path):
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "x"):
        open(tmp_path / "none")  # noqa: SIM115


def test_json_refuses_what_json_has_not(tmp_path):
    files.write_json(tmp_path / "a.json", {"x": 1})
    assert (tmp_path / "a.json").read_text() == '{\n  "x": 1\n}\n'
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(tmp_path / "b.json", {"x": float("nan")})
    assert not (tmp_path / "b.json").exists()


# Writes generation after generation of one HDF5 file and one checkpoint, each of one number throughout.
GENERATIONS = """
import itertools, sys
import torch
from widedeep.formats import hdf5
from widedeep.training.checkpoint import Checkpoint
for number in itertools.count():
    with hdf5.creating(sys.argv[1] + "/x.h5") as file:
        hdf5.stamp(file, "numbers", 1)
        file.create_dataset("values", (50, 1000), chunks=(1, 1000), dtype="int64")[...] = number
    Checkpoint(sys.argv[1] + "/x.pt", {}).save({"values": torch.full((50_000,), number)})
"""


def test_readers_during_writes_see_one_whole_generation_or_another(tmp_path):
    seen = {"x.h5": set(), "x.pt": set()}
    with subprocess.Popen([sys.executable, "-c", GENERATIONS, tmp_path], cwd=SCRIPTS) as writer:
        while not (tmp_path / "x.pt").exists():
            assert writer.poll() is None
        while min(map(len, seen.values())) < 30:
            with hdf5.open_stamped(tmp_path / "x.h5", "numbers", 1, "make it again") as file:
                values = file["values"][...]
            seen["x.h5"].add(np.unique(values).item())
            state = Checkpoint(tmp_path / "x.pt", {}).load()
            seen["x.pt"].add(torch.unique(state["values"]).item())
        # One that is open stays what it was.
        with hdf5.open_stamped(tmp_path / "x.h5", "numbers", 1, "make it again") as file:
            before = (tmp_path / "x.h5").stat().st_ino
            while (tmp_path / "x.h5").stat().st_ino == before:
                pass
            assert len(np.unique(file["values"][...])) == 1
        writer.kill()
