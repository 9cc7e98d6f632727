"""Minibatch CKA with a Gaussian kernel, in which near examples count most (Kornblith et al. 2019).

They set the width of the kernel to 0.2, 0.4 or 0.8 times the median distance; here it is 0.8 times.
"""

from functools import partial

import numpy as np

from widedeep.measures.cka import ratio
from widedeep.measures.distances import squared_distances
from widedeep.measures.gram_matrices import Grams
from widedeep.measures.hsic import cross_hsic, self_hsic
from widedeep.measures.measure import Measure

# Width of the kernel, in median distances.
_WIDTH = 0.8
_UNDEFINED = "constant, not finite, or at the median distance zero in a minibatch, or at equal distances in each"


def kernels(minibatch):
    """Grams of the Gaussian kernel in place of the inner product; NaN where undefined."""
    grams = minibatch.plain
    triangles = np.stack([_kernel(squares) for squares in squared_distances(grams)])
    return Grams(triangles, grams.n, np.ones_like(grams.diagonals))


def _kernel(squares):
    width = _WIDTH * np.median(np.sqrt(squares))
    return np.exp(-squares / (2 * width**2)) if width > 0 else np.full(len(squares), np.nan)


MEASURE = Measure(
    name="rbf_cka",
    title="CKA with Gaussian kernel",
    formula="CKA of the kernel exp(-d²/(2σ²)) in place of K, d: Euclidean distance, σ: 0.8 times its median",
    source="Kornblith et al. 2019; estimator: paper, equations 1 to 3",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined=_UNDEFINED,
    layer_cost="n²/2 exponentials",
    pair_cost="n²/2 multiplications",
    of=kernels,
    cross=cross_hsic,
    own=self_hsic,
    finish=partial(ratio, undefined=_UNDEFINED),
)
