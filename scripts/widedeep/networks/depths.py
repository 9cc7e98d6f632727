"""The depth rule of the CIFAR families; without torch, since configs are checked before anything runs."""

from widedeep.runtime.errors import UserError


def blocks_per_stage(depth):
    """Return n, the residual blocks a stage, of depth = 6n + 2.

    Raises:
        UserError: there is no whole n of at least 1.
    """
    if depth < 8 or (depth - 2) % 6:
        raise UserError(f"depth {depth} is not 6n + 2; use 8, 14, 20, 26, 32, 38, 44, 56, 110 or the like.")
    return (depth - 2) // 6
