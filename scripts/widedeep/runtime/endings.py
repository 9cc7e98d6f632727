"""How a program ends its log, so that others can tell what became of its job: written and read here.

The last line of the log of a job that did not finish is `error: ...`, or `stopped: ...` if it was told to stop and is to
be started again. A traceback is an error too.
"""

import os
from dataclasses import dataclass

_ERROR, _STOPPED = "error: ", "stopped: "
_TRACEBACK, _INTERRUPTED = "Traceback (most recent call last)", "KeyboardInterrupt"
# Bytes of a log that are read.
_TAIL = 20_000


def error_line(error):
    """The last line of a program that ends with a UserError."""
    return f"{_ERROR}{error}"


def stopped_line(sentence):
    """The last line of a program that was told to stop."""
    return f"{_STOPPED}{sentence}"


@dataclass(frozen=True)
class Log:
    """The end of a log.

    Attributes:
        path: of the log; None if there is none, or it cannot be read.
        changed: seconds since the epoch, or None.
        last_line: the last one that is not empty.
        was_stopped: whether the job was told to stop, and ended for that reason.
        has_error: whether it tells of an error.
    """

    path: object = None
    changed: float | None = None
    last_line: str = ""
    was_stopped: bool = False
    has_error: bool = False


def read_log(path):
    """The Log at a path; an empty one if there is no file, or path is None."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            file.seek(max(0, status.st_size - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except (OSError, TypeError):
        return Log()
    last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    # The second is what a Python writes that was interrupted before it listened to signals.
    was_stopped = last_line.startswith(_STOPPED) or last_line == _INTERRUPTED
    # argparse writes the name of the program before.
    errors = any(line.startswith((_ERROR, _TRACEBACK)) or f".py: {_ERROR}" in line for line in lines)
    return Log(path, status.st_mtime, last_line, was_stopped, errors and not was_stopped)
