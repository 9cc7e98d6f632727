"""Files that the system does not read: none of them is called damaged, and no advice removes one or makes it again."""

import contextlib
import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import h5py
import no_locks
import pytest
import small
import small_dumps
from PIL import Image

from widedeep.data import folders, loading, transfer
from widedeep.formats import dataset, dumps, hdf5, metrics, seals, tables, weights
from widedeep.runtime import files, provenance
from widedeep.runtime.errors import MayBeWhole, UserError
from widedeep.training.checkpoint import Checkpoint

SCRIPTS = Path("scripts").resolve()
READERS = {
    "activations.h5": dumps.Dump,
    "dataset.h5": dataset.describe,
    "model.safetensors": lambda path: weights.load(path, small.CPU),
    "checkpoint.pt": lambda path: Checkpoint(path, {}).load(),
    "metrics.json": lambda path: metrics.read([path]),
    "provenance.json": provenance.read,
    "history.csv": tables.check,
    "fig1.png": tables.check,
    "fig1.pdf": tables.check,
    "findings.md": tables.check,
    "images.tar.gz": lambda path: transfer.extract(path, ["a"], path.parent),
}


def refused(read, *words):
    """What is said of a file that is not read; it does no harm."""
    with pytest.raises(MayBeWhole) as no:
        read(*words)
    said = str(no.value)
    assert not [
        advice for advice in ("again (", "make it again", "train it", "delete", "download it") if advice in said
    ]
    return said


@pytest.mark.parametrize("name", READERS)
def test_an_error_of_the_disk_is_not_called_damage(tmp_path, name):
    (tmp_path / name).symlink_to("/proc/self/mem")  # a regular file whose first byte gives an I/O error
    said = refused(READERS[name], tmp_path / name)
    assert said.startswith(f"{tmp_path / name}: cannot be read (Input/output error), which does not mean")


@pytest.mark.parametrize("name", READERS)
def test_a_link_to_itself_is_not_called_damage(tmp_path, name):
    (tmp_path / name).symlink_to(name)
    assert "symbolic links" in refused(READERS[name], tmp_path / name)


@pytest.mark.parametrize("name", [name for name in READERS if name != "images.tar.gz"])
def test_a_folder_and_a_pipe_are_called_what_they_are(tmp_path, name):
    (tmp_path / name).mkdir()
    assert f"{name}: is a folder where a" in refused(READERS[name], tmp_path / name)
    (tmp_path / name).rmdir()
    os.mkfifo(tmp_path / name)
    assert f"{name}: is a device or pipe where a file is expected; " in refused(READERS[name], tmp_path / name)


@pytest.mark.parametrize(
    ("number", "action"),
    [(errno.EACCES, "permissions"), (errno.EMFILE, "ulimit -n"), (errno.ESTALE, "mount"), (errno.ETIMEDOUT, "server")],
)
def test_what_to_do_follows_from_the_error(tmp_path, number, action):
    said = refused(raise_in, files.explaining_unreadable(tmp_path / "x", "make it again"), OSError(number, "no"))
    assert os.strerror(number) in said
    assert action in said


def raise_in(context, error):
    with context:
        raise error


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO, errno.ESTALE])
def test_an_error_that_hdf5_reports_in_words_is_not_called_damage(number):
    error = OSError(f"Can't synchronously read data (file read failed: errno = {number}, error message = 'x')")
    assert os.strerror(number) in refused(raise_in, hdf5.explaining_damage("x.h5", "make it again"), error)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EFAULT])
def test_an_error_that_hdf5_gets_from_a_wrong_position_is_damage(number):
    error = OSError(f"Can't synchronously read data (file read failed: errno = {number}, error message = 'x')")
    with pytest.raises(UserError, match=r"x\.h5: .*damaged.*; make it again\.") as no:
        raise_in(hdf5.explaining_damage("x.h5", "make it again"), error)
    assert not isinstance(no.value, MayBeWhole)


def test_too_many_open_files_are_not_called_damage(tmp_path):
    small_dumps.write(tmp_path / "x.h5")
    dumps.Dump(tmp_path / "x.h5").__exit__()  # what is imported or compared once is not opened again
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 5, limits[1]))
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        said = refused(dumps.Dump, tmp_path / "x.h5")
        os.close(held.pop())  # the seal can be compared again, and HDF5 opens its file too
        with dumps.Dump(tmp_path / "x.h5"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for one in held:
            os.close(one)
    assert "ulimit -n" in said


def test_images_of_a_folder_that_are_not_read_are_not_called_damaged(tmp_path):
    for folder in (tmp_path / "images/a", tmp_path / "images/b"):
        folder.mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(folder / f"{number}.png")
    (folder / "3.png").unlink()
    (folder / "3.png").symlink_to("/proc/self/mem")
    assert "3.png: cannot be read (Input/output error)" in refused(folders.image_folder, tmp_path / "images", 8)


def test_images_that_are_not_read_any_more_are_not_called_truncated(tmp_path, monkeypatch):
    small.write_dataset(tmp_path / "dataset.h5")

    def fail(*_words):
        raise OSError(errno.ESTALE, "stale")

    with loading.opened(tmp_path / "dataset.h5", "train") as split:
        monkeypatch.setattr(os, "preadv", fail)
        assert "dataset.h5: cannot be read" in refused(split.images.read, [0])


def test_a_missing_file_stays_a_missing_one(tmp_path):
    for name, read in READERS.items():
        if name != "checkpoint.pt":
            with pytest.raises(UserError, match="no such file; ") as no:
                read(tmp_path / name)
            assert not isinstance(no.value, MayBeWhole)
    assert READERS["checkpoint.pt"](tmp_path / "checkpoint.pt") is None


def test_files_are_read_and_written_where_no_file_can_be_locked(tmp_path):
    small_dumps.write(tmp_path / "activations.h5")
    words = ["compute_cka.py", tmp_path / "activations.h5", "--out", tmp_path / "cka.h5"]
    environment = no_locks.environment(tmp_path)
    ran = subprocess.run([sys.executable, *words], cwd=SCRIPTS, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    seals.check(tmp_path / "cka.h5", "make it again")
    # The library does what it is for: HDF5 with its lock opens nothing there.
    locked = subprocess.run(
        [sys.executable, "-c", "import h5py, sys; h5py.File(sys.argv[1], 'r', locking=True)", tmp_path / "cka.h5"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "unable to lock file" in locked.stderr


def test_no_file_is_opened_with_the_lock_of_hdf5():
    """All go through hdf5.py; a lock is asked for by default."""
    opening = [path for path in SCRIPTS.rglob("*.py") if "h5py.File(" in path.read_text()]
    assert sorted(path.name for path in opening) == ["hdf5.py", "throughput.py"]  # that one stays in memory
    with h5py.File("x", "w", driver="core", backing_store=False) as file:
        assert file
