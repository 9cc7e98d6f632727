"""Choose the networks that decide a claim: trained, with enough seeds, at the ends of a row of the grid.

All functions take lines of the table of networks (scripts/summarise.py), a DataFrame with one line per network.
"""

import pandas as pd

from widedeep.findings.verdicts import ACCURACIES, FEWEST_SEEDS, HARDLY_TRAINED, HAS_BLOCK, MOST, name_of
from widedeep.runtime.errors import UserError


def of_deciding_family(networks, family):
    """Select the lines of the family that decides figures 1 and 2; none if all networks are `plain`.

    Args:
        networks: DataFrame of scripts/summarise.py.
        family: as in decide.decide.

    Raises:
        UserError: no network is of the family.
    """
    if family is not None and family not in set(networks.family):
        known = ", ".join(networks.family.unique())
        raise UserError(f"family '{family}' has no network in the table; its families are {known}; name one of them.")
    if family in (None, "plain"):
        families = networks.family[networks.family != "plain"]
        family = families.value_counts(sort=False).idxmax() if len(families) else None
    return networks[networks.family == family]


def which_hardly_trained(networks, resnets):
    """Which of `networks` hardly trained: those far less accurate than the smallest one on the same share of the data.

    Args:
        networks: DataFrame of all networks.
        resnets: DataFrame of the networks among which the smallest one is chosen; if empty, among `networks`.

    Returns:
        bool Series over the lines of `networks`
    """
    far = pd.Series(False, networks.index)
    for fraction, lines in networks.groupby("fraction"):
        small = smallest(networks if resnets.empty else resnets, fraction)
        for accuracy in ACCURACIES:
            far[lines.index] |= small[accuracy].mean() - lines[accuracy] > HARDLY_TRAINED
    return far


def smallest(networks, fraction):
    """Select the smallest configuration trained on this share of the data; if there is none, on any share."""
    same = networks[networks.fraction == fraction]
    narrow, _ = ends(networks if same.empty else same, "width")
    return ends(narrow, "depth")[0]


def without_names(pairs, names):
    """Drop the lines of a table of pairs whose first or second has one of these names."""
    return pairs[~(pairs["first"].isin(names) | pairs["second"].isin(names))]


def longest_row(networks, grown, fixed):
    """Select the row of the grid in which `grown` increases by the largest factor, all else being equal.

    Ties: the row with the most data, then with the smallest `fixed`.

    Args:
        networks: DataFrame of networks of one family.
        grown, fixed: `depth` and `width`, in either order.

    Returns:
        DataFrame; None if no row has two values of `grown`
    """
    rows = [row for _, row in networks.groupby(["fraction", fixed]) if row[grown].nunique() > 1]
    return max(
        rows,
        key=lambda row: (row[grown].max() / row[grown].min(), row.fraction.iloc[0], -row[fixed].iloc[0]),
        default=None,
    )


def ends(lines, key):
    """Select the lines with the smallest, and those with the largest, value of `key`."""
    return lines[lines[key] == lines[key].min()], lines[lines[key] == lines[key].max()]


def has_block(configuration):
    """Whether most seeds of a configuration have a block structure."""
    return (configuration.layers_in_block >= HAS_BLOCK).mean() > MOST


def sum_of_seeds(configurations):
    """Count the networks of several configurations: (those with a block structure, all)."""
    return (
        sum(int((configuration.layers_in_block >= HAS_BLOCK).sum()) for configuration in configurations),
        sum(map(len, configurations)),
    )


def too_few_seeds(*configurations):
    """Why configurations have too few seeds to decide, a sentence; "" if all have enough."""
    for configuration in configurations:
        if len(configuration) < FEWEST_SEEDS:
            return f"{name_of(configuration)} has {len(configuration)} of the {FEWEST_SEEDS} seeds that a verdict needs"
    return ""


def hardly_trained_on_less(networks, little, much):
    """Why a configuration on little and on much data hardly trained, a sentence; "" if it trained on both.

    Less data lowers the test accuracy of every network, so both accuracies are compared with those of the smallest of
    `networks` on the same share. Less data should not lower the training accuracy, so on little data this is also
    compared with the one on much data.
    """
    by_share = (hardly_trained(smallest(networks, part.fraction.iloc[0]), part) for part in (little, much))
    return next(filter(None, by_share), "") or hardly_trained(much, little, ("train_accuracy",))


def hardly_trained(small, large, accuracies=ACCURACIES):
    """Why a configuration hardly trained, a sentence; "" if no accuracy is far below that of the small one."""
    for accuracy in accuracies:
        behind = small[accuracy].mean() - large[accuracy].mean()
        if behind > HARDLY_TRAINED:
            what = f"its {accuracy.replace('_', ' ')} is {behind:.2f} below that of {name_of(small)}"
            return f"{name_of(large)} hardly trained: {what}"
    return ""
