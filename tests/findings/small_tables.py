"""Tables of studies whose answer is known, as scripts/decide_findings.py reads them."""

import numpy as np
import pandas as pd

from widedeep.findings.decide import decide
from widedeep.formats import tables


def empty(name):
    """A table without lines."""
    return pd.DataFrame(columns=tables.columns(name))


# Contrasts of networks over seeds; from 0.06 on there is a block structure.
NONE, SOME, ALL = (0.01, 0.02, 0.03, 0.02), (0.2, 0.01, 0.02), (0.2, 0.25, 0.22)
MANY_NONE, MANY = (0.01, 0.02, 0.03) * 3, (0.2, 0.25, 0.22) * 3
SMALL = (14, 1, 1, NONE)
PLAIN, BOTTLENECK = {"family": "plain"}, {"family": "bottleneck"}
UNTRAINED = {"train_accuracy": 0.85}
# Accuracies of the probes of four residual blocks.
RISING = [0.3, 0.5, 0.7, 0.8]


def networks(*configurations):
    """The table of networks; a configuration is (depth, width, fraction, contrasts, changes)."""
    lines = []
    for depth, width, fraction, contrasts, *changes in configurations:
        for seed, contrast in enumerate(contrasts, 1):
            line = {"family": "resnet", "depth": depth, "width": width, "fraction": fraction, "seed": seed}
            line |= {"model": f"resnet{depth}-w{width}-f{fraction}", "test_accuracy": 0.95, "train_accuracy": 0.99}
            line |= {"layers": 49, "block_size": 0.5, "contrast": contrast}
            line |= {"contrast_without_first_component": contrast / 10, "share_inside": 0.6, "share_outside": 0.1}
            line |= {"cosine_inside": 0.95, "cosine_across": 0.4}
            lines.append({**line, **(changes[0] if changes else {})})
    return pd.DataFrame(lines)


def pairs_table(count, **numbers):
    """Lines of all ordered pairs of `count` networks."""
    line = {"contrast_first": 0.02, "contrast_second": 0.02, "equal_depth": 0.9}
    line |= {"best_inside": np.nan, "best_outside": 0.9, **numbers}
    names = [f"a{index}" for index in range(count)]
    return pd.DataFrame(
        [{"first": one, "second": other, **line} for one in names for other in names if one != other],
        columns=tables.columns("pairs.csv"),
    )


def residual_blocks(in_block, probes, losses, networks=3, name="n"):
    """A table of residual blocks of equal networks: the accuracy of each one's probe, and the loss without it."""
    lines = []
    for network in range(networks):
        common = {"network": f"{name}/seed{network}", "network_accuracy": 0.9}
        common |= {"contrast": 0.2 if any(in_block) else 0.02}
        for position, (inside, probe, loss) in enumerate(zip(in_block, probes, losses, strict=True), 1):
            place = {**common, "stage": 1, "block": position, "position": position, "in_block": bool(inside)}
            own = {"deletion": "probe", "kind": "add", "accuracy": probe, "accuracy_at_half": probe}
            lines.append({**place, **own})
            lines.append({**place, "deletion": "alone", "kind": "block", "accuracy": 0.9 - loss})
    return pd.DataFrame(lines, columns=tables.columns("E.csv"))


def decided(networks, *, pairs=None, blocks=None, examples=None, agreement=None, convergence=None, family=None):
    """dict from id to Finding; tables that are not given are empty."""
    given = {
        "pairs.csv": pairs,
        "E.csv": blocks,
        "fig6.csv": examples,
        "G-pairs.csv": agreement,
        "A.csv": convergence,
    }
    rest = [empty(name) if table is None else table for name, table in given.items()]
    return {finding.id: finding for finding in decide(networks, *rest, family)}
