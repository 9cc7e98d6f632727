"""Files that appear whole or not at all."""

import contextlib
import csv
import errno
import glob
import hashlib
import json
import math
import os
import shutil
from pathlib import Path

from widedeep.runtime.errors import UserError

_MENDABLE = {
    errno.ENOSPC: "the disk is full; make room and run again",
    errno.EDQUOT: "the disk quota is used up; make room and run again",
    errno.EACCES: "no permission to write there; change the permissions or choose another place",
    errno.EPERM: "no permission to write there; change the permissions or choose another place",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOTDIR: "a part of the path is a file where a folder is expected; move it away",
    errno.EEXIST: "a part of the path is a file where a folder is expected; move it away",
}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`, which takes its place when the block ends well.

    The name is unique to the process, so that two writers never share one file, and the content is on disk before the
    rename, so that a power cut leaves the old file or the new one. If the block raises, nothing remains.

    Args:
        path: the file to write; its folder is made if it does not exist.

    Yields:
        pathlib.Path of the file to fill.

    Raises:
        UserError: the place cannot be written to (full, read-only, no permission, removed meanwhile).
    """
    path = Path(path)
    unfinished = unfinished_of(path, f"{os.uname().nodename}.{os.getpid()}")
    with explaining_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
            with open(unfinished, "rb") as file:
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except OSError as error:
            if path.parent.is_dir():
                raise
            raise UserError(f"{path}: cannot be written: its folder was removed meanwhile; run again.") from error
        finally:
            unfinished.unlink(missing_ok=True)


def unfinished_of(path, process):
    """Where a process writes what will become `path`."""
    return path.with_name(f".{path.name}.{process}.unfinished{path.suffix}")


def remove_unfinished(path):
    """Remove what killed processes left of `path`, a file or a folder; only its sole writer may (locking.py)."""
    path = Path(path)
    for left in path.parent.glob(unfinished_of(Path(glob.escape(path)), "*").name):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


@contextlib.contextmanager
def explaining_os_errors(path, only=frozenset(_MENDABLE)):
    """Turn the operating system's refusals to write `path` into a UserError; other errors pass.

    Args:
        path: for the error's words.
        only: numbers of the errors to explain.
    """
    try:
        yield
    except OSError as error:
        # HDF5 reports the system's error number inside its message.
        code = error.errno or next((code for code in _MENDABLE if f"errno = {code}," in str(error)), None)
        if code not in only:
            raise
        raise UserError(f"{path}: cannot be written: {_MENDABLE[code]}.") from error


def checksum(path):
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path, value):
    """Write `value` to `path` as indented JSON, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_csv(path, lines, floats="{}"):
    """Write a table without pandas, whose import takes longer than the table.

    Args:
        path: of the file.
        lines: list of dicts with the same keys, at least one; NaN becomes an empty cell.
        floats: the format of floats; as they are, they are read back with the same bits.
    """
    with replacing(path) as unfinished, open(unfinished, "w", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys(), lineterminator="\n")
        writer.writeheader()
        for line in lines:
            writer.writerow({key: _cell(value, floats) for key, value in line.items()})


def _cell(value, floats):
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else floats.format(value)
