"""The names of models, and the random streams that follow from them."""

import hashlib
from dataclasses import dataclass

from widedeep.errors import UserError


@dataclass(frozen=True)
class Model:
    """One configuration of the grid; with a seed it is one network.

    Attributes:
        dataset: name of the data set, as `cifar10`.
        family: one of families.names(), as `resnet`, or `plain` for the same without residual connections.
        depth: layers with weights, 6n + 2.
        width: width multiplier.
        fraction: share of the training set that is used, in (0, 1].
    """

    dataset: str
    family: str
    depth: int
    width: float
    fraction: float

    def __str__(self):
        return f"{self.dataset}-{self.family}{self.depth}-w{self.width:g}-f{100 * self.fraction:g}"


def blocks_per_stage(depth):
    """n of depth = 6n + 2.

    Raises:
        UserError: there is no such n of at least 1.
    """
    if depth < 8 or (depth - 2) % 6:
        raise UserError(f"depth {depth} is not 6n + 2; use 8, 14, 20, 26, 32, 38, 44, 56, 110 or the like.")
    return (depth - 2) // 6


def random_seed(*words):
    """A 63-bit seed that depends on all `words`, so that every purpose of every network has its own stream.

    Deriving each stream from what it is for, rather than drawing all from one generator, means that a resumed training
    needs no generator states, and that nothing shifts when one more random number is drawn elsewhere.
    """
    digest = hashlib.sha256("/".join(str(word) for word in words).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
