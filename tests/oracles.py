"""Slow, obvious versions of the definitions, in float64 or exact, sharing no code with what they check."""

from fractions import Fraction

import numpy as np


def gram(x):
    """X X^T in float64, of features centred on the examples."""
    x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    x = x - x.mean(axis=0)
    return x @ x.T


def hsic1(k, l):  # noqa: E741
    """Song et al. (2012), equation 5, term by term."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    ones = np.ones(n)
    trace = np.trace(k @ l)
    sums = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
    rows = 2 / (n - 2) * (ones @ k @ l @ ones)
    return (trace + sums - rows) / (n * (n - 3))


def exact_hsic1(x, y):
    """The same for integer features (n, p), in rational arithmetic, from uncentred Gram matrices."""
    n = len(x)
    k = [[Fraction(sum(a * b for a, b in zip(p, q, strict=True))) for q in x] for p in x]
    l = [[Fraction(sum(a * b for a, b in zip(p, q, strict=True))) for q in y] for p in y]  # noqa: E741
    for i in range(n):
        k[i][i] = l[i][i] = Fraction(0)
    trace = sum(k[i][j] * l[j][i] for i in range(n) for j in range(n))
    sums = sum(map(sum, k)) * sum(map(sum, l)) / ((n - 1) * (n - 2))
    rows = Fraction(2, n - 2) * sum(sum(k[i]) * sum(l[i]) for i in range(n))
    return (trace + sums - rows) / (n * (n - 3))


def minibatch_cka(x, y, batch_size):
    """Means over complete minibatches first, the ratio after."""
    starts = range(0, len(x) - batch_size + 1, batch_size)
    pairs = [(gram(x[s : s + batch_size]), gram(y[s : s + batch_size])) for s in starts]
    cross = np.mean([hsic1(k, l) for k, l in pairs])  # noqa: E741
    first = np.mean([hsic1(k, k) for k, _ in pairs])
    second = np.mean([hsic1(l, l) for _, l in pairs])  # noqa: E741
    return cross / (np.sqrt(first) * np.sqrt(second))


def similar_range(values, threshold):
    """The largest range of layers whose every pairwise CKA reaches the threshold, by trying all ranges."""
    layers = len(values)
    sizes = [
        end - start
        for start in range(layers)
        for end in range(start + 1, layers + 1)
        if np.all(values[start:end, start:end] >= threshold)
    ]
    return max(sizes, default=0)


def contrast(cka, a, b):
    """Contrast of the layers a to b inclusive: the definition, pair by pair."""
    layers, length = len(cka), b - a + 1
    s = 1 - 2 / np.pi * np.arccos(np.clip(cka, 0, 0.98))
    pairs = [s[i, j] for i in range(a, b + 1) for j in range(i + 1, b + 1)]
    reached = [t / 200 for t in range(200) if sum(value >= t / 200 for value in pairs) * 5 >= len(pairs) * 4]
    inside = min(sum(pairs) / len(pairs), max(reached))
    weighted = total = 0
    for d in range(1, length):
        across = [s[i, i + d] for i in range(layers - d) if (a <= i <= b) != (a <= i + d <= b)]
        weighted += (length - d) * sum(across) / len(across)
        total += length - d
    return inside - weighted / total


def find_block(cka, blocks):
    """(start, stop, size, contrast) of the range with the largest score, by trying all; None without any."""
    layers = len(cka)
    best = None
    for a in range(layers):
        for b in range(a + 1, layers):
            size = (b - a + 1) / layers
            residual_blocks = 1 + sum(blocks[i] != blocks[i + 1] for i in range(a, b))
            if 0.25 <= size < 1 and residual_blocks >= 3:
                found = contrast(cka, a, b)
                score = np.sqrt(size * (1 - size)) * found
                if best is None or score > best[0] + 1e-9:
                    best = score, (a, b + 1, size, found)
    return best and best[1]
