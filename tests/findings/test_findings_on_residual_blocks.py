"""Claims on probes and deleted residual blocks, on studies whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from small_tables import RISING, empty, residual_blocks

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings import residual_blocks as findings
from widedeep.findings.verdicts import FLAT, SLACK

NONE = [0, 0, 0, 0]
STEPS, FLATTER = [0.3, 0.6, 0.61, 0.62], [0.3, 0.6, 0.603, 0.606]
LATE, AFTER_ONE = [0, 0, 1, 1], [0, 1, 1, 1]


def without_block(probes=RISING, losses=(0.4, 0.4, 0.2, 0.2), networks=3, name="other"):
    """Networks without a block structure."""
    return residual_blocks(NONE, probes, losses, networks, name)


def beside(with_block, *others):
    return pd.concat([with_block, *others], ignore_index=True)


def at_threshold(table):
    """The same where the networks with a block structure have just enough of it."""
    return table.assign(contrast=table.contrast.where(table.contrast < LEAST_CONTRAST, LEAST_CONTRAST))


def apart(table, spread):
    """The same where the accuracies of the networks of each name differ, by turns up and down."""
    signs = table.network.str[-1].astype(int) % 2 * 2 - 1
    change = spread * signs * table.block
    return table.assign(accuracy=table.accuracy + change, accuracy_at_half=table.accuracy_at_half + change)


RISES = residual_blocks(NONE, RISING, NONE)
FLAT_AFTER_ONE = beside(residual_blocks(AFTER_ONE, STEPS, NONE), without_block())
CHEAP_LATE = beside(residual_blocks(LATE, RISING, [0.3, 0.3, 0, 0.1]), without_block())


@pytest.mark.parametrize(
    ("rule", "table", "expected"),
    [
        (findings.rising_probes, RISES, "reproduced"),
        (findings.rising_probes, residual_blocks(NONE, [0.3, 0.5, 0.4, 0.3], NONE), "not reproduced"),
        # What neither falls nor rises is not rising.
        (findings.rising_probes, residual_blocks(NONE, [0.5, 0.5, 0.5, 0.505], NONE), "not reproduced"),
        # A fall by the slack is none, and a rise by it is between the two verdicts.
        (findings.rising_probes, residual_blocks(NONE, [0.3, 0.6, 0.59, 0.58], NONE), "reproduced"),
        (findings.rising_probes, residual_blocks(NONE, [0.3, 0.6, 0.589, 0.59], NONE), "not reproduced"),
        (findings.rising_probes, residual_blocks(NONE, [0.3, 0.3, 0.3, 0.3 + SLACK], NONE), "not decidable"),
        # It rises in the mean, but networks differ too much.
        (findings.rising_probes, apart(RISES, 0.15), "not decidable"),
        (findings.rising_probes, residual_blocks(NONE, RISING, NONE, networks=2), "not decidable"),
        (findings.rising_probes, residual_blocks(AFTER_ONE, RISING, NONE), "not decidable"),
        (findings.rising_probes, at_threshold(residual_blocks(AFTER_ONE, RISING, NONE)), "not decidable"),
        (findings.flat_probes, FLAT_AFTER_ONE, "reproduced"),
        (findings.flat_probes, at_threshold(FLAT_AFTER_ONE), "reproduced"),
        (findings.flat_probes, apart(FLAT_AFTER_ONE, 0.01), "reproduced"),
        (findings.flat_probes, apart(FLAT_AFTER_ONE, 0.1), "not decidable"),
        (findings.flat_probes, beside(residual_blocks(AFTER_ONE, RISING, NONE), without_block()), "not reproduced"),
        # Where probes are flat without a block structure too, nothing is left to decide.
        (
            findings.flat_probes,
            beside(residual_blocks(AFTER_ONE, STEPS, NONE), without_block(FLATTER)),
            "not decidable",
        ),
        (findings.flat_probes, residual_blocks(AFTER_ONE, STEPS, NONE), "not decidable"),
        (findings.flat_probes, RISES, "not decidable"),
        (
            findings.flat_probes,
            beside(residual_blocks(AFTER_ONE, STEPS, NONE, networks=2), without_block()),
            "not decidable",
        ),
        (
            findings.flat_probes,
            beside(residual_blocks(AFTER_ONE, STEPS, NONE), without_block(networks=2)),
            "not decidable",
        ),
        (findings.deleted_blocks, CHEAP_LATE, "reproduced"),
        (findings.deleted_blocks, apart(CHEAP_LATE, 0.1), "not decidable"),
        (
            findings.deleted_blocks,
            beside(residual_blocks(LATE, RISING, [0.3, 0.2, 0.4, 0.1]), without_block()),
            "not reproduced",
        ),
        # Late residual blocks cost half as much without a block structure too.
        (
            findings.deleted_blocks,
            beside(residual_blocks(LATE, RISING, [0.4, 0.4, 0.15, 0.15]), without_block()),
            "not reproduced",
        ),
        # Of the expected 0.15, 0.4 are 0.06.
        (
            findings.deleted_blocks,
            beside(residual_blocks(LATE, RISING, [0.3, 0.3, 0.065, 0.065]), without_block()),
            "not reproduced",
        ),
        (
            findings.deleted_blocks,
            beside(residual_blocks(LATE, RISING, [0.3, 0.3, 0.055, 0.055]), without_block()),
            "reproduced",
        ),
        (findings.deleted_blocks, residual_blocks(LATE, RISING, [0.3, 0.3, 0, 0.1]), "not decidable"),
        *(
            (rule, empty("E.csv"), "not decidable")
            for rule in (findings.rising_probes, findings.flat_probes, findings.deleted_blocks)
        ),
    ],
)
def test_residual_blocks_whose_answer_is_known(rule, table, expected):
    assert rule(table).verdict == expected


@pytest.mark.parametrize(
    ("rule", "table", "name"),
    [
        (findings.rising_probes, RISES, "n"),
        (findings.flat_probes, FLAT_AFTER_ONE, "n"),
        (findings.flat_probes, FLAT_AFTER_ONE, "other"),
        (findings.deleted_blocks, CHEAP_LATE, "n"),
        (findings.deleted_blocks, CHEAP_LATE, "other"),
    ],
)
def test_networks_with_too_few_residual_blocks_are_neither_with_nor_without(rule, table, name):
    unknown = table.assign(contrast=table.contrast.mask(table.network.str.startswith(f"{name}/")))
    assert (rule(table).verdict, rule(unknown).verdict) == ("reproduced", "not decidable")


@pytest.mark.parametrize("name", ["n", "other"])
def test_a_network_whose_accuracy_is_unknown_does_not_count(name):
    """As if a fourth network, with or without a block structure, were not there."""
    fourth = CHEAP_LATE[CHEAP_LATE.network == f"{name}/seed0"].assign(network=f"{name}/seed3", network_accuracy=np.nan)
    assert findings.deleted_blocks(beside(CHEAP_LATE, fourth)) == findings.deleted_blocks(CHEAP_LATE)


def still_learning(table, networks, change, column="accuracy_at_half"):
    """The same where one probe of some networks differed by `change` after half of the epochs."""
    chosen = table.network.isin(networks) & (table.deletion == "probe") & (table.block == 2)
    return table.assign(**{column: table[column].where(~chosen, table.accuracy - change)})


@pytest.mark.parametrize(
    ("rule", "table", "name"),
    [(findings.rising_probes, RISES, "n"), (findings.flat_probes, FLAT_AFTER_ONE, "other")],
)
def test_networks_whose_probes_are_not_trained_do_not_count(rule, table, name):
    """One probe that moves by more than the slack is enough, up or down; and so is one of which that is unknown."""
    one = [f"{name}/seed0"]
    for change in (SLACK, -SLACK):
        assert rule(still_learning(table, one, change)) == rule(table)
    for change, word in ((SLACK + 0.001, "0.011"), (-SLACK - 0.001, "0.011"), (np.nan, "unknown")):
        found = rule(still_learning(table, one, change))
        assert found.verdict == "not decidable"
        assert word in found.why
        assert "probes.epochs" in found.why


def test_a_verdict_says_how_many_networks_are_left_out_and_how_far_they_move():
    table = residual_blocks(NONE, RISING, NONE, networks=5)
    table = still_learning(still_learning(table, ["n/seed0"], 0.02), ["n/seed1"], 0.05)
    found = findings.rising_probes(table)
    assert found.verdict == "reproduced"
    for words in ("3 networks", "2 of 5 networks", "0.020 to 0.050", "probes.epochs"):
        assert words in found.why
    assert "probes.epochs" not in findings.rising_probes(RISES).why


@pytest.mark.parametrize(
    ("rule", "table"),
    [(findings.rising_probes, RISES), (findings.flat_probes, FLAT_AFTER_ONE), (findings.deleted_blocks, CHEAP_LATE)],
)
def test_probes_before_the_addition_and_deletions_of_several_blocks_decide_nothing(rule, table):
    before = table[table.kind == "add"].assign(kind="bn", accuracy=0.2, accuracy_at_half=0.2)
    several = table[table.deletion == "alone"].assign(deletion="from the end", accuracy=0.2)
    assert rule(beside(table, before, several)) == rule(table)


def test_deletions_do_not_need_trained_probes():
    untrained = CHEAP_LATE.assign(accuracy_at_half=np.nan)
    assert findings.deleted_blocks(untrained) == findings.deleted_blocks(CHEAP_LATE)


def test_the_words_of_rising_probes_hold_both_numbers():
    """Gains 0.2, 0.2 and 0.1, or 0.1, 0.2 and -0.2: two of three additions do not fall."""
    other = residual_blocks(NONE, [0.3, 0.4, 0.6, 0.4], NONE, networks=1, name="m")
    found = findings.rising_probes(beside(RISES, other))
    share = t_interval([1, 1, 1, 2 / 3])
    gain = t_interval([0.5, 0.5, 0.5, 0.1])
    assert "0.92" in found.number
    assert "0.400" in found.number
    for low, high in (share, gain):
        assert f"{low:.2f} to {high:.2f}, threshold above" in found.interval
    # A share above 1 is none.
    assert found.smallest_effect == ""
    assert findings.rising_probes(apart(RISES, 0.01)).smallest_effect.startswith("share 0.80; gain 0.")


def t_interval(values):
    """The definition: Student's 95 % interval of a mean."""
    return scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))


def lines_of(name, in_block, contributions, contrast=0.2):
    """One line per residual block of a network."""
    place = {"position": range(1, len(in_block) + 1), "in_block": [bool(inside) for inside in in_block]}
    return pd.DataFrame({"network": name, "contrast": contrast, **place, "contribution": contributions})


def comparison(own, *controls, over_inside=np.mean):
    (found,) = findings.comparisons(own, pd.concat(controls), over_inside)
    return found


@pytest.mark.parametrize(
    ("outside", "inside", "expected"),
    [(0.1, 0.05, 0.2 * 0.05 / 0.1), (0.1, -0.05, 0)],
)
def test_position_predicts_as_much_as_it_makes_without_a_block(outside, inside, expected):
    own = lines_of("a/seed1", LATE, [0.3, 0.1, 0.01, 0.03])
    control = lines_of("b/seed1", LATE, [outside, outside, inside, inside], 0)
    found = comparison(own, control)
    assert (found.inside, found.outside, found.expected()) == pytest.approx((0.02, 0.2, expected))
    # Over both residual blocks inside all are twice as much.
    found = comparison(own, control, over_inside=sum)
    assert (found.inside, found.outside, found.expected()) == pytest.approx((0.04, 0.4, 2 * expected))


@pytest.mark.parametrize("outside", [0.0, -0.1])
def test_controls_that_contribute_nothing_outside_predict_nothing(outside):
    own = lines_of("a/seed1", LATE, [0.3, 0.1, 0.01, 0.03])
    control = lines_of("b/seed1", LATE, [outside, outside, 0.05, 0.05], 0)
    assert findings.comparisons(own, control, np.mean) == []


@pytest.mark.filterwarnings("error")  # of means of nothing
@pytest.mark.parametrize("in_block", [NONE, [1, 1, 1, 1]])
def test_networks_need_residual_blocks_inside_and_outside(in_block):
    own = lines_of("a/seed1", in_block, [0.3, 0.1, 0.01, 0.03])
    assert findings.comparisons(own, lines_of("b/seed1", NONE, [0.1] * 4, 0), np.mean) == []


def test_controls_are_of_the_same_configuration_where_there_are_two():
    own = lines_of("n/seed1", LATE, [0.4, 0.2, 0.1, 0])
    same = [lines_of(f"n/seed{seed}", NONE, [0.4] * 4, 0) for seed in (8, 9)]
    longer = lines_of("other/seed1", [0] * 8, [0.8, 0.8, 0.8, 0.8, 0.1, 0.2, 0.1, 0.2], 0)
    assert set(comparison(own, *same, longer).controls) == {"n/seed8", "n/seed9"}
    assert comparison(own, *same, longer).expected() == pytest.approx(0.3)
    assert set(comparison(own, same[0], longer).controls) == {"n/seed8", "other/seed1"}
    # Of eight blocks the second, fourth, sixth and eighth are at the places of these four.
    assert comparison(own, longer).expected() == pytest.approx(0.3 * 0.2 / 0.8)
    # A ratio of means: of (0.4 + 0.2) / 2 and (0.4 + 0.8) / 2.
    assert comparison(own, same[0], longer).expected() == pytest.approx(0.3 * 0.6 / 1.2)
    assert comparison(own, *same).expected("n/seed8") == comparison(own, same[1]).expected()
    # Nearest to the places of three blocks are the first, third and fourth of four.
    three = lines_of("m/seed1", [0, 1, 1], [0.4, 0.1, 0.1])
    four = lines_of("other/seed1", NONE, [0.8, 0.5, 0.2, 0.1], 0)
    assert comparison(three, four).expected() == pytest.approx(0.4 * 0.15 / 0.8)


def drawn(rng, networks, controls, ratio=FLAT):
    """The contributions of a study: networks inside at so much of what their position predicts, as (two tables)."""

    def one(name, ratio, contrast):
        outside = rng.normal(0.2, 0.03)
        inside = 0.5 * ratio * outside * rng.normal(1, 0.3)
        return lines_of(name, LATE, [outside, outside, inside, inside], contrast)

    having = [one(f"n/seed{seed}", ratio, 0.2) for seed in range(networks)]
    return pd.concat(having), pd.concat([one(f"c/seed{seed}", 1, 0) for seed in range(controls)])


def plain_jackknife(having, controls):
    """The definition: leave out each network and each control in turn; (value, low, high)."""

    def mean_excess(having, controls):
        early, late = (controls[part].contribution.mean() for part in (controls.position < 3, controls.position > 2))
        own = having.groupby(["network", "in_block"]).contribution.mean().unstack()
        return (own[True] - FLAT * own[False] * late / early).mean()

    names = [table.network.unique() for table in (having, controls)]
    left = [
        [mean_excess(having[having.network != name], controls) for name in names[0]],
        [mean_excess(having, controls[controls.network != name]) for name in names[1]],
    ]
    squares = [(len(one) - 1) / len(one) * np.sum((one - np.mean(one)) ** 2) for one in left]
    freedom = sum(squares) ** 2 / sum(one**2 / (len(rest) - 1) for one, rest in zip(squares, left, strict=True))
    value, half = mean_excess(having, controls), np.sqrt(sum(squares)) * scipy.stats.t.ppf(0.975, freedom)
    return value, value - half, value + half


@pytest.mark.parametrize(("networks", "controls"), [(3, 4), (6, 2)])
def test_the_interval_of_the_excess_leaves_out_each_network_in_turn(networks, controls):
    having, without = drawn(np.random.default_rng(networks), networks, controls)
    found = findings.excess(findings.comparisons(having, without, np.mean))
    assert (found.value, found.low, found.high) == pytest.approx(plain_jackknife(having, without))


def test_the_interval_covers_where_many_networks_share_few_controls():
    """At the threshold about one verdict in 20 is wrong; by Student's t of the networks alone it is one in 4."""
    rng, studies = np.random.default_rng(1), 400

    def one(ratio):
        outside = rng.normal(0.2, 0.03)
        return ratio * outside * rng.normal(0.5, 0.15), outside

    wrong = alone = 0
    for _ in range(studies):
        controls = {name: one(1) for name in "abc"}
        compared = [findings.Comparison(*one(FLAT), controls) for _ in range(10)]
        found = findings.excess(compared)
        wrong += not found.low < 0 < found.high
        low, high = t_interval([one.inside - FLAT * one.expected() for one in compared])
        alone += not low < 0 < high
    assert wrong <= 0.1 * studies
    assert alone >= 0.2 * studies


def test_the_interval_has_no_ends_where_all_hangs_on_one_control():
    compared = findings.comparisons(*drawn(np.random.default_rng(0), 3, 1), np.mean)
    assert np.isnan(findings.excess(compared).low)


def test_the_interval_has_no_ends_where_without_one_control_nothing_is_expected():
    controls = {"a": (0.1, 0.2), "b": (0.1, -0.05), "c": (0.1, -0.05)}
    found = findings.excess([findings.Comparison(0.1, 0.3, controls)] * 3)
    assert np.isnan([found.low, found.high]).all()


def test_the_words_of_a_comparison_hold_its_numbers():
    having, without = drawn(np.random.default_rng(5), 6, 9, ratio=0.02)
    found = findings.inside_against_expected("deleted-blocks", "lost", pd.concat([having, without]), np.mean)
    compared = findings.comparisons(having, without, np.mean)
    inside, expected = np.mean([(one.inside, one.expected()) for one in compared], axis=0)
    interval = findings.excess(compared)
    assert found.verdict == "reproduced"
    expectation = f"{expected:.3f} expected from networks without a block structure"
    assert found.number == f"lost: {inside:.3f} on average, {expectation}"
    assert f"{interval.low:.2f} to {interval.high:.2f}, threshold below 0.00" in found.interval
    assert found.smallest_effect == f"{FLAT * expected - interval.detectable:.3f} inside"


def test_probes_are_compared_over_the_whole_block_structure_and_deletions_one_by_one():
    """Gains 0.01 and 0.01, of 0.225 each; losses 0 and 0.1, of 0.15 each."""
    assert "0.020 on average, 0.450 expected" in findings.flat_probes(FLAT_AFTER_ONE).number
    assert "0.050 on average, 0.150 expected" in findings.deleted_blocks(CHEAP_LATE).number


def test_small_steps_that_add_up_to_more_than_the_slack_can_be_flat():
    """In deep networks each residual block adds little."""
    table = beside(residual_blocks(AFTER_ONE, [0.3, 0.6, 0.6, 0.6], NONE), without_block([0.3, 0.6, 0.608, 0.616]))
    assert findings.flat_probes(table).verdict == "reproduced"


def test_no_effect_could_be_seen_where_even_nothing_inside_would_decide_nothing():
    having, without = drawn(np.random.default_rng(5), 3, 3, ratio=2)
    having = having.assign(contribution=having.contribution * np.repeat([0.2, 1, 3], 4))
    found = findings.inside_against_expected("deleted-blocks", "lost", pd.concat([having, without]), np.mean)
    assert found.interval
    assert found.smallest_effect == ""
