"""Claims on the similarity between networks (paper, section 6 and figure 5).

Both functions take the DataFrame of scripts/summarise_pairs.py and return a Finding.
"""

from widedeep.findings.verdicts import FEWEST_SEEDS, HAS_BLOCK, NOT_DECIDABLE, SIMILAR, WORSE, finding, spread, verdict


def equal_depth(pairs):
    """Figure 5: without a block structure, layers at equal relative depth are similar in different networks.

    Decided by the median CKA at equal relative depth over the pairs without a block structure.
    """
    claim = "equal-depth"
    without = pairs[(pairs.block_first < HAS_BLOCK) & (pairs.block_second < HAS_BLOCK)].dropna(subset="equal_depth")
    if without["first"].nunique() < FEWEST_SEEDS:
        return finding(claim, "", NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks without a block")
    number, why = f"CKA at equal relative depth {spread(without.equal_depth)}", f"{len(without)} ordered pairs"
    return finding(claim, number, verdict(without.equal_depth.median() >= SIMILAR), f"{why} without a block")


def own_block(pairs):
    """Figure 5: layers of the block structure match no layer of another network, and other layers do.

    Decided by the mean best CKA with a layer of the other network: the median difference between outside and inside.
    """
    claim = "own-block"
    with_block = pairs[pairs.block_first >= HAS_BLOCK].dropna(subset=["best_inside", "best_outside"])
    if with_block["first"].nunique() < FEWEST_SEEDS:
        return finding(claim, "", NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks with a block")
    number = f"best CKA with a layer of the other network: {spread(with_block.best_inside)} in the block, "
    number += f"{spread(with_block.best_outside)} outside"
    holds = (with_block.best_outside - with_block.best_inside).median() >= WORSE
    return finding(claim, number, verdict(holds), f"{len(with_block)} ordered pairs whose first has a block")
