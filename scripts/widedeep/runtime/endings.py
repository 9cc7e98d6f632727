"""The last line of a job's log, which says how the job ended.

A job that failed ends its log with `error: ...` or a traceback. A job that was told to stop, and has to be started
again, ends it with `stopped: ...`.
"""

import os
from dataclasses import dataclass

from widedeep.runtime.errors import printable

_ERROR, _STOPPED = "error: ", "stopped: "
_TRACEBACK, _INTERRUPTED = "Traceback (most recent call last)", "KeyboardInterrupt"
# Bytes at the end of a log that are read.
_TAIL = 20_000


def error_line(error):
    """Return the last line of a program that ends with a UserError."""
    return f"{_ERROR}{printable(str(error))}"


def stopped_line(sentence):
    """Return the last line of a program that was told to stop."""
    return f"{_STOPPED}{sentence}"


@dataclass(frozen=True)
class Log:
    """The end of a log.

    Attributes:
        path: of the log; None if it does not exist or cannot be read.
        changed: seconds since the epoch, or None.
        last_line: the last line that is not empty.
        was_stopped: whether the job ended because it was told to stop.
        has_error: whether the log reports an error.
    """

    path: object = None
    changed: float | None = None
    last_line: str = ""
    was_stopped: bool = False
    has_error: bool = False


def read_log(path):
    """Read the Log at a path; an empty Log if there is no file, or the path is None."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            file.seek(max(0, status.st_size - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except (OSError, TypeError):
        return Log()
    last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    # Python writes KeyboardInterrupt if a signal comes before the program handles signals.
    was_stopped = last_line.startswith(_STOPPED) or last_line == _INTERRUPTED
    # argparse puts the name of the program before `error:`.
    errors = any(line.startswith((_ERROR, _TRACEBACK)) or f".py: {_ERROR}" in line for line in lines)
    return Log(path, status.st_mtime, last_line, was_stopped, errors and not was_stopped)
