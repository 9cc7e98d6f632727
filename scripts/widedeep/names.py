"""Configurations and networks of a study, their names in files, pairs of seeds, and random streams."""

import hashlib
from dataclasses import dataclass

# The authors average over at most so many pairs of seeds (paper, appendix F).
MOST_PAIRS = 20
# The deepest and the widest networks that a config may ask for.
DEEPEST, WIDEST = 10_000, 1000


@dataclass(frozen=True)
class Configuration:
    """One configuration of the grid; with a seed it becomes a Network.

    Attributes:
        dataset: name of the data set, as `cifar10`.
        family: one of networks.families.names(), as `resnet`, or `plain`, the same without residual connections.
        depth: layers with weights, by the family's own rule.
        width: width multiplier.
        fraction: share of the training set that is used, in (0, 1].
    """

    dataset: str
    family: str
    depth: int
    width: float
    fraction: float

    def __str__(self):
        """Name in paths and files: `cifar10-resnet38-w10-f100`."""
        return f"{self.dataset}-{self.family}{self.depth}-w{self.width:g}-f{100 * self.fraction:g}"


@dataclass(frozen=True)
class Network:
    """One network of a study: a configuration, and a seed of initial weights, order of examples and augmentation."""

    configuration: Configuration
    seed: int

    def __str__(self):
        """Label, which is also the folder below `models/`: `cifar10-resnet38-w10-f100/seed3`."""
        return label(self.configuration, self.seed)


def label(model, seed):
    """Label of a network, from the name of its configuration (a str or Configuration) and its seed."""
    return f"{model}/seed{seed}"


def configuration_and_seed(text):
    """Split a network's label into (name of the configuration, seed)."""
    model, seed = text.rsplit("/seed", 1)
    return model, int(seed)


def pair_name(first, second):
    """Name of a pair of networks in files, from their seeds: `seed1--seed3`."""
    return f"seed{first}--seed{second}"


def first_pairs(pairs, most=MOST_PAIRS):
    """Sort pairs of seeds by the larger, then the smaller seed, and keep the first ones.

    A larger seed that is added later changes none of the pairs before it.

    Args:
        pairs: iterable of (seed of first, seed of second).
        most: how many to keep; None keeps all.

    Returns:
        list of pairs
    """
    return sorted(pairs, key=lambda pair: (max(pair), min(pair), pair))[:most]


def random_seed(*words):
    """A 63-bit seed from the SHA-256 of `words`, so that every purpose of every network has its own random stream.

    No generator is shared between purposes. So a resumed training needs no saved generator states, and one more random
    number in one place shifts nothing elsewhere.
    """
    digest = hashlib.sha256("/".join(str(word) for word in words).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
