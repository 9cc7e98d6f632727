"""Claims on linear probes and deleted residual blocks (paper, section 5.2 and figure 4).

Here `blocks` is the DataFrame of scripts/plot_residual_blocks.py: one line per probe and per deletion of residual
blocks.
"Inside" means inside the block structure.
"""

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
    """Figure 4: without a block structure, the accuracy of probes rises from one residual addition to the next.

    Decided by two medians over networks: the share of additions at which it does not fall, and the total gain.
    """
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
    """Figure 4: inside, probes gain at most FLAT times what their position predicts (expected_from_position)."""
    return inside_against_expected(
        "flat-probes", "accuracy gained from a residual addition to the next", gains_of_probes(blocks)
    )


def deleted_blocks(blocks):
    """Figure 4: inside, a deleted residual block costs at most FLAT times what its position predicts."""
    alone = blocks[blocks.deletion == "alone"]
    lost = alone.assign(contribution=alone.network_accuracy - alone.accuracy)
    return inside_against_expected("deleted-blocks", "accuracy lost with a deleted residual block", lost)


def gains_of_probes(blocks):
    """Gain in accuracy of each probe after a residual addition over the probe after the previous addition.

    Returns:
        DataFrame with one line per residual addition but the first: the columns of `blocks`, and twice the gain, as
        `gain` and as `contribution`. in_block is true if both additions are inside.
    """
    additions = blocks[(blocks.deletion == "probe") & (blocks.kind == "add")].sort_values(["network", "position"])
    before = additions.groupby("network")
    gains = additions.assign(
        gain=before.accuracy.diff(), in_block=additions.in_block & before.in_block.shift(fill_value=False)
    )
    return gains.dropna(subset="gain").assign(contribution=lambda lines: lines.gain)


def inside_against_expected(claim, what, lines):
    """Decide whether residual blocks inside contribute at most FLAT times what their position predicts.

    Args:
        claim: id in paper.CLAIMS.
        what: the contribution, in words.
        lines: DataFrame with one line per residual block: network, share_in_block, position, in_block, contribution.

    Returns:
        Finding
    """
    has_block = lines.share_in_block >= HAS_BLOCK
    compared = expected_from_position(lines[has_block], lines[~has_block])
    compared = compared[compared.expected > SLACK]
    if len(compared) < FEWEST_SEEDS:
        why = f"fewer than {FEWEST_SEEDS} networks have residual blocks in a block structure and outside it, at places "
        why += f"that are worth more than {SLACK:g} in networks without a block"
        return finding(claim, "", NOT_DECIDABLE, why)
    number = f"{what}: {spread(compared.inside)} inside, where networks without a block let expect "
    number += f"{spread(compared.expected)}; {spread(compared.outside)} outside"
    holds = (compared.inside <= FLAT * compared.expected).mean() > MOST
    return finding(claim, number, verdict(holds), f"{len(compared)} networks with a block")


def expected_from_position(with_block, without):
    """For each network: the accuracy that its residual blocks inside contribute, and what their position predicts.

    Late residual blocks contribute less in any network. So the expected contribution inside is the mean contribution
    outside, times a ratio: contribution at the positions inside over contribution at the positions outside, in networks
    without a block structure. The ratio is the median over such networks of the same configuration, or over all if
    there are none.

    Args:
        with_block: DataFrame of networks with a block structure, one line per residual block: network, position,
            in_block, contribution.
        without: the same for networks without a block structure.

    Returns:
        DataFrame with one line per network that has residual blocks inside and outside: inside, outside (mean
        contributions), expected (inside; NaN if unknown)
    """
    lines = []
    for network, own in with_block.groupby("network"):
        same = without[without.network.str.rsplit("/", n=1).str[0] == network.rsplit("/", 1)[0]]
        controls = [control for _, control in (without if same.empty else same).groupby("network")]
        inside, outside = (own.contribution[own.in_block == part].mean() for part in (True, False))
        ratios = [_ratio_at_places(own, control) for control in controls]
        lines.append((inside, outside, outside * np.median(ratios) if ratios else np.nan))
    found = type(with_block)(lines, columns=["inside", "outside", "expected"])
    return found.dropna(subset=["inside", "outside"])


def _ratio_at_places(own, control):
    """In the network `control`: contribution at the positions inside `own`'s block over contribution at the others.

    Positions are relative to the last one. The ratio is at least 0; NaN if the contribution outside is not positive.
    """
    places, others = (lines.position.to_numpy() / lines.position.max() for lines in (own, control))
    contributions = control.contribution.to_numpy()[np.abs(others[:, None] - places).argmin(axis=0)]
    inside = own.in_block.to_numpy(bool)
    outside = contributions[~inside].mean() if not inside.all() else np.nan
    return max(contributions[inside].mean(), 0) / outside if outside > 0 and inside.any() else np.nan
