"""Claims on predictions, on studies whose answer is known."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from small_tables import empty

from widedeep.analysis.agreement import agreement, kappa_of_errors
from widedeep.findings import predictions as findings
from widedeep.findings.networks import without_names


def fig6(**changes):
    line = {"wide": "W", "deep": "D", "wide_seeds": 5, "deep_seeds": 5, "wide_accuracy": 0.9, "deep_accuracy": 0.91}
    line |= {"accuracy_low": -0.015, "accuracy_high": -0.005, "splits": 252, "each_way": 40, "examples_needed": 12}
    line |= {"observed": 0.2, "expected": 0.1, "p": 0.01, "power_examples": 0.9}
    line |= {"classes": 10, "classes_tested": 10, "classes_that_differ": 2}
    line |= {"p_classes": 0.01, "power_classes": 0.9, "points_needed": 4}
    return pd.DataFrame([{**line, **changes}])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "reproduced"),
        ({"p": 0.05, "p_classes": 0.05}, "reproduced"),
        ({"p": 0.0504, "p_classes": 0.0504}, "not reproduced"),
        # Without the power to see an effect, that none was seen says nothing.
        ({"p": 0.3, "p_classes": 0.3, "power_examples": 0.8, "power_classes": 0.8}, "not reproduced"),
        ({"p": 0.3, "p_classes": 0.3, "power_examples": 0.79, "power_classes": 0.79}, "not decidable"),
        ({"power_examples": 0.1, "power_classes": 0.1}, "reproduced"),
        # The smallest possible p.
        ({"wide_seeds": 3, "deep_seeds": 3, "splits": 20}, "not decidable"),
        ({"wide_seeds": 3, "deep_seeds": 4, "splits": 35}, "reproduced"),
        ({"wide_seeds": 4, "deep_seeds": 4, "splits": 70}, "reproduced"),
        ({"wide_seeds": 2, "deep_seeds": 5, "splits": 21}, "reproduced"),
        # The accuracies match if their interval lies within 0.02.
        ({"accuracy_low": -0.02, "accuracy_high": 0.02}, "reproduced"),
        ({"accuracy_low": -0.021}, "not decidable"),
        ({"accuracy_low": -0.03, "accuracy_high": -0.025}, "not decidable"),
        ({"accuracy_high": 0.021}, "not decidable"),
        ({"accuracy_low": np.nan, "accuracy_high": np.nan, "deep_seeds": 1}, "not decidable"),
    ],
)
def test_figure_6_whose_answer_is_known(changes, expected):
    assert findings.examples(fig6(**changes)).verdict == expected
    assert findings.classes(fig6(**changes)).verdict == expected


def test_each_finding_of_figure_6_has_a_test_of_its_own():
    table = fig6(p=0.5, p_classes=0.02, power_examples=0.5)
    assert findings.examples(table).verdict == "not decidable"
    assert findings.classes(table).verdict == "reproduced"
    table = fig6(p=0.02, p_classes=0.5, power_classes=0.5)
    assert findings.examples(table).verdict == "reproduced"
    assert findings.classes(table).verdict == "not decidable"


def test_without_figure_6_nothing_is_decided():
    assert (
        findings.examples(empty("fig6.csv")).verdict == findings.classes(empty("fig6.csv")).verdict == "not decidable"
    )


def test_figure_6_says_what_decides_and_what_it_could_have_seen():
    found = findings.examples(fig6(p=0.3, power_examples=0.796))
    assert found.number.endswith("0.200, of mixed seeds 0.100; p = 0.30 of 252 splits")
    compared = "W (5 seeds) and D (5 seeds); difference of accuracies -0.010, 90 % interval -0.015 to -0.005"
    assert found.why == f"{compared}; power 0.796 to see 40 images each way at 75:25, below 0.800"
    assert found.smallest_effect == "12 images each way at 75:25"
    assert findings.examples(fig6(examples_needed=np.nan)).smallest_effect == ""
    found = findings.classes(fig6(p_classes=0.3))
    assert found.number.startswith("p = 0.30 of 252 splits, ")
    assert "2 of 10 classes" in found.number
    assert found.why == f"{compared}; power 0.90 to see 5 points on one class"
    assert found.smallest_effect == "4 points on one class"
    assert findings.classes(fig6(points_needed=np.nan)).smallest_effect == ""


def test_figure_6_says_why_it_is_not_decidable():
    found = findings.examples(fig6(accuracy_low=-0.0204, p=0.7))
    assert "90 % interval -0.0204 to -0.0050: not within 0.0200" in found.why
    found = findings.classes(fig6(wide_seeds=3, deep_seeds=3, splits=20))
    assert found.why.endswith("too few seeds, p cannot be below 0.10")
    found = findings.classes(fig6(accuracy_low=np.nan, accuracy_high=np.nan, wide_seeds=1))
    assert found.why.startswith("W (1 seeds) and D (5 seeds): two seeds of each")


def test_p_on_either_side_of_the_limit_looks_different():
    numbers = [findings.examples(fig6(p=p)).number for p in (0.0496, 0.0504)]
    assert "p = 0.0496 of" in numbers[0]
    assert "p = 0.0504 of" in numbers[1]


# Appendix G


def pairs_table(within, between, seeds=4, names="xyz", noise=0.01, largest=1.0):
    """G-pairs.csv of `seeds` networks of each configuration; a pair has the kappa of its kind, and noise."""
    rng = np.random.default_rng(2)
    networks = [(f"{name}/seed{seed}", name) for name in names for seed in range(1, seeds + 1)]
    lines = []
    for (first, of_first), (second, of_second) in itertools.combinations(networks, 2):
        kappa = (within if of_first == of_second else between) + rng.normal(0, noise)
        lines.append((first, second, of_first, of_second, 0.9, kappa, largest, 0.3))
    return pd.DataFrame(lines, columns=empty("G-pairs.csv").columns)


@pytest.mark.parametrize(
    ("within", "between", "expected"),
    [
        (0.5, 0.4, "reproduced"),
        (0.5, 0.5, "not reproduced"),
        (0.4, 0.5, "not reproduced"),
        (0.5, 0.48, "not decidable"),
    ],
)
def test_agreement_whose_answer_is_known(within, between, expected):
    found = findings.agreement(pairs_table(within, between))
    assert found.verdict == expected
    words = re.fullmatch(r"Cohen's kappa of errors (\S+) within configurations, (\S+) between .* (\S+)", found.number)
    assert [*map(float, words.groups())] == pytest.approx([within, between, within - between], abs=0.01)
    assert re.search(r"threshold above 0\.020*$", found.interval)
    assert found.why == "12 networks of 3 configurations"


def test_agreement_that_different_accuracies_can_explain_is_not_decidable():
    """Between networks of different accuracies kappa cannot be larger than 0.8."""
    table = pairs_table(0.5, 0.4)
    between = table.configuration_first != table.configuration_second
    found = findings.agreement(table.assign(kappa_largest=np.where(between, 0.8, 1)))
    assert found.verdict == "not decidable"
    assert "accuracies can explain it" in found.why
    assert findings.agreement(table.assign(kappa_largest=np.where(between, 0.95, 1))).verdict == "reproduced"


def test_few_seeds_of_a_configuration_take_no_part():
    table = pairs_table(0.5, 0.4)
    # A configuration of two seeds that agrees with none.
    few = pairs_table(0.5, 0.4, names="xyzw")
    few = without_names(few, ["w/seed3", "w/seed4"])
    few.loc[few.configuration_second == "w", "kappa"] = 0
    assert findings.agreement(few).number.startswith("Cohen's kappa of errors 0.50 within configurations, 0.40 ")
    assert findings.agreement(few).why == "12 networks of 3 configurations"
    alone = without_names(table, [f"{name}/seed{seed}" for name in "xy" for seed in (3, 4)])
    assert findings.agreement(alone).verdict == "not decidable"
    assert findings.agreement(empty("G-pairs.csv")).verdict == "not decidable"


def test_networks_that_are_always_right_take_no_part():
    table = pairs_table(0.5, 0.4)
    right = (table["first"] == "x/seed1") | (table["second"] == "x/seed1")
    assert findings.agreement(table.assign(kappa=table.kappa.mask(right))).why == "11 networks of 3 configurations"


def test_every_configuration_weighs_the_same_whatever_its_seeds():
    """Two configurations, one with many seeds that agree well with everyone: nothing is peculiar to either."""
    rng = np.random.default_rng(3)
    networks = [(f"x/seed{seed}", "x", 0.3) for seed in range(12)] + [(f"y/seed{seed}", "y", 0.1) for seed in range(3)]
    lines = [
        (first, second, of_first, of_second, 0.9, effect + other + rng.normal(0, 0.005), 1, 0.3)
        for (first, of_first, effect), (second, of_second, other) in itertools.combinations(networks, 2)
    ]
    table = pd.DataFrame(lines, columns=empty("G-pairs.csv").columns)
    within, between, more = findings.within_and_between(table, table.kappa)
    assert within == pytest.approx(0.4, abs=0.01)  # the mean of 0.6 and 0.2, not of the pairs
    assert between == pytest.approx(0.4, abs=0.01)
    assert more.low < 0 < more.high
    assert findings.agreement(table).verdict == "not reproduced"


def test_the_interval_is_the_jackknife_over_the_seeds_of_each_configuration():
    table = pd.concat([pairs_table(0.5, 0.4, noise=0.1)]).sample(frac=1, random_state=1)  # in any order
    table = without_names(table, ["z/seed4"])

    def difference(lines):
        same = (lines.configuration_first == lines.configuration_second).tolist()
        cells = {}
        for pair, kind, kappa in zip(
            lines[["configuration_first", "configuration_second"]].to_numpy(), same, lines.kappa, strict=True
        ):
            cells.setdefault((kind, *sorted(pair)), []).append(kappa)
        means = {cell: np.mean(values) for cell, values in cells.items()}
        return np.mean([means[cell] for cell in means if cell[0]]) - np.mean(
            [means[cell] for cell in means if not cell[0]]
        )

    squares, freedoms = [], []
    for name, seeds in (("x", 4), ("y", 4), ("z", 3)):
        without = [difference(without_names(table, [f"{name}/seed{seed}"])) for seed in range(1, seeds + 1)]
        squares.append((seeds - 1) / seeds * sum((one - np.mean(without)) ** 2 for one in without))
        freedoms.append(seeds - 1)
    freedom = sum(squares) ** 2 / sum(one**2 / number for one, number in zip(squares, freedoms, strict=True))
    half = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(sum(squares))
    *_, more = findings.within_and_between(table, table.kappa)
    assert more.value == pytest.approx(difference(table))
    assert (more.low, more.high) == pytest.approx((difference(table) - half, difference(table) + half))


def simulated(abilities, difficulty, rng, seeds=5):
    """G-pairs.csv of networks that are right by their ability and by each example's difficulty, one for all or own."""
    names = [f"c{place}" for place, _ in enumerate(abilities) for _ in range(seeds)]
    labels = [f"{name}/seed{place}" for place, name in enumerate(names)]
    rows = np.repeat(np.broadcast_to(difficulty, (len(abilities), np.shape(difficulty)[-1])), seeds, axis=0)
    right = rng.random(rows.shape) < 1 / (1 + np.exp(rows - np.repeat(abilities, seeds)[:, None]))
    (kappa, largest), agreeing = kappa_of_errors(right), agreement(right)
    lines = [
        (
            labels[a],
            labels[b],
            names[a],
            names[b],
            agreeing[a, b],
            kappa[a, b],
            largest[a, b],
            0,
        )
        for a, b in itertools.combinations(range(len(names)), 2)
    ]
    return pd.DataFrame(lines, columns=empty("G-pairs.csv").columns)


def best_match(table):
    """The configuration that each one agrees with most, itself included, by the mean share of equal predictions."""
    both = pd.concat(
        [
            table,
            table.rename(
                columns={"configuration_first": "configuration_second", "configuration_second": "configuration_first"}
            ),
        ]
    )
    means = both.groupby(["configuration_first", "configuration_second"]).agreement.mean().unstack()
    return means.idxmax(axis=1).tolist()


@pytest.mark.parametrize("spread", [0, 2, 4])
def test_accuracy_alone_does_not_decide(spread):
    """Errors that are independent given accuracies, and errors on examples that are hard for all networks alike."""
    rng = np.random.default_rng(11)
    studies = [simulated((4, 2, 1), rng.normal(0, spread, 1000), rng) for _ in range(20)]
    if spread == 0:
        # By plain agreement the most accurate configuration is everybody's best match.
        assert all(best_match(table) == ["c0"] * 3 for table in studies)
    assert "reproduced" not in {findings.agreement(table).verdict for table in studies}


def test_examples_that_are_hard_for_one_configuration_alone_decide():
    rng = np.random.default_rng(12)
    studies = [
        simulated((2.5, 2, 1.5), rng.normal(0, 1.5, 1000) + rng.normal(0, 1.3, (3, 1000)), rng) for _ in range(10)
    ]
    assert {findings.agreement(table).verdict for table in studies} == {"reproduced"}
