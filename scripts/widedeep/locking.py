"""One writer for the files of a job: a second process with the same job waits until the first has ended.

A Snakemake that was killed (`kill -9`) leaves its jobs running, and the next one starts them again, perhaps with
another config. The one that began later has to write last.
"""

import contextlib
import errno
import fcntl
import time
import zlib
from pathlib import Path

from widedeep import files
from widedeep.interruption import Interrupted

_POLL = 0.5
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def only_writer(paths, stop=None):
    """Hold the lock of a job; wait while another process, on this or another node, holds it.

    The system releases a lock when its process dies, however it dies. What such a process left half written of `paths`
    is removed. Each job locks a byte of its own, so that the jobs of one folder do not wait for each other, of a file
    `.lock`, which stays: a lock whose file is removed could be held twice.

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
    with files.explaining_os_errors(first):
        first.parent.mkdir(parents=True, exist_ok=True)
        file = open(first.with_name(".lock"), "a")  # noqa: SIM115 (an error of the block below is not one of opening)
    with file:
        waited = False
        while (locked := _is_locked(file, zlib.crc32(first.name.encode()))) is False:
            if not waited:
                print(f"{first}: another process writes this; waiting until it has ended.", flush=True)
            waited = True
            if stop and stop.name:
                raise Interrupted
            time.sleep(_POLL)
        if locked:
            for path in paths:
                files.remove_unfinished(path)
        yield waited


def _is_locked(file, byte):
    """Whether a byte's lock is ours now; None where the file system has no locks."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno not in _NO_LOCKS_HERE:
            raise
        print(f"{file.name}: this file system has no locks; never run two Snakemakes on one study here.", flush=True)
        return None
    return True
