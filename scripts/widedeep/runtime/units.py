"""Quantities as short texts, in tqdm's formats."""

from tqdm import tqdm


def size(count):
    """Format a number of bytes, as `5.30GB`."""
    return tqdm.format_sizeof(count, "B")


def operations(count):
    """Format a number of floating-point operations, as `5.30EFLOP`."""
    return tqdm.format_sizeof(count, "FLOP")


def duration(seconds):
    """Format seconds as hours, minutes and seconds: `1:02:03` or `02:03`."""
    return tqdm.format_interval(round(seconds))
