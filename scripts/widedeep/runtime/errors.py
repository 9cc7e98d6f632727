"""The one exception for mistakes that a user can mend, and words for those of libraries."""


class UserError(ValueError):
    """Bad input or a full disk: one sentence that names the file or key, what was found, what was expected, what to do.

    `command.run` prints it without a traceback and exits with status 1.
    """


def lacks_memory(error):
    """Whether an exception says that there is too little main memory."""
    # The second is in the plain RuntimeError that torch makes of it.
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def first_line(error):
    """The first line of what an exception of a library, or a value in a file, says; its type where that is nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def shortened(text):
    """The text on one line, its end left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}..."
