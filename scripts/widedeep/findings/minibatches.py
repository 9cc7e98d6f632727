"""The claim on minibatch CKA (paper, appendix A)."""

import numpy as np

from widedeep.findings.statistics import LEVEL, of_mean
from widedeep.findings.verdicts import (
    CONVERGED,
    NOT_DECIDABLE,
    NOT_REPRODUCED,
    above,
    all_of,
    below,
    detectable_in_words,
    finding,
    told,
)


def convergence(table):
    """Appendix A: after all minibatches, unbiased CKA equals its full-batch value, for every batch size.

    Decided by unbiased CKA minus the full-batch value: for each pair of layers and batch size, the interval of its mean
    over orders of the examples. Reproduced if all intervals lie within CONVERGED of 0, not reproduced if one lies
    wholly beyond. By Bonferroni's correction for their number, all of them hold at once in 95 % of studies.

    The finding shows one interval: if refuted, the one that lies farthest beyond, else the one that reaches farthest.

    Args:
        table: DataFrame of scripts/converge_cka.py.

    Returns:
        Finding
    """
    claim = "convergence"
    if table.empty or table.batch_size.nunique() < 2:
        return finding(claim, NOT_DECIDABLE, "the config has no figure A with several batch sizes")
    last = table[table.minibatches == table.groupby("batch_size").minibatches.transform("max")]
    last = last.dropna(subset=["unbiased", "full_batch"])
    if last.batch_size.nunique() < 2:
        return finding(claim, NOT_DECIDABLE, "no two layers of the network have a CKA for several batch sizes")
    apart = last[["unbiased", "biased"]].sub(last.full_batch, axis=0)
    groups = apart.groupby([last["first"], last["second"], last.batch_size])
    level = 1 - (1 - LEVEL) / groups.ngroups
    intervals = {key: of_mean(part.unbiased, level) for key, part in groups}
    verdict = all_of(
        *(above(interval, -CONVERGED) for interval in intervals.values()),
        *(below(interval, CONVERGED) for interval in intervals.values()),
    )
    key = _shown(intervals, verdict == NOT_REPRODUCED)
    first, second, batch_size = key
    number = f"unbiased CKA minus the full-batch value {intervals[key].value:.4f} "
    number += f"({first} and {second}, minibatches of {batch_size}); "
    number += f"with the biased HSIC up to {groups.biased.mean().abs().max():.4f} away"
    sizes = ", ".join(map(str, sorted(last.batch_size.unique())))
    why = f"minibatches of {sizes} examples; {groups.ngroups} pairs of layers and batch sizes"
    if min(interval.number for interval in intervals.values()) < 2:
        why += ", of which some have a single order of the examples, so no interval"
    elif verdict == NOT_DECIDABLE:
        why += "; more passes (figures.A.passes) narrow the intervals"
    words = _in_words(intervals[key]), detectable_in_words(intervals[key], CONVERGED, "above")
    return finding(claim, verdict, why, number, *words)


def _shown(intervals, refuted):
    """The key of the interval that the finding shows, of a dict of statistics.Interval."""

    def order(key):
        interval = intervals[key]
        farthest = max(interval.low, -interval.high) if refuted else max(-interval.low, interval.high)
        return np.nan_to_num(farthest, nan=-np.inf), abs(interval.value)

    return max(intervals, key=order)


def _in_words(interval):
    """`-0.012 to 0.010, threshold within 0.020 of zero`; "" without an interval."""
    if np.isnan(interval.low):
        return ""
    low, high, border, _ = told(interval.low, interval.high, CONVERGED, -CONVERGED)
    return f"{low} to {high}, threshold within {border} of zero"
