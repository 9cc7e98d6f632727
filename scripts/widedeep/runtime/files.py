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
    """Yield a temporary path, whose file replaces `path` when the block ends without an error.

    The temporary name belongs to this process, so two writers never share a file. The content is on disk before the
    rename, so a power cut leaves the old file or the new one. If the block raises, the temporary file is removed.

    Args:
        path: the file to write; its folder is made if it does not exist.

    Yields:
        pathlib.Path of the temporary file, beside `path`.

    Raises:
        UserError: the file cannot be written: the disk is full or read-only, the permission is missing, or the folder
            was removed meanwhile.
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
    """Return the temporary path of a file that a process is writing."""
    return path.with_name(f".{path.name}.{process}.unfinished{path.suffix}")


def remove_unfinished(path):
    """Remove the temporary files and folders that killed processes left of `path`.

    Call it only while holding the lock of `path` (locking.py): another writer's file may be among them.
    """
    path = Path(path)
    for left in path.parent.glob(unfinished_of(Path(glob.escape(path)), "*").name):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


@contextlib.contextmanager
def explaining_os_errors(path, only=frozenset(_MENDABLE)):
    """Turn an OSError that the user can mend, as of a full disk, into a UserError; other errors pass.

    Args:
        path: the file that the message names.
        only: numbers (errno) of the errors to explain.

    Raises:
        UserError: one of these errors was raised in the block.
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
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path, value):
    """Write `value` to `path` as indented JSON, whole or not at all; NaN raises a ValueError."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_csv(path, lines, floats="{}"):
    """Write a CSV table, without pandas, which takes longer to import than to write it.

    Args:
        path: of the file.
        lines: list of at least one dict, all with the same keys; NaN becomes an empty cell.
        floats: format of floats; the default keeps all bits.
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
