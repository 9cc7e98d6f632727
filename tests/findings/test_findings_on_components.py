"""Claims on the first principal component in the block structure, on studies whose answer is known."""

import numpy as np
import pytest
from small_tables import ALL, NONE, SMALL, UNTRAINED, decided, networks

DEEP = (38, 1, 1, ALL)


def with_values(**columns):
    """The verdicts on three networks with a block structure with these values of a column each."""
    return decided(networks(SMALL, DEEP).pipe(_put, columns))


def _put(table, columns):
    for name, values in columns.items():
        table.loc[table.depth == 38, name] = values
    return table


@pytest.mark.parametrize(
    ("claim", "columns", "expected"),
    [
        ("shared-component", {}, "reproduced"),
        ("shared-component", {"cosine_inside": 0.7}, "not reproduced"),
        ("shared-component", {"cosine_across": 0.85}, "not reproduced"),  # shared with all others too
        ("shared-component", {"cosine_inside": [0.95, 0.6, 0.9]}, "not decidable"),
        ("shared-component", {"cosine_across": [0.9, 0.5, 0.6]}, "not decidable"),
        ("shared-component", {"cosine_inside": np.nan}, "not decidable"),
        ("dominant-component", {}, "reproduced"),
        ("dominant-component", {"share_outside": 0.4}, "not reproduced"),
        ("dominant-component", {"share_inside": 0.15, "share_outside": 0.05}, "reproduced"),  # below one half
        ("dominant-component", {"share_inside": [0.6, 0.12, 0.3]}, "not decidable"),
        ("weakened-block", {}, "reproduced"),
        ("weakened-block", {"contrast_without_first_component": ALL}, "not reproduced"),
        ("weakened-block", {"contrast_without_first_component": [0.2, 0.0, 0.1]}, "not decidable"),
        ("vanished-block", {}, "reproduced"),
        ("vanished-block", {"contrast_without_first_component": [0.1, 0.11, 0.1]}, "not reproduced"),
        ("vanished-block", {"contrast_without_first_component": [0.0, 0.11, 0.02]}, "not decidable"),
        ("vanished-block", {"contrast_without_first_component": np.nan}, "not decidable"),
    ],
)
def test_verdicts(claim, columns, expected):
    assert with_values(**columns)[claim].verdict == expected


@pytest.mark.parametrize(
    "table",
    [[SMALL], [SMALL, (38, 1, 1, ALL[:2])], [SMALL, (38, 1, 1, ALL, UNTRAINED)], [(38, 1, 1, (*ALL[:2], 0.01))]],
)
def test_fewer_than_three_networks_with_a_block_structure_decide_nothing(table):
    found = decided(networks(*table))
    for claim in ("shared-component", "dominant-component", "weakened-block", "vanished-block"):
        assert found[claim].verdict == "not decidable"
        assert "fewer than 3 networks" in found[claim].why


def test_networks_without_a_block_structure_have_no_say():
    table = networks((14, 1, 1, NONE, {"cosine_inside": 0.1, "contrast_without_first_component": 0.3}), DEEP)
    found = decided(table)
    for claim in ("shared-component", "vanished-block"):
        assert found[claim].verdict == "reproduced"
        assert found[claim].why.startswith("3 networks")


def test_the_numbers_are_those_of_the_networks():
    found = with_values(share_inside=[0.8, 0.6, 0.4], share_outside=0.1)
    ratio = (8 * 6 * 4) ** (1 / 3)
    assert found["dominant-component"].number.endswith(
        f"share of the variance 0.60 inside, 0.10 outside, {ratio:.1f} times as large; above one half in 2 of 3"
    )
    found = with_values(contrast_without_first_component=[0.02, 0.03, 0.08])
    assert found["vanished-block"].number == (
        "mean contrast 0.223, without first components 0.043; below 0.06 in 2 of 3"
    )


def test_opposite_verdicts_never_print_the_same_ends():
    """An interval that ends just below the threshold, at a distance that two decimals do not show."""
    found = with_values(contrast_without_first_component=[0.0599, 0.05995, 0.0599])["vanished-block"]
    assert found.verdict == "reproduced"
    end, threshold = found.interval.split(" to ")[1].split(", threshold below ")
    assert float(end) < float(threshold)
