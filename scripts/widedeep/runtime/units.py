"""Quantities as short texts, in tqdm's formats."""


def size(count):
    """Format a number of bytes, as `5.30GB`."""
    return _tqdm().format_sizeof(count, "B")


def operations(count):
    """Format a number of floating-point operations, as `5.30EFLOP`."""
    return _tqdm().format_sizeof(count, "FLOP")


def duration(seconds):
    """Format seconds as hours, minutes and seconds: `1:02:03` or `02:03`."""
    return _tqdm().format_interval(round(seconds))


def _tqdm():
    from tqdm import tqdm  # here, so that a program can say that packages are missing

    return tqdm
