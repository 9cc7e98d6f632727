"""Claims on the block structure within a network, on studies whose answer is known."""

import numpy as np
import pytest
from small_tables import ALL, BOTTLENECK, HALF, LESS, NONE, PLAIN, SMALL, SOME, decided, networks

from widedeep.findings import verdicts

BEHIND = {"test_accuracy": 0.8}


@pytest.mark.parametrize(
    ("claim", "table", "expected"),
    [
        ("depth", [SMALL, (38, 1, 1, ALL)], "reproduced"),
        ("depth", [SMALL, (38, 1, 1, SOME)], "not reproduced"),
        ("depth", [SMALL, (38, 1, 1, NONE)], "not reproduced"),
        ("depth", [(14, 1, 1, ALL), (38, 1, 1, ALL)], "not reproduced"),
        ("depth", [SMALL], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, (0.3, 0.3))], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, ALL, {"train_accuracy": 0.85})], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, ALL, BEHIND)], "not decidable"),
        ("depth", [SMALL, (38, 1, 1, ALL, {"family": "plain"})], "not decidable"),
        # The row that grows furthest decides.
        ("depth", [SMALL, (20, 1, 1, NONE), (14, 4, 1, NONE), (110, 4, 1, ALL)], "reproduced"),
        ("depth", [SMALL, (38, 1, 1, ALL), (56, 2, 1, NONE), (110, 2, 1, NONE)], "reproduced"),  # by a factor
        # Of rows that grow equally far the narrowest.
        ("depth", [SMALL, (38, 1, 1, ALL), (14, 2, 1, NONE), (38, 2, 1, NONE)], "reproduced"),
        ("width", [SMALL, (14, 6, 1, ALL)], "reproduced"),
        ("width", [SMALL, (14, 6, 1, NONE)], "not reproduced"),
        ("width", [SMALL, (14, 2, 1, NONE), (14, 1, 0.25, NONE), (14, 6, 0.25, ALL)], "reproduced"),
        ("seeds", [SMALL, (38, 1, 1, ALL), (14, 6, 1, ALL)], "reproduced"),
        ("seeds", [SMALL, (38, 1, 1, ALL), (14, 6, 1, SOME)], "not reproduced"),
        ("seeds", [(14, 1, 1, SOME), (38, 1, 1, ALL)], "not reproduced"),
        ("seeds", [SMALL], "not decidable"),
        ("data", [SMALL, (14, 1, 0.25, ALL)], "reproduced"),
        ("data", [SMALL, (14, 1, 0.25, NONE)], "not reproduced"),
        ("data", [(14, 1, 1, ALL), (14, 1, 0.25, NONE)], "not reproduced"),
        ("data", [SMALL, (14, 1, 0.25, ALL), (26, 1, 1, ALL), (26, 1, 0.25, NONE)], "not reproduced"),
        # Less data lowers test accuracy, of the smallest network too; training accuracy it does not.
        ("data", [SMALL, (14, 1, 0.25, ALL, BEHIND)], "reproduced"),
        ("data", [SMALL, (14, 1, 0.25, ALL, {"train_accuracy": 0.8})], "not decidable"),
        # The smallest network on as much data tells what hardly trained.
        ("data", [SMALL, (14, 1, 0.25, NONE, LESS), (38, 1, 1, NONE), (38, 1, 0.25, ALL, LESS)], "reproduced"),
        ("data", [SMALL, (14, 1, 0.25, NONE), (38, 1, 1, NONE), (38, 1, 0.25, ALL, LESS)], "not reproduced"),
        ("data", [SMALL, (14, 1, 0.25, NONE), (38, 1, 1, NONE, LESS), (38, 1, 0.25, ALL)], "not reproduced"),
        ("data", [SMALL, (26, 1, 0.25, ALL)], "not decidable"),
        ("first-component", [(38, 1, 1, ALL)], "reproduced"),
        ("first-component", [(38, 1, 1, ALL, {"cka_in_block_without_first_component": 0.8})], "not reproduced"),
        ("first-component", [(38, 1, 1, ALL, {"cka_in_block_without_first_component": np.nan})], "not decidable"),
        ("first-component", [SMALL], "not decidable"),
        ("first-component", [(38, 1, 1, (0.3, 0.4, 0))], "not decidable"),
        ("first-component", [SMALL, (38, 1, 1, ALL, {"train_accuracy": 0.85})], "not decidable"),
        ("first-component", [SMALL, (38, 1, 0.25, ALL, BEHIND)], "reproduced"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL)], "not decidable"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL, PLAIN)], "reproduced"),
        ("no-residuals", [SMALL, (38, 1, 1, (0.3, 0.3), PLAIN)], "not decidable"),
        ("no-residuals", [SMALL, (38, 1, 1, NONE, PLAIN)], "not decidable"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL), (38, 1, 1, NONE, PLAIN)], "not reproduced"),
        ("no-residuals", [SMALL, (38, 1, 1, ALL, {**PLAIN, "test_accuracy": 0.8})], "not decidable"),
        (
            "no-residuals",
            [SMALL, (38, 1, 1, ALL), (14, 1, 1, NONE, PLAIN)],
            "not decidable",
        ),  # a ResNet of another size has one
        # Families before "plain" in the alphabet are residual ones too.
        ("depth", [(14, 1, 1, NONE, BOTTLENECK), (38, 1, 1, ALL, BOTTLENECK)], "reproduced"),
        ("depth", [(14, 1, 1, NONE, BOTTLENECK), (38, 1, 1, ALL, BOTTLENECK), (110, 1, 1, NONE, PLAIN)], "reproduced"),
        ("data", [(8, 1, 1, NONE), SMALL, (14, 1, 0.25, ALL)], "reproduced"),
        ("first-component", [(38, 1, 1, (0.3, 0.5, 0.4, 0.4))], "reproduced"),
        # What hardly trained is told by networks on the same share of the data.
        (
            "first-component",
            [SMALL, (14, 1, 0.25, NONE, HALF), (38, 1, 1, ALL, BEHIND)],
            "not decidable",
        ),
    ],
)
def test_verdicts(claim, table, expected):
    assert decided(networks(*table))[claim].verdict == expected


def test_counts_of_seeds_and_who_gained_and_lost_are_told():
    def told(claim, *table):
        return decided(networks(*table))[claim]

    found = told("seeds", (14, 1, 1, SOME), (38, 1, 1, (0.3, 0.3, 0.4, 0)))
    assert found.number == "networks with a block: 1 of 3 small ones, 3 of 4 large ones"
    found = told("seeds", SMALL, (38, 1, 1, ALL), (14, 6, 1, (0.3, 0.3)))  # of which two seeds are too few
    assert found.number == "networks with a block: 0 of 3 small ones, 3 of 3 large ones"
    gains, loses = [SMALL, (14, 1, 0.25, ALL)], [(26, 1, 1, ALL), (26, 1, 0.25, NONE)]
    name, other = (verdicts.name_of(networks(few)) for _, few in (gains, loses))
    assert told("data", *gains, *loses).why == f"with less data {name} gained a block, {other} lost it"
    neither = told("data", SMALL, (14, 1, 0.25, NONE))
    assert neither.why == "with less data none gained a block, none lost it"


def test_less_data_that_costs_test_accuracy_alone_is_decided():
    """Four shares of the data, all learned by heart."""
    shares = [(1, 0.93, 0), (0.5, 0.9, 0), (0.25, 0.84, 0.3), (0.06, 0.65, 0.5)]
    lines = [
        (14, 1, fraction, [share] * 3, {"train_accuracy": 1.0, "test_accuracy": accuracy})
        for fraction, accuracy, share in shares
    ]
    found = decided(networks(*lines))["data"]
    assert found.verdict == "reproduced"
    shares = "0.00 (0.00 to 0.00), then 0.50 (0.50 to 0.50)"
    assert found.number == f"share of layers in the block, ResNet-14 1x (49 layers): {shares}"


def test_what_is_left_out_of_figure_2_is_named_with_the_reason():
    seeds_alone = [(20, 1, 1, NONE), (20, 1, 0.25, (0.3, 0.3))]
    behind = [(38, 1, 1, NONE), (38, 1, 0.25, ALL, LESS)]
    slow = [(26, 1, 1, NONE), (26, 1, 0.25, ALL, {"train_accuracy": 0.85})]
    reasons = [
        "ResNet-20 1x, 25% of data has 2 of the 3 seeds that a verdict needs",
        "ResNet-26 1x, 25% of data hardly trained: its train accuracy is 0.14 below that of ResNet-14 1x, 25% of data",
        "ResNet-38 1x, 25% of data hardly trained: its test accuracy is 0.30 below that of ResNet-14 1x, 25% of data",
    ]
    small = [SMALL, (14, 1, 0.25, NONE)]
    found = decided(networks(*small, *seeds_alone, *slow, *behind))["data"]
    assert found.why == "; ".join(["with less data none gained a block, none lost it", *reasons])
    slow = networks(SMALL, (14, 1, 0.25, NONE, {"train_accuracy": 0.85}))
    found = decided(slow)["data"]
    reason = "ResNet-14 1x, 25% of data hardly trained: its train accuracy is 0.14 below that of ResNet-14 1x"
    assert (found.verdict, found.why) == ("not decidable", reason)


def test_families_of_residual_networks_are_not_pooled_for_appendix_c():
    """Half of all residual networks of depth 38 have a block, which is not most; of the family bottleneck all."""
    table = networks(SMALL, (38, 1, 1, NONE), (38, 1, 1, ALL, BOTTLENECK), (38, 1, 1, NONE, PLAIN))
    assert decided(table)["no-residuals"].verdict == "not reproduced"
