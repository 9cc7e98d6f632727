"""One writer for the files of a job: a second process with the same job waits until the first has ended.

A Snakemake that was killed (`kill -9`) leaves its jobs running, and the next one starts them again, perhaps with
another config. The one that began later has to write last.
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
    """The lock file of the job whose first file is `written`."""
    return Path(written).with_name(f".{Path(written).name}.lock")


@contextlib.contextmanager
def only_writer(paths, stop=None):
    """Hold the lock of a job; wait while another process, on this or another node, holds it.

    The system releases a lock when its process dies, however it dies. What such a process left half written of `paths`
    is removed; the lock file, and folders that were made for it, go when the block ends and hold nothing else.

    Args:
        paths: list of the files that the job writes; the first one stands for the job, and its folder is made if it
            does not exist.
        stop: interruption.StopSignal that ends the waiting; without one, a signal ends the process as usual.

    Yields:
        whether another process was waited for.

    Raises:
        Interrupted: told to stop while it waited.
        UserError: the folder cannot be written to.
    """
    first = Path(paths[0])
    missing = [folder for folder in first.parents if not folder.exists()]
    waited = False
    while True:
        with contextlib.ExitStack() as stack:
            with files.explaining_os_errors(first):
                first.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(path_of(first), "a"))
            locked = _is_locked(file)
            if locked is None:
                yield waited
                return
            if locked and _is_at(path_of(first), file):
                for path in paths:
                    files.remove_unfinished(path)
                try:
                    yield waited
                finally:
                    _remove(path_of(first), missing)
                return
        if not locked:
            if not waited:
                print(f"{first}: another process writes this; waiting until it has ended.", flush=True)
            waited = True
            if stop and stop.name:
                raise Interrupted
            time.sleep(_POLL)


def _is_locked(file):
    """Whether the lock is ours now; None where the file system has no locks."""
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
    """Whether an open file is still the one at its path: the process that held it before may have removed it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _remove(path, folders):
    """Remove the lock file while it is locked, and the folders, innermost first, as far as they are empty."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        for folder in folders:
            folder.rmdir()
