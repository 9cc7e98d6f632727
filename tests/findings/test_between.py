"""Claims on the similarity between networks, on studies whose answer is known."""

import numpy as np
import pytest
from small_tables import SMALL, decided, empty, networks, pairs_table

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings.statistics import of_mean_over_pairs


def one_first(table):
    """The pairs whose first network is the first one."""
    return table[table["first"] == "a0"]


def spread_over(table, column, values):
    """The table with a value for each first network in a column."""
    networks = table["first"].str.removeprefix("a").astype(int)
    return table.assign(**{column: np.array(values)[networks]})


WITH = {"contrast_first": 0.3, "best_inside": 0.3}


@pytest.mark.parametrize(
    ("claim", "pairs", "expected"),
    [
        ("equal-depth", pairs_table(4), "reproduced"),
        ("equal-depth", pairs_table(4, equal_depth=0.5), "not reproduced"),
        ("equal-depth", spread_over(pairs_table(4), "equal_depth", [0.9, 0.9, 0.9, 0.2]), "not decidable"),
        ("equal-depth", pairs_table(4, contrast_second=0.3), "not decidable"),
        ("equal-depth", pairs_table(4, contrast_first=np.nan), "not decidable"),  # too few residual blocks
        ("equal-depth", pairs_table(4, equal_depth=np.nan), "not decidable"),
        ("equal-depth", pairs_table(2), "not decidable"),
        ("equal-depth", one_first(pairs_table(6)), "not decidable"),
        ("own-block", one_first(pairs_table(6, **WITH)), "not decidable"),
        ("own-block", pairs_table(4, **WITH), "reproduced"),
        ("own-block", pairs_table(4, **{**WITH, "best_inside": 0.8}), "not reproduced"),
        ("own-block", spread_over(pairs_table(4, **WITH), "best_inside", [0.3, 0.3, 0.9, 0.9]), "not decidable"),
        ("own-block", pairs_table(4), "not decidable"),
        ("own-block", pairs_table(4, **{**WITH, "contrast_first": LEAST_CONTRAST}), "reproduced"),
        ("equal-depth", pairs_table(4, contrast_first=LEAST_CONTRAST), "not decidable"),
        ("equal-depth", pairs_table(4, contrast_second=LEAST_CONTRAST), "not decidable"),
        ("own-block", empty("pairs.csv"), "not decidable"),
    ],
)
def test_verdicts_on_pairs(claim, pairs, expected):
    assert decided(networks(SMALL), pairs=pairs)[claim].verdict == expected


def test_the_numbers_are_told():
    found = decided(networks(SMALL), pairs=pairs_table(4, **WITH))["own-block"]
    assert (
        found.number
        == "best CKA with a layer of the other network: 0.30 in the block structure, 0.90 outside, 0.60 more"
    )
    assert found.why == "12 ordered pairs whose first network has a block structure"


def test_networks_without_a_block_structure_are_a_stratum_of_their_own():
    """Three networks with a block structure, and partners without one: one of them, and two."""
    table = pairs_table(5, **WITH)
    having = table[table["first"].isin(["a0", "a1", "a2"])]
    having = having.assign(best_inside=np.linspace(0.2, 0.4, len(having)))
    for partners in (1, 2):
        chosen = having[having["second"].isin([f"a{place}" for place in range(3 + partners)])]
        found = decided(networks(SMALL), pairs=chosen)["own-block"]
        strata = (lambda network: network in ("a0", "a1", "a2")) if partners > 1 else (lambda _network: 0)
        difference = chosen.best_outside - chosen.best_inside
        expected = of_mean_over_pairs(chosen["first"], chosen["second"], difference, strata)
        assert found.interval.startswith(f"{expected.low:.2f} to {expected.high:.2f}")
