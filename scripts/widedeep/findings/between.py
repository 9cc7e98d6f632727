"""Claims on the similarity between networks (paper, section 6 and figure 5).

Both functions take the DataFrame of scripts/summarise_pairs.py and return a Finding. Pairs share networks, so the
intervals are by the jackknife over networks.
"""

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings.statistics import of_mean_over_pairs
from widedeep.findings.verdicts import FEWEST_SEEDS, NOT_DECIDABLE, SIMILAR, WORSE, by_interval, finding, told


def equal_depth(pairs):
    """Figure 5: without a block structure, layers at equal relative depth are similar in different networks.

    Decided by the mean CKA at equal relative depth over the pairs without a block structure.
    """
    claim = "equal-depth"
    without = (pairs.contrast_first < LEAST_CONTRAST) & (pairs.contrast_second < LEAST_CONTRAST)
    without = pairs[without].dropna(subset="equal_depth")
    if without["first"].nunique() < FEWEST_SEEDS:
        return finding(claim, NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks without a block structure")
    interval = of_mean_over_pairs(without["first"], without["second"], without.equal_depth)
    number = f"mean CKA at equal relative depth {told(interval.value, SIMILAR)[0]}"
    why = f"{len(without)} ordered pairs of {interval.number} networks without a block structure"
    return by_interval(claim, number, interval, SIMILAR, "above", why)


def own_block(pairs):
    """Figure 5: layers of the block structure match no layer of another network, and other layers do.

    Decided by the best CKA with a layer of the other network: the mean difference between layers outside and inside.
    """
    claim = "own-block"
    having = pairs[pairs.contrast_first >= LEAST_CONTRAST].dropna(subset=["best_inside", "best_outside"])
    if having["first"].nunique() < FEWEST_SEEDS:
        return finding(claim, NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks with a block structure")
    # Networks with a block structure and those without, which are here as partners alone, have errors of their own.
    firsts = {*having["first"]}
    others = len({*having["second"]} - firsts)
    differences = having.best_outside - having.best_inside
    interval = of_mean_over_pairs(
        having["first"], having["second"], differences, lambda network: others > 1 and network in firsts
    )
    number = f"best CKA with a layer of the other network: {having.best_inside.mean():.2f} in the block structure, "
    number += f"{having.best_outside.mean():.2f} outside, {told(interval.value, WORSE)[0]} more"
    why = f"{len(having)} ordered pairs whose first network has a block structure"
    return by_interval(claim, number, interval, WORSE, "above", why)
