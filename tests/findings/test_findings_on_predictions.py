"""Claims on predictions, on studies whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from small_tables import agreement, empty

from widedeep.findings import predictions as findings


def fig6(**changes):
    line = {"wide": "W", "deep": "D", "wide_seeds": 5, "deep_seeds": 5, "wide_accuracy": 0.9, "deep_accuracy": 0.91}
    line |= {"observed": 0.2, "expected": 0.1, "p": 0.01, "accuracy_p": 0.3, "splits": 252}
    line |= {"classes": 10, "classes_tested": 10, "classes_that_differ": 2}
    return pd.DataFrame([{**line, **changes}])


@pytest.mark.parametrize(
    ("rule", "table", "expected"),
    [
        (findings.examples, fig6(), "reproduced"),
        (findings.examples, fig6(p=0.06), "not reproduced"),
        (findings.examples, fig6(wide_seeds=3, deep_seeds=3, splits=20), "not decidable"),
        (findings.examples, fig6(wide_seeds=3, deep_seeds=4, splits=35), "reproduced"),
        (findings.examples, fig6(wide_seeds=4, deep_seeds=4, splits=70), "reproduced"),
        (findings.examples, fig6(wide_seeds=1, deep_seeds=18, splits=19), "not decidable"),
        (findings.examples, fig6(wide_seeds=1, deep_seeds=19, splits=20), "reproduced"),
        (findings.examples, fig6(accuracy_p=0.05), "not decidable"),
        (findings.classes, fig6(accuracy_p=0.05), "not decidable"),
        (findings.examples, fig6(deep_accuracy=0.95), "not decidable"),
        (findings.examples, empty("fig6.csv"), "not decidable"),
        (findings.classes, fig6(), "reproduced"),
        (findings.classes, fig6(classes_that_differ=0), "not reproduced"),
        (findings.classes, fig6(classes_that_differ=1), "reproduced"),
        (findings.classes, fig6(deep_seeds=2), "not decidable"),
        (findings.classes, fig6(deep_seeds=3), "reproduced"),
        (findings.classes, fig6(classes_tested=0, classes_that_differ=0), "not decidable"),
        (findings.classes, fig6(wide_accuracy=0.8), "not decidable"),
        (findings.classes, empty("fig6.csv"), "not decidable"),
    ],
)
def test_predictions_whose_answer_is_known(rule, table, expected):
    assert rule(table).verdict == expected


def test_what_figure_6_cannot_decide_is_told_with_the_p_of_the_accuracies():
    found = findings.examples(fig6(accuracy_p=0.004))
    assert found.number.endswith("p = 0.01 of 252 splits; accuracies 0.010 apart (p = 0.004)")
    seeds = "W (5 seeds) and D (5 seeds)"
    assert found.why == f"{seeds}: their accuracies are 0.010 apart (p = 0.004), more than seeds explain"
    found = findings.classes(fig6(deep_accuracy=0.95))
    assert found.why == f"{seeds}: their accuracies are 0.050 apart (p = 0.3), more than 0.02"
    found = findings.examples(fig6(wide_seeds=3, deep_seeds=3, splits=20))
    assert found.why == "W (3 seeds) and D (3 seeds): too few seeds, p cannot be below 0.1"


@pytest.mark.parametrize(
    ("within", "across", "expected"),
    [(0.9, 0.8, "reproduced"), (0.8, 0.9, "not reproduced"), (np.nan, 0.9, "not decidable")],
)
def test_agreement_whose_answer_is_known(within, across, expected):
    table = agreement(*((a, b, within if a == b else across) for a in "xyz" for b in "xyz"))
    assert findings.agreement(table).verdict == expected


def test_agreement_of_half_of_the_configurations_is_not_most_and_one_is_too_few():
    half = agreement(("x", "x", 0.9), ("x", "y", 0.8), ("y", "x", 0.8), ("y", "y", 0.5))
    found = findings.agreement(half)
    assert (found.verdict, found.why) == ("not reproduced", "1 of 2 configurations")
    assert findings.agreement(half[:1]).verdict == "not decidable"


def test_without_agreement_nothing_is_decided():
    assert findings.agreement(agreement()).verdict == "not decidable"
