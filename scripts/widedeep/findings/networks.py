"""Which networks decide: those that trained, with enough seeds, at the ends of a row of the grid."""

import pandas as pd

from widedeep.findings.verdicts import ACCURACIES, FEWEST_SEEDS, HARDLY_TRAINED, HAS_BLOCK, MOST, name_of
from widedeep.runtime.errors import UserError


def with_shortcuts(networks, family):
    """The lines of the family whose networks decide figures 1 and 2, as `decide` says; none where all are `plain`."""
    if family is not None and family not in set(networks.family):
        known = ", ".join(networks.family.unique())
        raise UserError(f"family '{family}' has no network in the table, which holds {known}; name one of those.")
    if family in (None, "plain"):
        families = networks.family[networks.family != "plain"]
        family = families.value_counts(sort=False).idxmax() if len(families) else None
    return networks[networks.family == family]


def behind(networks, resnets):
    """Which of `networks` hardly trained: the smallest of `resnets` on that share of the data (or any) is far ahead.

    Where `resnets` is empty, the smallest of `networks` instead.
    """
    far = pd.Series(False, networks.index)
    for fraction, lines in networks.groupby("fraction"):
        small = smallest(networks if resnets.empty else resnets, fraction)
        for accuracy in ACCURACIES:
            far[lines.index] |= small[accuracy].mean() - lines[accuracy] > HARDLY_TRAINED
    return far


def smallest(networks, fraction):
    """The lines of the smallest configuration on this share of the data, or of all where none was trained on it."""
    same = networks[networks.fraction == fraction]
    narrow, _ = ends(networks if same.empty else same, "width")
    return ends(narrow, "depth")[0]


def without_names(pairs, names):
    """The lines of a table of pairs in which neither the first nor the second has one of these names."""
    return pairs[~(pairs["first"].isin(names) | pairs["second"].isin(names))]


def longest_row(networks, grown, fixed):
    """Of the rows of the grid in which only `grown` varies, the one that grows furthest by a factor; None without any.

    Of ties the one with the most data, then with the smallest `fixed`.
    """
    rows = [row for _, row in networks.groupby(["fraction", fixed]) if row[grown].nunique() > 1]
    return max(
        rows,
        key=lambda row: (row[grown].max() / row[grown].min(), row.fraction.iloc[0], -row[fixed].iloc[0]),
        default=None,
    )


def ends(lines, key):
    """The lines with the smallest and those with the largest value of `key`."""
    return lines[lines[key] == lines[key].min()], lines[lines[key] == lines[key].max()]


def has_block(configuration):
    """Whether most seeds of a configuration have a block."""
    return (configuration.layers_in_block >= HAS_BLOCK).mean() > MOST


def sum_of_seeds(configurations):
    """(networks with a block, networks) of several configurations."""
    return (
        sum(int((configuration.layers_in_block >= HAS_BLOCK).sum()) for configuration in configurations),
        sum(map(len, configurations)),
    )


def too_few_seeds(*configurations):
    """Why configurations with few seeds decide nothing; empty where all have enough."""
    for configuration in configurations:
        if len(configuration) < FEWEST_SEEDS:
            return f"{name_of(configuration)} has {len(configuration)} of the {FEWEST_SEEDS} seeds that a verdict needs"
    return ""


def hardly_trained_on_less(networks, little, much):
    """Why a configuration on little and on much data decides nothing; empty where it trained on both.

    On each share the smallest of `networks` on that share tells, since less data lowers any network's test accuracy.
    The training accuracy should not fall with it, so there the configuration on much data tells too.
    """
    by_share = (hardly_trained(smallest(networks, part.fraction.iloc[0]), part) for part in (little, much))
    return next(filter(None, by_share), "") or hardly_trained(much, little, ("train_accuracy",))


def hardly_trained(small, large, accuracies=ACCURACIES):
    """Why a configuration that hardly trained decides nothing; empty where it did train, by these accuracies."""
    for accuracy in accuracies:
        behind = small[accuracy].mean() - large[accuracy].mean()
        if behind > HARDLY_TRAINED:
            what = f"its {accuracy.replace('_', ' ')} is {behind:.2f} below that of {name_of(small)}"
            return f"{name_of(large)} hardly trained: {what}"
    return ""
