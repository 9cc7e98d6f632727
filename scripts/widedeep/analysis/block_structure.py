"""Numbers for the block structure of a network (paper, sections 4 and 5.1)."""

import numpy as np


def block_size(values, threshold=0.9):
    """Length of the largest contiguous range of layers in which all pairs have a CKA of at least `threshold`.

    Findings do not use it, since neighbouring layers of a small network are similar too.

    Args:
        values: (layers, layers) CKA of a network with itself; NaN ends a range.
        threshold: smallest CKA of a pair in the range.

    Returns:
        int, number of layers; 0 where no layer is defined
    """
    alike = np.asarray(values) >= threshold
    largest = start = 0
    for end in range(len(alike)):
        # No pair in [start, end] may be below the threshold, so start after the last layer that is unlike layer `end`.
        unlike = np.flatnonzero(~(alike[end, start : end + 1] & alike[start : end + 1, end]))
        if len(unlike):
            start += int(unlike[-1]) + 1
        largest = max(largest, end + 1 - start)
    return largest


# A first component is dominant if its share of the variance is larger than this.
DOMINANT_SHARE = 0.5
# Two first components count as the same if their squared cosine is larger than this.
SAME_COMPONENT = 0.8


def squared_cosines(components):
    """Squared cosines between the first components of all pairs of layers (paper, figure 3).

    Args:
        components: (layers, examples) unit vectors; NaN where a layer is constant.

    Returns:
        (layers, layers) float64 in [0, 1]; NaN where undefined
    """
    return np.minimum((components @ components.T) ** 2, 1.0)


def layers_in_block(share, cosines):
    """Which layers belong to the block structure: those that share one dominant first component.

    A layer belongs to it if its first component is dominant, and is the same as in most other layers with a dominant
    one. Unlike block_size, this does not count neighbours that are similar for another reason.

    Args:
        share: (layers,) first component's share of the variance; NaN for constant layers.
        cosines: (layers, layers) squared cosines between first components.

    Returns:
        (layers,) bool
    """
    dominant = np.asarray(share) > DOMINANT_SHARE
    others = dominant.sum() - 1
    same = np.asarray(cosines)[:, dominant] > SAME_COMPONENT
    return dominant & (same.sum(axis=1) - 1 > others / 2)  # without the layer itself


def means_among(values, deflated, chosen):
    """Mean CKA with and without first components, over the pairs of different chosen layers that have both.

    A layer that consists of its first component has no CKA without it. Both means are over the same pairs, so that they
    can be compared.

    Args:
        values, deflated: (layers, layers) CKA with and without the first components; NaN where undefined.
        chosen: (layers,) bool.

    Returns:
        (mean of values, mean of deflated, number of pairs left out); the means are NaN if no pair has both
    """
    upper = np.triu_indices(np.count_nonzero(chosen), 1)
    pairs = np.array([np.asarray(part)[np.ix_(chosen, chosen)][upper] for part in (values, deflated)])  # (2, pairs)
    kept = pairs[:, np.isfinite(pairs).all(axis=0)]
    means = kept.mean(axis=1).tolist() if kept.size else [float("nan")] * 2
    return *means, pairs.shape[1] - kept.shape[1]


def equal_depth(first, second):
    """For each layer of a network of `first` layers, the layer at the nearest relative depth in one of `second` layers.

    Returns:
        (first,) int indices
    """
    return np.rint(np.linspace(0, second - 1, first)).astype(int)
