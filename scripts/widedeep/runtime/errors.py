"""The exception for mistakes that a user can correct, and short texts for the exceptions of libraries."""


class UserError(ValueError):
    """A mistake that the user can correct, as bad input or a full disk.

    Its text is one sentence that names the file or key first, then the value found, the value expected, and the remedy.
    `command.run` prints it without a traceback and exits with status 1.
    """


class MayBeWhole(UserError):
    """A file that the system does not read, as without permission, or that is another one than the expected one.

    Such a file may be whole and needed, so its message advises neither to delete it nor to make it again.
    """


def lacks_memory(error):
    """Return whether an exception reports too little main memory."""
    # torch raises a plain RuntimeError with this text.
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def first_line(error):
    """Return the `shortened` first line of an exception's or a value's text; its type if the text is empty."""
    return shortened((str(error).splitlines() or [type(error).__name__])[0])


def shortened(value):
    """Return the text of a value on one line, as `printable`, cut after 200 characters."""
    line = printable(" ".join(str(value).split()))
    return line if len(line) <= 200 else f"{line[:200]}..."


def named(path):
    """Return a path as `printable`."""
    return printable(str(path))


def printable(text):
    """Return a text with escapes in place of characters that a terminal obeys or cannot show, as the end of a line.

    A file of someone else may hold any text, and a message must stay one line whatever it quotes.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
