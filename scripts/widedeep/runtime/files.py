"""Files that appear whole or not at all, and what to say of files that cannot be written or read."""

import contextlib
import csv
import errno
import glob
import hashlib
import json
import math
import os
import re
import shutil
import stat
from pathlib import Path

from widedeep.runtime.errors import MayBeWhole, UserError

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
_MISSING = {errno.ENOENT, errno.ENOTDIR}
# What the user can do about a file that the system does not read; for other errors, _SEE_SYSTEM.
_READABLE_AGAIN = {
    errno.EACCES: "change the permissions and run again",
    errno.EPERM: "change the permissions and run again",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and run again",
    errno.ENFILE: "close other programs and run again",
    errno.ESTALE: "run again, and mount its file system anew if that does not help",
    errno.ELOOP: "let its symbolic links lead to a file",
}
_SEE_SYSTEM = "check its disk or file server and run again"
# Errors that HDF5 also gets from positions and sizes in damaged files.
_OF_DAMAGE = {errno.EINVAL, errno.EFAULT, errno.EFBIG, errno.EOVERFLOW}


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
        code = _number(error)
        if code not in only:
            raise
        raise UserError(f"{path}: cannot be written: {_MENDABLE[code]}.") from error


def _number(error):
    """Return the system's number (errno) of an OSError, or None; HDF5 reports it inside its message."""
    told = re.search(r"\berrno = (\d+)", str(error))
    return int(told[1]) if told and int(told[1]) not in _OF_DAMAGE else None if told else error.errno


@contextlib.contextmanager
def reading(path, remedy):
    """Open a file for reading, unbuffered; errors of the system in the block are explained.

    Args:
        path: of the file.
        remedy: what the user can do if there is no such file; that error ends with it.

    Yields:
        binary file

    Raises:
        UserError: there is no such file.
        MayBeWhole: it is a folder, or the system does not read it.
    """
    with explaining_unreadable(path, remedy):
        # A pipe would wait for a writer.
        if not stat.S_ISREG(mode := os.stat(path).st_mode):
            found = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
            raise MayBeWhole(f"{path}: is {found} where a file is expected; give a file, or move it away.")
        with open(path, "rb", buffering=0) as file:
            yield file


@contextlib.contextmanager
def explaining_unreadable(path, remedy):
    """Turn an OSError on a missing file, or on one that the system does not read, into a UserError; others pass.

    Args:
        path: of the file.
        remedy: what the user can do if there is no such file; that error ends with it.

    Raises:
        UserError: there is no such file.
        MayBeWhole: the system does not read the file.
    """
    try:
        yield
    except OSError as error:
        if _number(error) in _MISSING:
            raise UserError(f"{path}: no such file; {remedy}.") from None
        check_was_read(path, error)
        raise


def check_was_read(path, error):
    """Raise MayBeWhole if an OSError was raised because the system does not read the file at `path`.

    The libraries that read files raise an OSError for damaged content too, which has no number.
    """
    number = _number(error)
    if number and number not in _MISSING:
        action = _READABLE_AGAIN.get(number, _SEE_SYSTEM)
        raise MayBeWhole(
            f"{path}: cannot be read ({os.strerror(number)}), which does not mean that it is damaged; {action}."
        ) from error


def is_folder(path):
    """Return whether there is a folder at a path."""
    return os.path.isdir(path)


def is_there(path):
    """Return whether there is anything at a path, also where the system does not tell what."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno not in _MISSING
    return True


def checksum(path):
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return checksum_of(file)


def checksum_of(file):
    """Return the SHA-256 of an open binary file, in hexadecimal."""
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
