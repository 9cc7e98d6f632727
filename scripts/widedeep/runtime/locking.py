"""One writer for the files of a job: a second process with the same job waits until the first one ends.

A Snakemake that is killed (`kill -9`) leaves its jobs running. The next Snakemake starts them again, perhaps with
another config, and its results must be the ones that remain.
"""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

from widedeep.runtime import files
from widedeep.runtime.interruption import Interrupted

_POLL = 0.5
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def path_of(written):
    """Return the path of the lock file of the job whose first file is `written`."""
    return Path(written).with_name(f".{Path(written).name}.lock")


@contextlib.contextmanager
def only_writer(paths, stop=None):
    """Hold the lock of a job; wait while another process, on this or another node, holds it.

    The system releases the lock of a process that dies. Temporary files that such a process left of `paths` are removed
    once the lock is held. When the block ends, the lock file goes, and the folders that were made for it if they are
    empty.

    Args:
        paths: list of the files that the job writes. The first one identifies the job; its folder is made if it does
            not exist.
        stop: interruption.StopSignal that ends the waiting; None leaves signals as they are.

    Yields:
        bool: whether this process had to wait for another one.

    Raises:
        Interrupted: a stop signal came while this process waited.
        UserError: the folder cannot be written to.
    """
    waited = False
    while True:
        with _attempt(paths) as locked:
            if locked is not False:
                yield waited
                return
        if not waited:
            print(f"{paths[0]}: another process writes this; waiting until it has ended.", flush=True)
        waited = True
        if stop and stop.name:
            raise Interrupted
        time.sleep(_POLL)


@contextlib.contextmanager
def writer_if_free(paths, note=""):
    """Hold the lock of a job as `only_writer` does, if no other process holds it.

    Args:
        paths: see `only_writer`.
        note: text that `note_of` returns to others while this process holds the lock.

    Yields:
        bool: whether this process holds it; never on a file system without locks.
    """
    with _attempt(paths, note) as locked:
        yield bool(locked)


def note_of(written):
    """The note of the process that holds the lock of the job whose first file is `written`, or an empty text.

    Never call it with that lock held: the system takes a lock away from who closes the file elsewhere.
    """
    with contextlib.suppress(OSError):
        return path_of(written).read_text()
    return ""


@contextlib.contextmanager
def _attempt(paths, note=""):
    """Try once to take the lock of a job; yields what `_is_locked` returns, and releases it in the end."""
    first = Path(paths[0])
    missing = [folder for folder in first.parents if not folder.exists()]
    with contextlib.ExitStack() as stack:
        while True:
            with files.explaining_os_errors(first):
                first.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(path_of(first), "a"))
            locked = _is_locked(file)
            if not locked or _is_at(path_of(first), file):
                break
            stack.close()  # the process that held this lock has just removed the file
        if locked:
            stack.callback(_remove, path_of(first), missing)
            file.truncate(0)  # the note of a process that was killed
            file.write(note)
            file.flush()
            for path in paths:
                files.remove_unfinished(path)
        yield locked


def _is_locked(file):
    """Try to take the lock: True if it is ours, False if another process has it, None if there are no locks here."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno not in _NO_LOCKS_HERE:
            raise
        print(f"{file.name}: this file system has no locks; never run two Snakemakes on one study here.", flush=True)
        return None
    return True


def _is_at(path, file):
    """Return whether an open file is still the one at its path; the process that held the lock may have removed it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _remove(path, folders):
    """Remove the lock file while it is locked, then the folders, innermost first, until one is not empty."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        for folder in folders:
            folder.rmdir()
