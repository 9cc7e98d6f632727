"""Quantities in words, by tqdm's formats."""

from tqdm import tqdm


def size(count):
    """Bytes, as `5.30GB`."""
    return tqdm.format_sizeof(count, "B")


def operations(count):
    """Floating-point operations, as `5.30EFLOP`."""
    return tqdm.format_sizeof(count, "FLOP")


def duration(seconds):
    """Hours, minutes and seconds, as `1:02:03` or `02:03`."""
    return tqdm.format_interval(round(seconds))
