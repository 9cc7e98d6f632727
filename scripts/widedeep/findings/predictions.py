"""Claims on predictions: examples, classes, agreement (paper, section 7 and figure 6; appendix G)."""

import pandas as pd

from widedeep.findings.verdicts import FEWEST_SEEDS, MATCHED, MOST, NOT_DECIDABLE, SIGNIFICANT, finding, spread, verdict


def by_example(examples):
    """Figure 6: wide and deep networks differ on single examples by more than a random split of their seeds."""
    claim = "examples"
    if examples.empty:
        return finding(claim, "", NOT_DECIDABLE, "the config has no figure fig6")
    line = examples.iloc[0]
    number = f"mean difference of per-example accuracy {line.observed:.3f}, of mixed seeds {line.expected:.3f}; "
    number += f"p = {line.p:.2g} of {line.splits:.0f} splits; accuracies {accuracies_apart(line)}"
    # A split and its mirror image, which there is where both have as many seeds, give the same difference.
    smallest_p = (2 if line.wide_seeds == line.deep_seeds else 1) / line.splits
    few = f"too few seeds, p cannot be below {smallest_p:.2g}" if smallest_p > SIGNIFICANT else ""
    return decided(claim, number, line, few, line.p <= SIGNIFICANT)


def by_class(examples):
    """Figure 6: after correction for many tests, some class is answered better by wide or by deep networks."""
    claim = "classes"
    if examples.empty:
        return finding(claim, "", NOT_DECIDABLE, "the config has no figure fig6")
    line = examples.iloc[0]
    number = f"{line.classes_that_differ:.0f} of {line.classes:.0f} classes at a false discovery rate of 5 %"
    few = "" if min(line.wide_seeds, line.deep_seeds) >= FEWEST_SEEDS and line.classes_tested else "too few seeds"
    return decided(claim, number, line, few, line.classes_that_differ > 0)


def accuracies_apart(line):
    """`0.010 apart (p = 0.4)` of the configurations of figure 6: the share of splits of seeds that are as far apart."""
    return f"{abs(line.wide_accuracy - line.deep_accuracy):.3f} apart (p = {line.accuracy_p:.2g})"


def decided(claim, number, line, few, holds):
    """The finding on the wide and deep configurations of figure 6, unless their accuracies differ or seeds are few.

    The better of two configurations differs from the other on single examples and classes too. So their accuracies
    must be near, and no further apart than random splits of their seeds.
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


def own_kind(agreement):
    """Appendix G: most configurations agree most with themselves, that is with other seeds."""
    claim = "agreement"
    table = agreement.pivot(index="first", columns="second", values="agreement").astype(float)
    table = table.loc[[name for name in table.index if not pd.isna(table.loc[name, name])]]
    if len(table) < 2:
        return finding(claim, "", NOT_DECIDABLE, "fewer than two configurations with two seeds")
    within = pd.Series({name: table.loc[name, name] for name in table.index})
    across = pd.Series({name: table.loc[name].drop(name).max() for name in table.index})
    number = f"agreement {spread(within)} within, at most {spread(across)} with another"
    holds = (within >= across).mean() > MOST
    return finding(claim, number, verdict(holds), f"{(within >= across).sum()} of {len(table)} configurations")
