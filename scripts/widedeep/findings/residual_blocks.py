"""Claims on linear probes and deleted residual blocks (paper, section 5.2 and figure 4).

Here `blocks` is the DataFrame of scripts/plot_residual_blocks.py: one line per probe and per deletion of residual
blocks.
"Inside" means inside the block structure. Networks with too few residual blocks for one are left out.
"""

from dataclasses import dataclass

import numpy as np

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings.statistics import of_difference, of_mean
from widedeep.findings.verdicts import (
    FEWEST_SEEDS,
    FLAT,
    NEARLY_ALWAYS,
    NOT_DECIDABLE,
    SLACK,
    above,
    all_of,
    below,
    detectable_in_words,
    finding,
    interval_in_words,
)


def rising_probes(blocks):
    """Figure 4: without a block structure, the accuracy of probes rises from one residual addition to the next.

    Decided by two means over networks with trained probes, which must both be above their thresholds: the share of
    additions at which the accuracy does not fall by more than SLACK, and the gain from the first to the last addition.
    A flat curve with noise would pass by the first alone.
    """
    claim = "rising-probes"
    probes, left_out = trained_probes(blocks)
    gains = gains_of_probes(probes[probes.contrast < LEAST_CONTRAST])
    networks = gains.assign(rises=gains.gain >= -SLACK).groupby("network")
    if len(networks) < FEWEST_SEEDS:
        why = f"{len(networks)} networks without a block structure have trained probes; a verdict needs {FEWEST_SEEDS}"
        return finding(claim, NOT_DECIDABLE, why + left_out)
    share, gain = of_mean(networks.rises.mean()), of_mean(networks.gain.sum())
    number = "share of residual additions at which the accuracy of probes does not fall: "
    number += f"{share.value:.2f} on average; gain from the first to the last addition: {gain.value:.3f}"
    parts = ("share", share, NEARLY_ALWAYS), ("gain", gain, SLACK)
    interval, smallest_effect = (
        "; ".join(f"{name} {told(interval, threshold, 'above')}" for name, interval, threshold in parts)
        for told in (interval_in_words, detectable_in_words)
    )
    if NEARLY_ALWAYS + share.detectable > 1:
        smallest_effect = ""
    verdict = all_of(above(share, NEARLY_ALWAYS), above(gain, SLACK))
    why = f"{len(networks)} networks without a block structure"
    return finding(claim, verdict, why + left_out, number, interval, smallest_effect)


def flat_probes(blocks):
    """Figure 4: inside, probes gain at most FLAT times what their position predicts, over the whole block structure."""
    probes, left_out = trained_probes(blocks)
    what = "accuracy that probes gain from the first to the last residual addition inside"
    return inside_against_expected("flat-probes", what, gains_of_probes(probes), sum, left_out)


def deleted_blocks(blocks):
    """Figure 4: inside, a deleted residual block costs at most FLAT times what its position predicts.

    No probe is behind this claim, so it does not matter whether the probes are trained.
    """
    alone = blocks[blocks.deletion == "alone"]
    lost = alone.assign(contribution=alone.network_accuracy - alone.accuracy)
    what = "accuracy lost with a deleted residual block inside"
    return inside_against_expected("deleted-blocks", what, lost.dropna(subset="contribution"), np.mean)


def trained_probes(blocks):
    """Select the probes of networks in which no probe learns any more.

    They are trained if no accuracy after half of the epochs differs by more than SLACK from that after all of them.

    Returns:
        (DataFrame, text about the networks that are left out, to follow a sentence; "" if there are none)
    """
    probes = blocks[blocks.deletion == "probe"]
    change = (probes.accuracy.astype(float) - probes.accuracy_at_half.astype(float)).abs().round(6)
    change = change.groupby(probes.network).agg(lambda changes: changes.max(skipna=False))
    learning = change[~(change <= SLACK)]
    text = ""
    if len(learning):
        moved = "their accuracy after half of the epochs is unknown"
        if learning.notna().any():
            moved = f"in the second half of the epochs some probe moved by {learning.min():.3f} to {learning.max():.3f}"
        text = f"; {len(learning)} of {len(change)} networks are left out, whose probes are not trained: {moved}, and "
        text += f"{SLACK:g} is allowed (probes.epochs)"
    return probes[~probes.network.isin(learning.index)], text


def gains_of_probes(probes):
    """Gain in accuracy of each probe after a residual addition over the probe after the previous addition.

    Returns:
        DataFrame with one line per residual addition but the first: the columns of `probes`, and twice the gain, as
        `gain` and as `contribution`. in_block is true if both additions are inside.
    """
    additions = probes[probes.kind == "add"].sort_values(["network", "position"])
    before = additions.groupby("network")
    # Tables have six decimals, and a difference of two such numbers may be off by a rounding error.
    gain = before.accuracy.diff().astype(float).round(6)
    gains = additions.assign(gain=gain, in_block=additions.in_block & before.in_block.shift(fill_value=False))
    return gains.dropna(subset="gain").assign(contribution=lambda lines: lines.gain)


def inside_against_expected(claim, what, lines, over_inside, left_out=""):
    """Decide whether residual blocks inside contribute at most FLAT times what their position predicts.

    Decided by the mean over networks of inside - FLAT * expected, which must be below 0 (excess). This asks the same as
    whether mean inside / mean expected is below FLAT, and needs no quotient of two uncertain means, whose interval by
    Student's t covers badly when the expected is small. A mean of the quotients of networks would be worse still.

    Not decidable if the mean expected is at most SLACK: then nothing is left that could be flat.

    Args:
        claim: id in paper.CLAIMS.
        what: the contribution, in words.
        lines: DataFrame with one line per residual block: network, contrast, position, in_block, contribution.
        over_inside: `sum` or `numpy.mean`, the contribution of all residual blocks inside from that of each.
        left_out: text about networks that are not in `lines`.

    Returns:
        Finding
    """
    has_block, has_none = (lines[part] for part in (lines.contrast >= LEAST_CONTRAST, lines.contrast < LEAST_CONTRAST))
    compared = comparisons(has_block, has_none, over_inside)
    controls = has_none.network.nunique()
    why = f"{len(compared)} networks with residual blocks inside and outside a block structure, {controls} without one"
    if min(len(compared), controls) < FEWEST_SEEDS:
        return finding(claim, NOT_DECIDABLE, f"{why}; a verdict needs {FEWEST_SEEDS} of each{left_out}")
    inside, expected = np.mean([(one.inside, one.expected()) for one in compared], axis=0)
    number = f"{what}: {inside:.3f} on average, {expected:.3f} expected from networks without a block structure"
    if not expected > SLACK:
        why += f"; what is expected is no more than {SLACK:g}, so nothing is left that could be flat"
        return finding(claim, NOT_DECIDABLE, why + left_out, number)
    interval = excess(compared)
    words = interval_in_words(interval, 0, "below")
    words = words and f"inside minus {FLAT:g} times the expected: {words}"
    seen = FLAT * expected - interval.detectable
    return finding(claim, below(interval, 0), why + left_out, number, words, f"{seen:.3f} inside" if seen >= 0 else "")


@dataclass(frozen=True)
class Comparison:
    """A network with a block structure and those that it is compared with.

    Attributes:
        inside: contribution of its residual blocks inside.
        outside: mean contribution of its residual blocks outside, multiplied by their number inside if `inside` is a
            sum.
        controls: dict from the name of a network without a block structure to its mean contributions (inside, outside)
            at the positions of this one's residual blocks.
    """

    inside: float
    outside: float
    controls: dict

    def expected(self, without=None):
        """The contribution inside that the position predicts; NaN if unknown.

        Late residual blocks contribute less in any network. So it is the contribution outside, times a ratio: mean
        contribution of the controls at the positions inside over that at the positions outside. A ratio of means, as
        single controls may contribute next to nothing outside. It is at least 0.

        Args:
            without: name of a control that is left out.
        """
        known = [contributions for name, contributions in self.controls.items() if name != without]
        inside, outside = np.sum(known, axis=0) if known else (0, 0)
        return self.outside * max(inside, 0) / outside if outside > 0 else np.nan


def comparisons(with_block, without, over_inside):
    """List the Comparison of each network that has residual blocks inside and outside, and a known expectation.

    The controls are the networks of the same configuration without a block structure if there are two or more, and
    else all networks without one.

    Args:
        with_block: DataFrame of networks with a block structure, one line per residual block: network, position,
            in_block, contribution.
        without: the same for networks without a block structure.
        over_inside: as in inside_against_expected.
    """
    found = []
    controls = dict([*without.groupby("network")])
    for network, own in with_block.groupby("network"):
        inside = own.in_block.to_numpy(bool)
        if inside.all() or not inside.any():
            continue
        same = [name for name in controls if name.rsplit("/", 1)[0] == network.rsplit("/", 1)[0]]
        same = {name: _at_places_of(own, controls[name]) for name in (same if len(same) > 1 else controls)}
        contributions = own.contribution.to_numpy(float)
        outside = np.full(np.count_nonzero(inside), contributions[~inside].mean())
        found.append(Comparison(float(over_inside(contributions[inside])), float(over_inside(outside)), same))
    return [one for one in found if one.controls and np.isfinite(one.expected())]


def excess(compared):
    """Interval of the mean of inside - FLAT * expected over networks.

    The expectations of all networks come from the same few controls, so the values are not independent. In simulations
    of 3 to 20 networks and 2 to 20 controls, Student's t of the values alone covered 0.72 to 0.95. So the squared error
    of the mean is the sum of two: that of the values, and that of leaving out one control at a time (jackknife);
    degrees of freedom as in Welch's test. This covered 0.93 to 0.98.

    Args:
        compared: list of Comparison, of two controls or more each.

    Returns:
        statistics.Interval; NaN if the expectation hangs on a single control
    """

    def values(without=None):
        return np.array([one.inside - FLAT * one.expected(without) for one in compared])

    controls = sorted({name for one in compared for name in one.controls})
    means = np.array([values(name).mean() for name in controls])
    # Tukey's pseudo-values less their mean, so that they add to the error and not to the value. All are NaN if without
    # one control the expectation is unknown; then there is no interval.
    pseudo_values = (len(controls) - 1) * (means.mean() - means)
    return of_difference(values(), pseudo_values)


def _at_places_of(own, control):
    """Mean contributions of the network `control` at the positions inside and outside `own`'s block structure.

    Positions are relative to the last one; the nearest residual block counts.
    """
    places, others = (lines.position.to_numpy() / lines.position.max() for lines in (own, control))
    contributions = control.contribution.to_numpy(float)[np.abs(others[:, None] - places).argmin(axis=0)]
    inside = own.in_block.to_numpy(bool)
    return contributions[inside].mean(), contributions[~inside].mean()
