"""Claims on predictions: examples and classes (paper, section 7 and figure 6), agreement (appendix G).

The tables are DataFrames of scripts/compare_examples.py --summary and of scripts/compare_predictions.py.
"""

import pandas as pd

from widedeep.findings.verdicts import FEWEST_SEEDS, MATCHED, MOST, NOT_DECIDABLE, SIGNIFICANT, finding, spread, verdict


def examples(table):
    """Figure 6: wide and deep networks differ on single examples by more than random splits of their seeds do."""
    claim = "examples"
    if table.empty:
        return finding(claim, "", NOT_DECIDABLE, "the config has no figure fig6")
    line = table.iloc[0]
    number = f"mean difference of per-example accuracy {line.observed:.3f}, of mixed seeds {line.expected:.3f}; "
    number += f"p = {line.p:.2g} of {line.splits:.0f} splits; accuracies {accuracies_apart(line)}"
    # With equally many seeds, a split and its mirror image give the same difference, so p is at least 2 / splits.
    smallest_p = (2 if line.wide_seeds == line.deep_seeds else 1) / line.splits
    few = f"too few seeds, p cannot be below {smallest_p:.2g}" if smallest_p > SIGNIFICANT else ""
    return decided(claim, number, line, few, line.p <= SIGNIFICANT)


def classes(table):
    """Figure 6: wide and deep networks differ in accuracy on some class, after correction for many tests."""
    claim = "classes"
    if table.empty:
        return finding(claim, "", NOT_DECIDABLE, "the config has no figure fig6")
    line = table.iloc[0]
    number = f"{line.classes_that_differ:.0f} of {line.classes:.0f} classes at a false discovery rate of 5 %"
    few = "" if min(line.wide_seeds, line.deep_seeds) >= FEWEST_SEEDS and line.classes_tested else "too few seeds"
    return decided(claim, number, line, few, line.classes_that_differ > 0)


def accuracies_apart(line):
    """`0.010 apart (p = 0.4)`: the two configurations' difference in accuracy, and its p over splits of the seeds."""
    return f"{abs(line.wide_accuracy - line.deep_accuracy):.3f} apart (p = {line.accuracy_p:.2g})"


def decided(claim, number, line, few, holds):
    """The Finding on the two configurations of figure 6; not decidable if accuracies differ or seeds are too few.

    A more accurate configuration also differs on single examples and classes. So the accuracies must be close, and must
    not differ by more than random splits of the seeds do.

    Args:
        claim: id in paper.CLAIMS.
        number: the number that decides, in words.
        line: the line of the table.
        few: why there are too few seeds; "" if there are enough.
        holds: whether the claim holds.
    """
    compared = f"{line.wide} ({line.wide_seeds:.0f} seeds) and {line.deep} ({line.deep_seeds:.0f} seeds)"
    far = f"more than {MATCHED:g}" if abs(line.wide_accuracy - line.deep_accuracy) > MATCHED else ""
    far = far or ("more than seeds explain" if line.accuracy_p <= SIGNIFICANT else "")
    if far:
        why = f"{compared}: their accuracies are {accuracies_apart(line)}, {far}"
        return finding(claim, number, NOT_DECIDABLE, why)
    if few:
        return finding(claim, number, NOT_DECIDABLE, f"{compared}: {few}")
    return finding(claim, number, verdict(holds), compared)


def agreement(table):
    """Appendix G: most configurations agree more between their own seeds than with any other configuration.

    Args:
        table: DataFrame of scripts/compare_predictions.py.

    Returns:
        Finding
    """
    claim = "agreement"
    shares = table.pivot(index="first", columns="second", values="agreement").astype(float)
    shares = shares.loc[[name for name in shares.index if not pd.isna(shares.loc[name, name])]]
    if len(shares) < 2:
        return finding(claim, "", NOT_DECIDABLE, "fewer than two configurations with two seeds")
    within = pd.Series({name: shares.loc[name, name] for name in shares.index})
    across = pd.Series({name: shares.loc[name].drop(name).max() for name in shares.index})
    number = f"agreement {spread(within)} within, at most {spread(across)} with another"
    holds = (within >= across).mean() > MOST
    return finding(claim, number, verdict(holds), f"{(within >= across).sum()} of {len(shares)} configurations")
