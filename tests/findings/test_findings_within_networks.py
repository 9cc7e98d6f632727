"""Claims on where the block structure appears, on studies whose answer is known."""

import pytest
import scipy.stats
from small_tables import (
    ALL,
    BOTTLENECK,
    MANY,
    MANY_NONE,
    NONE,
    PLAIN,
    SMALL,
    SOME,
    UNTRAINED,
    decided,
    networks,
)

from widedeep.findings import verdicts

LITTLE = (14, 1, 0.25)
# A network in which the study could have seen a block structure, on either share of the data.
HAS_ONE = [(110, 1, 1, ALL), (110, 1, 0.25, ALL)]


@pytest.mark.parametrize(
    ("claim", "table", "expected"),
    [
        ("depth", [SMALL, (38, 1, 1, ALL)], "reproduced"),
        # Three of three against none of three: p = 0.1.
        ("depth", [(14, 1, 1, NONE[:3]), (38, 1, 1, ALL)], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, SOME)], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, NONE)], "not decidable"),  # 0 of 4: up to 0.6 of them may have one
        ("depth", [SMALL, (38, 1, 1, MANY_NONE), (14, 2, 1, ALL)], "not reproduced"),
        ("depth", [SMALL, (38, 1, 1, MANY_NONE)], "not decidable"),  # nowhere in the study is a block structure
        ("depth", [SMALL, (110, 1, 1, MANY_NONE)], "not reproduced"),  # but there the paper sees one
        ("depth", [(14, 1, 1, MANY), (38, 1, 1, MANY)], "not reproduced"),
        ("depth", [(14, 1, 1, ALL), (38, 1, 1, NONE)], "not reproduced"),
        ("depth", [SMALL], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, (0.3, 0.3))], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, ALL, UNTRAINED)], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, ALL, {"test_accuracy": 0.5})], "reproduced"),  # overfits, and trained
        ("depth", [SMALL, (38, 1, 1, ALL, PLAIN)], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, (float("nan"),) * 3)], "not decidable"),
        # What hardly trained is not the end of a row.
        ("depth", [SMALL, (38, 1, 1, ALL), (110, 1, 1, MANY_NONE, UNTRAINED)], "reproduced"),
        # The row that grows furthest decides.
        ("depth", [SMALL, (20, 1, 1, NONE), (14, 4, 1, NONE), (110, 4, 1, ALL)], "reproduced"),
        ("depth", [SMALL, (38, 1, 1, ALL), (56, 2, 1, NONE), (110, 2, 1, NONE)], "reproduced"),  # by a factor
        # Of rows that grow equally far the one with the most networks, then the narrowest.
        ("depth", [SMALL, (38, 1, 1, ALL), (14, 2, 1, NONE), (38, 2, 1, NONE[:3])], "reproduced"),
        ("depth", [SMALL, (38, 1, 1, ALL), (14, 2, 1, NONE), (38, 2, 1, NONE)], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, ALL), (14, 1, 0.25, MANY_NONE), (38, 1, 0.25, MANY_NONE)], "not decidable"),
        # Significantly more large ones, but most small ones have one too, or most large ones lack it.
        ("depth", [(14, 1, 1, MANY * 3 + NONE), (38, 1, 1, MANY * 6)], "not reproduced"),
        (
            "depth",
            [(14, 1, 1, MANY_NONE * 5), (38, 1, 1, (*MANY[:8], *MANY_NONE, *MANY_NONE, *MANY_NONE))],
            "not reproduced",
        ),
        ("width", [SMALL, (14, 6, 1, ALL)], "reproduced"),
        ("width", [SMALL, (14, 6, 1, MANY_NONE)], "not decidable"),
        ("width", [SMALL, (14, 8, 1, MANY_NONE)], "not reproduced"),
        ("width", [SMALL, (14, 2, 1, NONE), (*LITTLE, NONE), (14, 6, 0.25, ALL)], "reproduced"),
        ("seeds", [SMALL, (38, 1, 1, ALL), (14, 6, 1, ALL)], "not decidable"),  # 0 of 4 small ones twice, but 6 of 6
        ("seeds", [(14, 1, 1, MANY_NONE), (38, 1, 1, ALL), (14, 6, 1, ALL)], "reproduced"),
        ("seeds", [(14, 1, 1, MANY_NONE), (38, 1, 1, (*MANY[:6], *NONE))], "not decidable"),
        ("seeds", [(14, 1, 1, MANY_NONE), (38, 1, 1, MANY_NONE), (110, 1, 1, MANY_NONE)], "not reproduced"),
        ("seeds", [(14, 1, 1, MANY), (38, 1, 1, MANY)], "not reproduced"),
        ("seeds", [(14, 1, 1, MANY_NONE), (38, 1, 1, MANY_NONE)], "not decidable"),
        ("seeds", [SMALL], "not decidable"),
        ("data", [SMALL, (*LITTLE, ALL)], "reproduced"),
        # Both have a block structure, or none; the contrast grows all the same.
        ("data", [(14, 1, 1, ALL), (*LITTLE, [2 * value for value in ALL])], "reproduced"),
        ("data", [SMALL, (*LITTLE, [value + 0.03 for value in NONE])], "not decidable"),  # by 0.03, give or take 0.02
        # The contrast grows, but nowhere is a block structure; then one of the nine has one.
        ("data", [(14, 1, 1, [v - 0.05 for v in MANY_NONE]), (*LITTLE, MANY_NONE)], "not decidable"),
        ("data", [(14, 1, 1, MANY_NONE), (*LITTLE, [value + 0.035 for value in MANY_NONE])], "reproduced"),
        ("data", [SMALL, (*LITTLE, NONE)], "not decidable"),
        ("data", [SMALL, (*LITTLE, NONE), *HAS_ONE], "not decidable"),  # the large one may have grown
        ("data", [(14, 1, 1, MANY_NONE), (*LITTLE, MANY_NONE), (38, 1, 0.25, ALL)], "not reproduced"),
        ("data", [(14, 1, 1, ALL), (*LITTLE, NONE), (38, 1, 0.25, ALL)], "not reproduced"),
        ("data", [SMALL, (*LITTLE, ALL), (26, 1, 1, ALL), (26, 1, 0.25, NONE)], "not decidable"),
        ("data", [SMALL, (*LITTLE, ALL, {"test_accuracy": 0.6})], "reproduced"),
        # The smallest network on as much data tells what hardly trained.
        ("data", [SMALL, (*LITTLE, NONE), (38, 1, 1, NONE), (38, 1, 0.25, ALL, UNTRAINED)], "not decidable"),
        ("data", [SMALL, (26, 1, 0.25, ALL)], "not decidable"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL)], "not decidable"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL, PLAIN)], "reproduced"),
        ("no-residuals", [SMALL, (38, 1, 1, (0.3, 0.3), PLAIN)], "not decidable"),
        (
            "no-residuals",
            [SMALL, (38, 1, 1, SOME, PLAIN)],
            "not decidable",
        ),  # one of three may be a mistake of the rule
        ("no-residuals", [SMALL, (38, 1, 1, NONE, PLAIN)], "not decidable"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL), (38, 1, 1, NONE, PLAIN)], "not decidable"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL), (38, 1, 1, MANY_NONE, PLAIN)], "not reproduced"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL), (14, 1, 1, MANY_NONE, PLAIN)], "not decidable"),  # of another size
        ("no-residuals", [SMALL, (38, 1, 1, ALL, PLAIN | UNTRAINED)], "not decidable"),
        # Families before "plain" in the alphabet are residual ones too.
        ("depth", [(14, 1, 1, NONE, BOTTLENECK), (38, 1, 1, ALL, BOTTLENECK)], "reproduced"),
        ("depth", [(14, 1, 1, NONE, BOTTLENECK), (38, 1, 1, ALL, BOTTLENECK), (110, 1, 1, NONE, PLAIN)], "reproduced"),
    ],
)
def test_verdicts(claim, table, expected):
    assert decided(networks(*table))[claim].verdict == expected


def test_counts_p_and_intervals_are_told():
    found = decided(networks(SMALL, (38, 1, 1, ALL)))["depth"]
    p = scipy.stats.fisher_exact([[0, 4], [3, 0]]).pvalue
    counts = "networks with a block structure: 0 of 4 small ones, 3 of 3 large ones"
    assert found.number == f"{counts}, p = {p:.2g}; mean contrast 0.020 and 0.223"
    low, high = 0.025 ** (1 / 3), 1 - 0.025 ** (1 / 4)  # of Clopper and Pearson where all or none has it
    assert found.interval == f"share of small ones 0.00 to {high:.2f}, of large ones {low:.2f} to 1.00"
    assert found.smallest_effect == "3 of 3 large networks against 0 of 4 small ones"
    assert found.why == "ResNet-14 1x (49 layers) and ResNet-38 1x (49 layers)"
    few = decided(networks((14, 1, 1, NONE[:3]), (38, 1, 1, ALL)))["depth"]
    assert few.smallest_effect == ""  # no outcome could have decided
    assert "reaches" not in few.why
    told = decided(networks(SMALL, (38, 1, 1, ALL), (14, 6, 1, (0.3, 0.3))))["seeds"]  # two seeds are too few
    assert told.number == counts
    assert told.smallest_effect == ""  # of four small ones up to 0.6 may have one
    told = decided(networks((14, 1, 1, MANY_NONE), (38, 1, 1, MANY * 2)))["seeds"]
    assert told.smallest_effect == "15 of 18 large networks against 0 of 9 small ones"


def test_seeds_that_hardly_trained_are_not_counted():
    table = networks(SMALL, (38, 1, 1, (0.2, 0.25, 0.22, 0.01)))
    table.loc[table.index[-1], "train_accuracy"] = 0.8
    found = decided(table)["depth"]
    assert found.verdict == "reproduced"
    assert "3 of 3 large ones" in found.number
    assert found.why.endswith("of the study's networks 1 hardly trained and are left out")


def test_appendix_c_tells_which_resnets_have_a_block_structure():
    found = decided(networks(SMALL, (38, 1, 1, SOME), (38, 1, 1, SOME, PLAIN)))["no-residuals"]
    assert found.why.endswith("with a block structure: 1 of 3 of ResNet-38 1x")
    alone = decided(networks(SMALL, (38, 1, 1, SOME, PLAIN)))["no-residuals"]
    assert alone.why.endswith("with a block structure: none in the study")


def test_too_few_residual_blocks_are_not_told_as_no_block():
    none = float("nan")
    found = decided(networks((8, 1, 1, (none,) * 4), (38, 1, 1, ALL)))["depth"]
    assert found.verdict == "not decidable"
    assert "too few residual blocks" in found.why


def test_figure_2_tells_where_the_contrast_grows_and_falls():
    gains, loses = [SMALL, (*LITTLE, ALL)], [(26, 1, 1, ALL), (26, 1, 0.25, NONE)]
    found = decided(networks(*gains, *loses))["data"]
    names = [verdicts.name_of(networks(few)) for _, few in (gains, loses)]
    assert found.why == f"contrast grows in {names[0]}, falls in {names[1]}"
    assert "ResNet-14 1x 0.020 (none of 4), ResNet-14 1x, 25% of data 0.223 (size 0.50 in 3 of 3)" in found.number
    assert names[0] in found.interval
    neither = decided(networks(SMALL, (*LITTLE, NONE)))["data"]
    assert neither.why == "contrast grows in none, falls in none"


def test_what_is_left_out_of_figure_2_is_named_with_the_reason():
    seeds_alone = [(20, 1, 1, NONE), (20, 1, 0.25, (0.3, 0.3))]
    found = decided(networks(SMALL, (*LITTLE, NONE), *seeds_alone))["data"]
    assert found.why.endswith("; ResNet-20 1x, 25% of data has 2 of the 3 seeds that a verdict needs")


def test_families_of_residual_networks_are_not_pooled_for_appendix_c():
    """Of all residual networks of depth 38 few have a block structure; of the family bottleneck all."""
    table = networks(SMALL, (38, 1, 1, MANY_NONE), (38, 1, 1, ALL, BOTTLENECK), (38, 1, 1, MANY_NONE, PLAIN))
    assert decided(table)["no-residuals"].verdict == "not reproduced"
