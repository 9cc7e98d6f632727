"""One writer for each network: a second training of it waits until the first has ended."""

import contextlib
import errno
import fcntl
import time
from pathlib import Path

from widedeep import files
from widedeep.interruption import Interrupted

_POLL = 0.5
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def only_writer(folder, stop):
    """Hold the lock of a folder; wait while another process, on this or another node, holds it.

    The system releases a lock when its process dies, however it dies, so nothing is ever left to clean up. The file
    `.lock` stays: a lock whose file is removed could be held twice.

    Args:
        folder: where the job writes; it is made if it does not exist.
        stop: interruption.StopSignal that ends the waiting.

    Yields:
        whether another process was waited for.

    Raises:
        Interrupted: told to stop while it waited.
        UserError: the folder cannot be written to.
    """
    path = Path(folder, ".lock")
    with files.explaining_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a")
    with file:
        waited = False
        while not _is_locked(file):
            if not waited:
                print(f"{folder}: another process writes here; waiting until it has ended.", flush=True)
            waited = True
            if stop.name:
                raise Interrupted
            time.sleep(_POLL)
        yield waited


def _is_locked(file):
    """Whether the lock is ours now; where the file system has no locks, it always is."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno not in _NO_LOCKS_HERE:
            raise
        print(f"{file.name}: this file system has no locks; never run two Snakemakes on one study here.", flush=True)
    return True
