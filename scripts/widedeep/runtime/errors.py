"""The exception for mistakes that a user can correct, and short texts for the exceptions of libraries."""


class UserError(ValueError):
    """A mistake that the user can correct, as bad input or a full disk.

    Its text is one sentence that names the file or key first, then the value found, the value expected, and the remedy.
    `command.run` prints it without a traceback and exits with status 1.
    """


def lacks_memory(error):
    """Return whether an exception reports too little main memory."""
    # torch raises a plain RuntimeError with this text.
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def first_line(error):
    """Return the first line of an exception's or a value's text; its type if the text is empty."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def shortened(text):
    """Return the text on one line, cut after 200 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}..."


def named(path):
    """Return a path on one line, with line breaks and other control characters escaped."""
    return str(path) if str(path).isprintable() else repr(str(path))
