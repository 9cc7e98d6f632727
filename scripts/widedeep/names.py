"""The networks of a study by name, pairs of their seeds, and the random streams that follow from names."""

import hashlib
from dataclasses import dataclass

# The authors average over at most so many pairs of seeds (paper, appendix F).
MOST_PAIRS = 20


@dataclass(frozen=True)
class Configuration:
    """One configuration of the grid; with a seed it is a Network.

    Attributes:
        dataset: name of the data set, as `cifar10`.
        family: one of networks.families.names(), as `resnet`, or `plain` for the same without residual connections.
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
        """The name of the configuration in paths and files: `cifar10-resnet38-w10-f100`."""
        return f"{self.dataset}-{self.family}{self.depth}-w{self.width:g}-f{100 * self.fraction:g}"


@dataclass(frozen=True)
class Network:
    """One network of a study: a configuration and the seed of its initial weights, order of examples and augmentation."""

    configuration: Configuration
    seed: int

    def __str__(self):
        """The network's label, and its folder below `models/`: `cifar10-resnet38-w10-f100/seed3`."""
        return label(self.configuration, self.seed)


def label(model, seed):
    """The label of a network from the name of its configuration (a str or Configuration) and its seed."""
    return f"{model}/seed{seed}"


def parsed(text):
    """(name of the configuration, seed) of a network's label."""
    model, seed = text.rsplit("/seed", 1)
    return model, int(seed)


def pair_name(first, second):
    """How files call a pair of networks, from their seeds: `seed1--seed3`."""
    return f"seed{first}--seed{second}"


def first_pairs(pairs, most=MOST_PAIRS):
    """The first of some pairs of seeds, by the larger, then the smaller one, so that a larger seed changes none of them.

    Args:
        pairs: iterable of (seed of first, seed of second).
        most: how many at most; all if None.

    Returns:
        list of pairs
    """
    return sorted(pairs, key=lambda pair: (max(pair), min(pair), pair))[:most]


def random_seed(*words):
    """A 63-bit seed that depends on all `words`, so that every purpose of every network has its own stream.

    Deriving each stream from its purpose, instead of drawing all from one generator, means that a resumed training
    needs no generator states, and that one more random number drawn elsewhere shifts nothing.
    """
    digest = hashlib.sha256("/".join(str(word) for word in words).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
