"""Claims on the similarity between networks (paper, section 6 and figure 5)."""

from widedeep.findings.verdicts import FEWEST_SEEDS, HAS_BLOCK, NOT_DECIDABLE, SIMILAR, WORSE, finding, spread, verdict


def same_depth(pairs):
    """Figure 5: without a block, layers at the same relative depth are similar across seeds and architectures."""
    claim = "equal-depth"
    without = pairs[(pairs.block_first < HAS_BLOCK) & (pairs.block_second < HAS_BLOCK)].dropna(subset="equal_depth")
    if without["first"].nunique() < FEWEST_SEEDS:
        return finding(claim, "", NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks without a block")
    number, why = f"CKA at equal relative depth {spread(without.equal_depth)}", f"{len(without)} ordered pairs"
    return finding(claim, number, verdict(without.equal_depth.median() >= SIMILAR), f"{why} without a block")


def own_block(pairs):
    """Figure 5: the block's layers find no match in another network, where other layers do."""
    claim = "own-block"
    blocks = pairs[pairs.block_first >= HAS_BLOCK].dropna(subset=["best_inside", "best_outside"])
    if blocks["first"].nunique() < FEWEST_SEEDS:
        return finding(claim, "", NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks with a block")
    number = f"best CKA with a layer of the other network: {spread(blocks.best_inside)} in the block, "
    number += f"{spread(blocks.best_outside)} outside"
    holds = (blocks.best_outside - blocks.best_inside).median() >= WORSE
    return finding(claim, number, verdict(holds), f"{len(blocks)} ordered pairs whose first has a block")
