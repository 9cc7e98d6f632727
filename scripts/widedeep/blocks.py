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
