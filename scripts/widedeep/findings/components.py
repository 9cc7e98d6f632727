"""Claims on the first principal component in the block structure (paper, section 5.1 and figure 3).

All functions take the trained networks' lines of the table of networks (scripts/summarise.py) and return a Finding.
They are about the networks with a block structure, and the range of layers that it has in CKA.
"""

import numpy as np

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings.networks import with_block
from widedeep.findings.statistics import Interval, of_mean
from widedeep.findings.verdicts import (
    DOMINANT,
    FEWEST_SEEDS,
    NOT_DECIDABLE,
    SHARED,
    SHARED_MORE,
    WEAKENED,
    above,
    all_of,
    by_interval,
    detectable_in_words,
    finding,
    interval_in_words,
    told,
)


def _deciding(networks, *columns):
    """The networks with a block structure that have these numbers; None if they are too few."""
    chosen = with_block(networks).dropna(subset=list(columns))
    return chosen if len(chosen) >= FEWEST_SEEDS else None


def _too_few(claim):
    return finding(claim, NOT_DECIDABLE, f"fewer than {FEWEST_SEEDS} networks have a block structure")


def shared_component(networks):
    """Figure 3: layers in the block structure share their first component.

    Decided by the mean squared cosine inside, and by how much it exceeds that of pairs at equal distance across the
    edges.
    """
    claim = "shared-component"
    chosen = _deciding(networks, "cosine_inside", "cosine_across")
    if chosen is None:
        return _too_few(claim)
    more = chosen.cosine_inside - chosen.cosine_across
    parts = [(of_mean(chosen.cosine_inside), SHARED), (of_mean(more), SHARED_MORE)]
    inside, across = chosen.cosine_inside.mean(), chosen.cosine_across.mean()
    number = f"mean squared cosine {inside:.2f} inside, {across:.2f} across edges, {more.mean():.2f} less"
    told = ["; ".join(words(*part, "above") for part in parts) for words in (interval_in_words, detectable_in_words)]
    verdict = all_of(*(above(*part) for part in parts))
    return finding(claim, verdict, f"{len(chosen)} networks with a block structure", number, *told)


def dominant_component(networks):
    """Figure 3: in the block structure the first component explains at least twice the share that it has outside.

    Decided by the ratio of the median shares inside and outside: its geometric mean over networks.
    """
    claim = "dominant-component"
    chosen = _deciding(networks, "share_inside", "share_outside")
    if chosen is None:
        return _too_few(claim)
    logs = of_mean(np.log(chosen.share_inside / chosen.share_outside))
    value, low, high = np.exp([logs.value, logs.low, logs.high])
    interval = Interval(value, low, high, DOMINANT * np.expm1(logs.detectable), logs.number)
    number = (
        f"share of the variance {chosen.share_inside.mean():.2f} inside, {chosen.share_outside.mean():.2f} outside, "
    )
    number += f"{value:.1f} times as large; above one half in {(chosen.share_inside > 0.5).sum()} of {len(chosen)}"
    return by_interval(claim, number, interval, DOMINANT, "above", f"{len(chosen)} networks with a block structure")


def weakened_block(networks):
    """Figure 3: at most half of the block structure's contrast is left without first components."""
    claim = "weakened-block"
    chosen = _deciding(networks, "contrast_without_first_component")
    if chosen is None:
        return _too_few(claim)
    interval = of_mean(chosen.contrast_without_first_component / chosen.contrast)
    number = f"{told(interval.value, WEAKENED)[0]} of the contrast is left"
    return by_interval(claim, number, interval, WEAKENED, "below", f"{len(chosen)} networks with a block structure")


def vanished_block(networks):
    """Figure 3: without first components the same range of layers has too little contrast for a block structure."""
    claim = "vanished-block"
    chosen = _deciding(networks, "contrast_without_first_component")
    if chosen is None:
        return _too_few(claim)
    without = chosen.contrast_without_first_component
    interval = of_mean(without)
    number = f"mean contrast {chosen.contrast.mean():.3f}, without first components {without.mean():.3f}; below "
    number += f"{LEAST_CONTRAST:g} in {(without < LEAST_CONTRAST).sum()} of {len(chosen)}"
    return by_interval(
        claim, number, interval, LEAST_CONTRAST, "below", f"{len(chosen)} networks with a block structure"
    )
