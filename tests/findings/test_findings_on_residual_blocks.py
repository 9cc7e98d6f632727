"""Claims on probes and deleted residual blocks, on studies whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from small_tables import RISING, empty, residual_blocks

from widedeep.findings import residual_blocks as findings
from widedeep.findings import verdicts


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ([verdicts.SLACK, 0.0, 0.1, 0.2], "reproduced"),  # a fall by the slack is none
        ([0.0, 0.0, 0.0, verdicts.SLACK], "not reproduced"),  # and a rise neither
    ],
)
def test_probes_exactly_at_the_slack(probes, expected):
    assert findings.rising_probes(residual_blocks([0] * 4, probes, [0] * 4)).verdict == expected


def beside_control(worth, of_control, names="abc"):
    """Networks whose second residual block is in the block structure, and one without that: what each is worth."""
    lines = {"position": [1, 2], "in_block": [False, True]}
    found = [
        pd.DataFrame({"network": f"{name}/seed1", "share_in_block": 0.5, **lines, "contribution": worth})
        for name in names
    ]
    return pd.concat(
        [*found, pd.DataFrame({"network": "z/seed1", "share_in_block": 0, **lines, "contribution": of_control})]
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (beside_control([1, verdicts.FLAT], [1, 1]), "reproduced"),
        (beside_control([2 * verdicts.SLACK, 0], [1, 0.5]), "not decidable"),  # where little is expected
        # Half of the networks are not most of them.
        (pd.concat([beside_control([1, 0], [1, 1], "ab"), beside_control([1, 1], [1, 1], "cd")]), "not reproduced"),
    ],
)
def test_comparisons_with_what_place_makes_exactly_at_their_thresholds(lines, expected):
    assert findings.inside_against_expected("flat-probes", "", lines).verdict == expected


STEPS, FLATTER = [0.3, 0.6, 0.61, 0.62], [0.3, 0.6, 0.605, 0.61]
LATE, AFTER_ONE = [0, 0, 1, 1], [0, 1, 1, 1]


def beside_one_without(*arguments, losses=(0.4, 0.4, 0.2, 0.2), probes=RISING, name="other", **options):
    """residual_blocks, and a network without a block structure."""
    without = residual_blocks([0, 0, 0, 0], probes, losses, networks=1, name=name)
    return pd.concat([residual_blocks(*arguments, **options), without], ignore_index=True)


def at_threshold(table):
    """What has a block structure, has just enough of it."""
    return table.assign(share_in_block=table.share_in_block.where(table.share_in_block == 0, verdicts.HAS_BLOCK))


@pytest.mark.parametrize(
    ("rule", "table", "expected"),
    [
        (findings.rising_probes, residual_blocks([0, 0, 0, 0], RISING, [0] * 4), "reproduced"),
        (findings.rising_probes, residual_blocks([0, 0, 0, 0], [0.3, 0.5, 0.4, 0.3], [0] * 4), "not reproduced"),
        # What neither falls nor rises is not rising.
        (findings.rising_probes, residual_blocks([0, 0, 0, 0], [0.5, 0.5, 0.5, 0.505], [0] * 4), "not reproduced"),
        # Within the slack a fall is none.
        (findings.rising_probes, residual_blocks([0, 0, 0, 0], [0.3, 0.5, 0.495, 0.49], [0] * 4), "reproduced"),
        (findings.rising_probes, residual_blocks(AFTER_ONE, RISING, [0] * 4), "not decidable"),
        (findings.rising_probes, at_threshold(residual_blocks(AFTER_ONE, RISING, [0] * 4)), "not decidable"),
        (findings.flat_probes, at_threshold(beside_one_without(AFTER_ONE, STEPS, [0] * 4)), "reproduced"),
        (findings.flat_probes, beside_one_without(AFTER_ONE, STEPS, [0] * 4), "reproduced"),
        (findings.flat_probes, beside_one_without(AFTER_ONE, RISING, [0] * 4), "not reproduced"),
        # Where they are flat without a block too, nothing is left to decide.
        (findings.flat_probes, beside_one_without(AFTER_ONE, STEPS, [0] * 4, probes=FLATTER), "not decidable"),
        (findings.flat_probes, residual_blocks([0, 0, 0, 0], RISING, [0] * 4), "not decidable"),
        (findings.flat_probes, beside_one_without(AFTER_ONE, STEPS, [0] * 4, networks=2), "not decidable"),
        (findings.deleted_blocks, beside_one_without(LATE, RISING, [0.3, 0.3, 0, 0.1]), "reproduced"),
        (findings.deleted_blocks, beside_one_without(LATE, RISING, [0.3, 0.2, 0.4, 0.1]), "not reproduced"),
        # Late residual blocks cost half as much without a block too.
        (findings.deleted_blocks, beside_one_without(LATE, RISING, [0.4, 0.4, 0.15, 0.15]), "not reproduced"),
        (findings.deleted_blocks, residual_blocks(LATE, RISING, [0.3, 0.3, 0, 0.1]), "not decidable"),
        (findings.deleted_blocks, empty("E.csv"), "not decidable"),
        (findings.rising_probes, empty("E.csv"), "not decidable"),
        (findings.flat_probes, empty("E.csv"), "not decidable"),
    ],
)
def test_residual_blocks_whose_answer_is_known(rule, table, expected):
    assert rule(table).verdict == expected


@pytest.mark.parametrize(
    ("outside", "inside", "expected"),
    [(0.1, 0.05, 0.2 * 0.05 / 0.1), (0.1, -0.05, 0), (0.0, 0.05, np.nan), (-0.1, 0.05, np.nan)],
)
def test_places_that_are_worth_nothing_without_a_block_let_expect_nothing(outside, inside, expected):
    lines = {"position": [1, 2, 3, 4], "in_block": [False, False, True, True]}
    with_block = pd.DataFrame({"network": "a/seed1", **lines, "contribution": [0.3, 0.1, 0.01, 0.03]})
    without = pd.DataFrame({"network": "b/seed1", **lines, "contribution": [outside, outside, inside, inside]})
    (line,) = findings.expected_from_position(with_block, without).itertuples()
    assert (line.inside, line.outside) == pytest.approx((0.02, 0.2))
    assert line.expected == pytest.approx(expected, nan_ok=True)


def test_place_is_judged_by_networks_of_the_same_configuration_where_there_are_any():
    def contribution(table):
        table = table[table.deletion == "alone"]
        return table.assign(contribution=table.network_accuracy - table.accuracy)

    with_block = contribution(residual_blocks(LATE, RISING, [0.4, 0.2, 0.1, 0], networks=1))
    same = contribution(residual_blocks([0] * 4, RISING, [0.4, 0.4, 0.4, 0.4], networks=1)).assign(network="n/seed9")
    longer = contribution(
        residual_blocks([0] * 8, [*RISING, *RISING], [0.8, 0.8, 0.8, 0.8, 0.1, 0.2, 0.1, 0.2], name="other")
    )
    others = [longer, longer.assign(network="another/seed1")]
    (line,) = findings.expected_from_position(with_block, pd.concat([same, *others])).itertuples()
    assert (line.inside, line.outside, line.expected) == pytest.approx((0.05, 0.3, 0.3))
    # Of eight blocks the second, fourth, sixth and eighth are at the places of these four.
    (line,) = findings.expected_from_position(with_block, longer).itertuples()
    assert line.expected == pytest.approx(0.3 * 0.2 / 0.8)
    # Nearest to the places of three blocks are the first, third and fourth of four.
    three = contribution(residual_blocks([0, 1, 1], RISING[:3], [0.4, 0.1, 0.1], networks=1))
    four = contribution(residual_blocks([0] * 4, RISING, [0.8, 0.5, 0.2, 0.1], networks=1, name="other"))
    (line,) = findings.expected_from_position(three, four).itertuples()
    assert line.expected == pytest.approx(0.4 * 0.15 / 0.8)
    assert findings.expected_from_position(same, longer).empty
