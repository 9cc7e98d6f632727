"""Claims on the similarity between networks, on studies whose answer is known."""

import numpy as np
import pytest
from small_tables import SMALL, decided, empty, networks, pairs_table

from widedeep.findings.verdicts import HAS_BLOCK


@pytest.mark.parametrize(
    ("claim", "pairs", "expected"),
    [
        ("equal-depth", pairs_table(4), "reproduced"),
        ("equal-depth", pairs_table(4, equal_depth=0.5), "not reproduced"),
        ("equal-depth", pairs_table(4, block_second=0.5), "not decidable"),
        ("equal-depth", pairs_table(4, equal_depth=np.nan), "not decidable"),
        ("equal-depth", pairs_table(2), "not decidable"),
        ("equal-depth", pairs_table(6, first="a"), "not decidable"),
        ("own-block", pairs_table(6, first="a", block_first=0.5, best_inside=0.3), "not decidable"),
        ("own-block", pairs_table(4, block_first=0.5, best_inside=0.3), "reproduced"),
        ("own-block", pairs_table(4, block_first=0.5, best_inside=0.8), "not reproduced"),
        ("own-block", pairs_table(4), "not decidable"),
        ("own-block", pairs_table(4, block_first=HAS_BLOCK, best_inside=0.3), "reproduced"),
        ("equal-depth", pairs_table(4, block_first=HAS_BLOCK), "not decidable"),
        ("equal-depth", pairs_table(4, block_second=HAS_BLOCK), "not decidable"),
        ("own-block", empty("pairs.csv"), "not decidable"),
    ],
)
def test_verdicts_on_pairs(claim, pairs, expected):
    assert decided(networks(SMALL), pairs=pairs)[claim].verdict == expected
