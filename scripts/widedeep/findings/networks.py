"""Choose the networks that decide a claim: trained, with enough seeds, at the ends of a row of the grid.

All functions take lines of the table of networks (scripts/summarise.py), a DataFrame with one line per network.
"""

import pandas as pd

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings.verdicts import FEWEST_SEEDS, HARDLY_TRAINED, SEEN_FROM, name_of
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


def keep_trained(networks, family):
    """Select the networks that trained; `family` as in decide.decide.

    Raises:
        UserError: as of_deciding_family.
    """
    return networks[~which_hardly_trained(networks, of_deciding_family(networks, family))]


def which_hardly_trained(networks, resnets):
    """Which of `networks` hardly trained: those that fit their training set far worse than the smallest network does.

    The smallest one is on the same share of the data. The test accuracy is not asked, since large networks may overfit.

    Args:
        networks: DataFrame of all networks.
        resnets: DataFrame of the networks among which the smallest one is chosen; if empty, among `networks`.

    Returns:
        bool Series over the lines of `networks`
    """
    far = pd.Series(False, networks.index)
    for fraction, lines in networks.groupby("fraction"):
        small = smallest(networks if resnets.empty else resnets, fraction)
        far[lines.index] = small.train_accuracy.mean() - lines.train_accuracy > HARDLY_TRAINED
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

    Ties: the row with the most networks, then with the most data, then with the smallest `fixed`.

    Args:
        networks: DataFrame of networks of one family.
        grown, fixed: `depth` and `width`, in either order.

    Returns:
        DataFrame; None if no row has two values of `grown`
    """
    rows = [row for _, row in networks.groupby(["fraction", fixed]) if row[grown].nunique() > 1]
    return max(
        rows,
        key=lambda row: (row[grown].max() / row[grown].min(), len(row), row.fraction.iloc[0], -row[fixed].iloc[0]),
        default=None,
    )


def ends(lines, key):
    """Select the lines with the smallest, and those with the largest, value of `key`."""
    return lines[lines[key] == lines[key].min()], lines[lines[key] == lines[key].max()]


def with_block(networks):
    """Select the networks that have a block structure; none with too few residual blocks is among them."""
    return networks[networks.contrast >= LEAST_CONTRAST]


def count(configurations):
    """Count the networks of several configurations, each once: (those with a block structure, those that could)."""
    known = pd.concat(configurations).dropna(subset="contrast")
    known = known[~known.index.duplicated()]
    return len(with_block(known)), len(known)


def could_have_block(networks, grown, fraction):
    """Whether a study could see a block structure on a share of the data: some network there has one, or it is large.

    Large are the sizes at which the paper sees one on all the data.

    Args:
        networks: DataFrame of networks of one family.
        grown: `depth` or `width`.
        fraction: share of the data.
    """
    same = networks[networks.fraction == fraction]
    return len(with_block(same)) > 0 or same[grown].max() >= SEEN_FROM[grown]


def too_few_seeds(*configurations):
    """Why configurations have too few seeds to decide, a sentence; "" if all have enough."""
    for configuration in configurations:
        if len(configuration) < FEWEST_SEEDS:
            return f"{name_of(configuration)} has {len(configuration)} of the {FEWEST_SEEDS} seeds that a verdict needs"
    return ""
