"""Numbers for the block structure, read off CKA heatmaps."""

import numpy as np


def block_size(values, threshold=0.9):
    """Side of the largest contiguous range of layers whose every pairwise CKA is at least `threshold`.

    Reported, not decisive: neighbouring layers of a small network are alike as well.

    Args:
        values: (layers, layers) CKA of a network with itself; NaN (undefined) ends a range.
        threshold: CKA that every pair in the range reaches.

    Returns:
        int, number of layers; 0 where no layer is defined.
    """
    alike = np.asarray(values) >= threshold
    largest = start = 0
    for end in range(len(alike)):
        # The range [start, end] may hold no pair below the threshold: go on behind the last layer unlike this one.
        unlike = np.flatnonzero(~(alike[end, start : end + 1] & alike[start : end + 1, end]))
        if len(unlike):
            start += int(unlike[-1]) + 1
        largest = max(largest, end + 1 - start)
    return largest


# A component that holds more than half of the variance dominates a layer.
DOMINANT_SHARE = 0.5
# First components whose squared cosine is above this are the same one.
SAME_COMPONENT = 0.8


def layers_in_block(share, agreement):
    """Which layers belong to the block structure.

    Those whose first component is dominant and agrees with those of most other such layers; the block is what shares
    one dominant component. Unlike the block size it does not count neighbours that are merely alike.

    Args:
        share: (layers,) first component's share of the variance; NaN for constant layers.
        agreement: (layers, layers) squared cosines between first components.

    Returns:
        (layers,) bool
    """
    dominant = np.asarray(share) > DOMINANT_SHARE
    others = dominant.sum() - 1
    agreeing = (np.asarray(agreement)[:, dominant] > SAME_COMPONENT).sum(axis=1) - 1  # without the layer itself
    return dominant & (agreeing > others / 2)


def means_among(values, deflated, chosen):
    """Means over the pairs of different chosen layers, of those pairs that have both values.

    A layer that is nearly its first component alone has no CKA without it: so that the two means can be compared, they
    are over the same pairs.

    Args:
        values, deflated: (layers, layers) CKA with and without the first components; NaN where undefined.
        chosen: (layers,) bool.

    Returns:
        (mean of values, mean of deflated, number of pairs left out); the means are NaN where no pair is left
    """
    upper = np.triu_indices(np.count_nonzero(chosen), 1)
    pairs = np.array([np.asarray(part)[np.ix_(chosen, chosen)][upper] for part in (values, deflated)])  # (2, pairs)
    kept = pairs[:, np.isfinite(pairs).all(axis=0)]
    means = kept.mean(axis=1).tolist() if kept.size else [float("nan")] * 2
    return *means, pairs.shape[1] - kept.shape[1]


def equal_depth(first, second):
    """For each of `first` layers the position, among `second` layers, at the nearest relative depth: (first,) int."""
    return np.rint(np.linspace(0, second - 1, first)).astype(int)
