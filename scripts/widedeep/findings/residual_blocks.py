"""Claims on linear probes and deleted residual blocks (paper, section 5.2 and figure 4)."""

import numpy as np

from widedeep.findings.verdicts import (
    FEWEST_SEEDS,
    FLAT,
    HAS_BLOCK,
    MOST,
    NEARLY_ALWAYS,
    NOT_DECIDABLE,
    SLACK,
    finding,
    spread,
    verdict,
)


def rising_probes(blocks):
    """Figure 4: without a block structure hardly any residual addition makes the probe worse, all together better."""
    claim = "rising-probes"
    gains = gains_of_probes(blocks)
    without = gains[gains.share_in_block < HAS_BLOCK]
    if without.network.nunique() < FEWEST_SEEDS:
        why = f"probes of fewer than {FEWEST_SEEDS} networks without a block"
        return finding(claim, "", NOT_DECIDABLE, why)
    rising = without.assign(rises=without.gain >= -SLACK).groupby("network").rises.mean()
    whole = without.groupby("network").gain.sum()
    number = f"share of residual additions at which it does not fall {spread(rising)}; from first to last it gains "
    holds = rising.median() >= NEARLY_ALWAYS and whole.median() > SLACK
    return finding(claim, number + spread(whole), verdict(holds), f"{len(rising)} networks")


def flat_probes(blocks):
    """Figure 4: probes gain less from one residual addition to the next where both are in the block than elsewhere."""
    return comparison("flat-probes", "accuracy gained from a residual addition to the next", gains_of_probes(blocks))


def dispensable_blocks(blocks):
    """Figure 4: a residual block in the block structure costs less accuracy when it is deleted alone."""
    alone = blocks[blocks.deletion == "alone"]
    lost = alone.assign(worth=alone.network_accuracy - alone.accuracy)
    return comparison("deleted-blocks", "accuracy lost with a deleted residual block", lost)


def gains_of_probes(blocks):
    """A line a residual addition but the first: what its probe gains; inside where both additions are in the block."""
    additions = blocks[(blocks.deletion == "probe") & (blocks.kind == "add")].sort_values(["network", "position"])
    before = additions.groupby("network")
    gains = additions.assign(
        gain=before.accuracy.diff(), in_block=additions.in_block & before.in_block.shift(fill_value=False)
    )
    return gains.dropna(subset="gain").assign(worth=lambda lines: lines.gain)


def comparison(claim, what, lines):
    """The finding that inside the block it is at most FLAT times what place alone makes of it (blocks.by_place)."""
    has_block = lines.share_in_block >= HAS_BLOCK
    compared = by_place(lines[has_block], lines[~has_block])
    compared = compared[compared.expected > SLACK]
    if len(compared) < FEWEST_SEEDS:
        why = f"fewer than {FEWEST_SEEDS} networks have residual blocks in a block structure and outside it, at places "
        why += f"that are worth more than {SLACK:g} in networks without a block"
        return finding(claim, "", NOT_DECIDABLE, why)
    number = f"{what}: {spread(compared.inside)} inside, where networks without a block let expect "
    number += f"{spread(compared.expected)}; {spread(compared.outside)} outside"
    holds = (compared.inside <= FLAT * compared.expected).mean() > MOST
    return finding(claim, number, verdict(holds), f"{len(compared)} networks with a block")


def by_place(with_block, without):
    """What residual blocks are worth inside the block structure, and what their place alone would make of them.

    Late residual blocks are worth less in any network. So what is expected inside is the mean outside, times the ratio
    of the same places in networks without a block structure: those of the same configuration, or all.

    Args:
        with_block: DataFrame of networks with a block, a line a residual block: network, position, in_block, worth.
        without: the same of networks without one.

    Returns:
        DataFrame, a line a network with residual blocks inside and outside: inside, outside, expected (NaN: unknown)
    """
    lines = []
    for network, own in with_block.groupby("network"):
        same = without[without.network.str.rsplit("/", n=1).str[0] == network.rsplit("/", 1)[0]]
        controls = [control for _, control in (without if same.empty else same).groupby("network")]
        inside, outside = (own.worth[own.in_block == part].mean() for part in (True, False))
        ratios = [_ratio_at_places(own, control) for control in controls]
        lines.append((inside, outside, outside * np.median(ratios) if ratios else np.nan))
    found = type(with_block)(lines, columns=["inside", "outside", "expected"])
    return found.dropna(subset=["inside", "outside"])


def _ratio_at_places(own, control):
    """Worth at the places inside over that at the places outside, in a network without a block; not below 0."""
    places, others = (lines.position.to_numpy() / lines.position.max() for lines in (own, control))
    worth = control.worth.to_numpy()[np.abs(others[:, None] - places).argmin(axis=0)]
    inside = own.in_block.to_numpy(bool)
    outside = worth[~inside].mean() if not inside.all() else np.nan
    return max(worth[inside].mean(), 0) / outside if outside > 0 and inside.any() else np.nan
