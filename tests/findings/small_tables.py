"""Tables of studies whose answer is known, as scripts/decide_findings.py reads them."""

import numpy as np
import pandas as pd

from widedeep.findings.decide import decide
from widedeep.formats import tables


def empty(name):
    """A table without lines."""
    return pd.DataFrame(columns=tables.columns(name))


# Shares of layers in the block, over three seeds.
NONE, SOME, ALL = (0, 0, 0), (0.3, 0, 0), (0.3, 0.5, 0.4)
SMALL = (14, 1, 1, NONE)
PLAIN, BOTTLENECK = {"family": "plain"}, {"family": "bottleneck"}
HALF = {"test_accuracy": 0.5, "train_accuracy": 0.5}
LESS = {"test_accuracy": 0.65}
# Accuracies of the probes of four residual blocks.
RISING = [0.3, 0.5, 0.7, 0.8]


def networks(*configurations):
    """The table of networks; a configuration is (depth, width, fraction, shares of layers in the block, changes)."""
    lines = []
    for depth, width, fraction, in_block, *changes in configurations:
        for seed, share in enumerate(in_block, 1):
            line = {"family": "resnet", "depth": depth, "width": width, "fraction": fraction, "seed": seed}
            line |= {"model": f"resnet{depth}-w{width}-f{fraction}"}
            line |= {"test_accuracy": 0.95, "train_accuracy": 0.99, "layers": 49, "layers_in_block": share}
            line |= {"cka_in_block": 0.9 if share else np.nan}
            line |= {"cka_in_block_without_first_component": 0.3 if share else np.nan}
            lines.append({**line, **(changes[0] if changes else {})})
    return pd.DataFrame(lines)


def pairs_table(count, **numbers):
    """Lines of `count` pairs of networks, each of another first network."""
    line = {"second": "b", "block_first": 0.0, "block_second": 0.0, "equal_depth": 0.9}
    line |= {"best_inside": np.nan, "best_outside": 0.9, **numbers}
    return pd.DataFrame([{"first": f"a{index}", **line} for index in range(count)])


def residual_blocks(in_block, probes, losses, networks=3, name="n"):
    """A table of residual blocks of equal networks: the accuracy of each one's probe, and the loss without it."""
    lines = []
    for network in range(networks):
        common = {"network": f"{name}/seed{network}", "network_accuracy": 0.9, "share_in_block": np.mean(in_block)}
        for position, (inside, probe, loss) in enumerate(zip(in_block, probes, losses, strict=True), 1):
            place = {**common, "stage": 1, "block": position, "position": position, "in_block": bool(inside)}
            lines.append({**place, "deletion": "probe", "kind": "add", "accuracy": probe})
            lines.append({**place, "deletion": "alone", "kind": "block", "accuracy": 0.9 - loss})
    return pd.DataFrame(lines, columns=tables.columns("E.csv"))


def agreement(*lines):
    """The table of agreement, of (first, second, agreement)."""
    return pd.DataFrame(lines, columns=["first", "second", "agreement"])


def decided(networks, *, pairs=None, blocks=None, examples=None, agreement=None, convergence=None, family=None):
    """dict from id to Finding; tables that are not given are empty."""
    given = {
        "pairs.csv": pairs,
        "E.csv": blocks,
        "fig6.csv": examples,
        "G.csv": agreement,
        "A.csv": convergence,
    }
    rest = [empty(name) if table is None else table for name, table in given.items()]
    return {finding.id: finding for finding in decide(networks, *rest, family)}
