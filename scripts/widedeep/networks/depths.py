"""The rule of depths that the CIFAR families share; without torch, since it is asked before anything runs."""

from widedeep.runtime.errors import UserError


def blocks_per_stage(depth):
    """n of depth = 6n + 2.

    Raises:
        UserError: there is no such n of at least 1.
    """
    if depth < 8 or (depth - 2) % 6:
        raise UserError(f"depth {depth} is not 6n + 2; use 8, 14, 20, 26, 32, 38, 44, 56, 110 or the like.")
    return (depth - 2) // 6
