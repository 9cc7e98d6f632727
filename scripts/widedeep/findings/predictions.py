"""Claims on predictions: examples and classes (paper, section 7 and figure 6), agreement (appendix G).

The tables are DataFrames of scripts/compare_examples.py --summary and of scripts/compare_predictions.py --pairs.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from widedeep.analysis.permutations import POINTS, PREFERENCE
from widedeep.findings.statistics import POWER, SIGNIFICANT, of_jackknife
from widedeep.findings.verdicts import (
    AGREE_MORE,
    FEWEST_SEEDS,
    MATCHED,
    NOT_DECIDABLE,
    NOT_REPRODUCED,
    REPRODUCED,
    above,
    by_interval,
    finding,
    interval_in_words,
    told,
)


def examples(table):
    """Figure 6: wide and deep networks differ on single examples by more than random splits of their seeds do."""
    claim = "examples"
    if table.empty:
        return finding(claim, NOT_DECIDABLE, "the config has no figure fig6")
    line = table.iloc[0]
    number = f"root mean square difference of per-example accuracy {line.observed:.3f}, of mixed seeds "
    number += f"{line.expected:.3f}; {p_in_words(line.p, line)}"
    effect = f"{line.each_way:.0f} images each way at {odds()}"
    seen = "" if pd.isna(line.examples_needed) else f"{line.examples_needed:.0f} images each way at {odds()}"
    return decided(claim, number, line, line.p, line.power_examples, effect, seen)


def classes(table):
    """Figure 6: wide and deep networks differ in accuracy on some class by more than random splits of seeds do."""
    claim = "classes"
    if table.empty:
        return finding(claim, NOT_DECIDABLE, "the config has no figure fig6")
    line = table.iloc[0]
    number = f"{p_in_words(line.p_classes, line)}, all classes together; "
    number += f"{line.classes_that_differ:.0f} of {line.classes:.0f} classes at a false discovery rate of 5 %"
    seen = "" if pd.isna(line.points_needed) else f"{line.points_needed:.0f} points on one class"
    return decided(claim, number, line, line.p_classes, line.power_classes, f"{POINTS} points on one class", seen)


def odds():
    """`75:25`, the percentages of right predictions on an image that prefers one configuration."""
    return ":".join(f"{100 * chance:.0f}" for chance in PREFERENCE)


def p_in_words(p, line):
    """`p = 0.01 of 252 splits`, with as many decimals as show on which side of SIGNIFICANT it lies."""
    return f"p = {told(p, SIGNIFICANT)[0]} of {line.splits:.0f} splits"


def decided(claim, number, line, p, power, effect, seen):
    """The Finding on the two configurations of figure 6.

    Reproduced if p is at most SIGNIFICANT. A larger p is no evidence of equality: not reproduced only if the study
    would have seen the stated effect with a power of 0.8. Not decidable if the accuracies are not shown to match, or if
    there are too few splits of seeds for a small p.

    Args:
        claim: id in paper.CLAIMS.
        number: the number that decides, in words.
        line: the line of the table.
        p, power: of the claim's test.
        effect: the effect behind the power, in words.
        seen: the smallest effect seen with a power of 0.8, in words.
    """
    compared = f"{line.wide} ({line.wide_seeds:.0f} seeds) and {line.deep} ({line.deep_seeds:.0f} seeds)"
    if pd.isna(line.accuracy_low):
        why = f"{compared}: two seeds of each are needed to compare their accuracies"
        return finding(claim, NOT_DECIDABLE, why, number)
    low, high, _, margin = told(line.accuracy_low, line.accuracy_high, -MATCHED, MATCHED)
    apart = f"difference of accuracies {line.wide_accuracy - line.deep_accuracy:.3f}, 90 % interval {low} to {high}"
    why = f"{compared}; {apart}"
    if not -MATCHED <= line.accuracy_low <= line.accuracy_high <= MATCHED:
        return finding(claim, NOT_DECIDABLE, f"{why}: not within {margin}, so they are not matched", number)
    # With equally many seeds, a split and its mirror image give the same difference, so p is at least 2 / splits.
    smallest = (2 if line.wide_seeds == line.deep_seeds else 1) / line.splits
    if smallest > SIGNIFICANT:
        words = told(smallest, SIGNIFICANT)[0]
        return finding(claim, NOT_DECIDABLE, f"{why}; too few seeds, p cannot be below {words}", number)
    if p <= SIGNIFICANT:
        return finding(claim, REPRODUCED, why, number, smallest_effect=seen)
    words, enough = told(power, POWER)
    why += f"; power {words} to see {effect}"
    if power < POWER:
        return finding(claim, NOT_DECIDABLE, f"{why}, below {enough}", number, smallest_effect=seen)
    return finding(claim, NOT_REPRODUCED, why, number, smallest_effect=seen)


def agreement(table):
    """Appendix G: networks of one configuration err on the same images more often than networks of different ones.

    Decided by Cohen's kappa of errors: its mean within configurations less its mean between them. Plain agreement names
    the most accurate network as everybody's best match. Kappa is 0 for all errors that are independent given the
    accuracies. But images are hard for all networks alike, and then kappa falls where two accuracies differ: by nothing
    if errors are independent, and in proportion to the largest kappa that both accuracies allow if the harder images
    are always those that the less accurate network gets wrong too. So the claim is reproduced only if kappa as a share
    of its largest value says the same.

    Configurations of fewer than three seeds take no part. They would count between configurations alone, so whatever
    makes their kappa low would look like a difference.

    Args:
        table: DataFrame of scripts/compare_predictions.py --pairs.

    Returns:
        Finding
    """
    claim = "agreement"
    # Without kappa are networks that are always right, always wrong, or gave NaN.
    table = table.dropna(subset="kappa")
    networks = networks_of(table)
    seeds = networks.value_counts()
    several = seeds.index[seeds >= FEWEST_SEEDS]
    if len(several) < 2:
        return finding(claim, NOT_DECIDABLE, f"fewer than two configurations with {FEWEST_SEEDS} seeds that err")
    table = table[table.configuration_first.isin(several) & table.configuration_second.isin(several)]
    within, between, more = within_and_between(table, table.kappa)
    words = told(within, between)
    number = f"Cohen's kappa of errors {words[0]} within configurations, {words[1]} between them; "
    number += f"difference {told(more.value, AGREE_MORE)[0]}"
    why = f"{seeds[several].sum()} networks of {len(several)} configurations"
    found = by_interval(claim, number, more, AGREE_MORE, "above", why)
    *_, share = within_and_between(table, table.kappa / table.kappa_largest)
    if found.verdict != REPRODUCED or above(share, AGREE_MORE) == REPRODUCED:
        return found
    why += "; their accuracies can explain it: divided by the largest kappa that they allow, the difference is "
    why += f"{share.value:.2f}, interval {interval_in_words(share, AGREE_MORE, 'above')}"
    return replace(found, verdict=NOT_DECIDABLE, why=why)


def networks_of(table):
    """Series from the label of each network in a table of pairs to its configuration."""
    sides = (table.set_index(side)[f"configuration_{side}"] for side in ("first", "second"))
    found = pd.concat(sides)
    return found[~found.index.duplicated()]


def within_and_between(table, values):
    """Mean of a value over pairs of networks of one configuration, and of two, and the interval of the difference.

    Every configuration weighs the same, and so does every pair of configurations, whatever the numbers of seeds. Then
    what makes the values of a configuration high with every other one cancels in the difference.

    Args:
        table: DataFrame of scripts/compare_predictions.py --pairs; each configuration has three seeds or more.
        values: (pairs,) float without NaN.

    Returns:
        (mean within, mean between, statistics.Interval of the first less the second, by the jackknife over the seeds of
        each configuration)
    """
    ends = np.sort(table[["configuration_first", "configuration_second"]].to_numpy(str), axis=1)
    cells, cell = np.unique(ends, axis=0, return_inverse=True)
    cell, same = cell.ravel(), cells[:, 0] == cells[:, 1]
    networks = networks_of(table)
    # The numbers of pairs and the sums of values in each cell: of all pairs in row 0, then of those of each network.
    numbers, sums = np.zeros((2, 1 + len(networks), len(cells)))
    for row in (0, *(1 + networks.index.get_indexer(table[side]) for side in ("first", "second"))):
        np.add.at(numbers, (row, cell), 1)
        np.add.at(sums, (row, cell), values)
    numbers[1:], sums[1:] = numbers[0] - numbers[1:], sums[0] - sums[1:]
    means = sums / numbers  # of all pairs, then without each network
    within, between = means[:, same].mean(axis=1), means[:, ~same].mean(axis=1)
    more = within - between
    without = [more[1:][networks == configuration] for configuration in networks.unique()]
    return within[0], between[0], of_jackknife(more[0], without)
