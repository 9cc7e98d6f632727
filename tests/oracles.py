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


def distances(x):
    """Euclidean distances of the pairs i < j of rows, row by row, from differences of the features."""
    x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    return np.array([np.sqrt(((x[i] - x[j]) ** 2).sum()) for i in range(len(x)) for j in range(i + 1, len(x))])


def ratio_of_means(first, second, product):
    """A ratio of means like CKA's, of lists of matrices, a pair a minibatch."""
    cross = np.mean([product(k, l) for k, l in zip(first, second, strict=True)])  # noqa: E741
    own = [np.mean([product(k, k) for k in matrices]) for matrices in (first, second)]
    return cross / np.sqrt(own[0] * own[1])


def biased_cka(first, second):
    """Kornblith et al. (2019), equation 4, with tr(KHLH) of equation 3; lists of minibatches (n, p)."""

    def hsic(x, y):
        return np.trace(gram(x) @ gram(y)) / (len(x) - 1) ** 2

    return ratio_of_means(first, second, hsic)


def gaussian_kernel(x):
    """exp(-d^2 / (2 sigma^2)), sigma = 0.8 times the median of the distances."""
    sigma = 0.8 * np.median(distances(x))
    return np.array([[np.exp(-((a - b) ** 2).sum() / (2 * sigma**2)) for b in x] for a in x])


def rbf_cka(first, second):
    """Ratio of means of HSIC_1 of the kernels; lists of minibatches (n, p)."""
    return ratio_of_means([gaussian_kernel(x) for x in first], [gaussian_kernel(y) for y in second], hsic1)


def ranks(values):
    """The mean place of each number among all, from 1, if equal ones take any order."""
    return np.array([sum(values < one) + (sum(values == one) + 1) / 2 for one in values])


def rsa_pearson(x, y):
    return np.corrcoef(distances(x), distances(y))[0, 1]


def rsa_spearman(x, y):
    return np.corrcoef(ranks(distances(x)), ranks(distances(y)))[0, 1]


def procrustes(x, y):
    """||X'Y||_* / (||X|| ||Y||) of centred features."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.linalg.svd(x.T @ y)[1].sum() / (np.linalg.norm(x) * np.linalg.norm(y))


def nearest(x, k):
    """For each row of x the set of the k nearest other rows; of equally near ones the first."""
    found = []
    for i in range(len(x)):
        others = sorted((np.sqrt(((x[i] - x[j]) ** 2).sum()), j) for j in range(len(x)) if j != i)
        found.append({j for _, j in others[:k]})
    return found


def mutual_knn(x, y, k=10):
    """Mean share of nearest neighbours in common."""
    return np.mean([len(one & other) / k for one, other in zip(nearest(x, k), nearest(y, k), strict=True)])


def svcca(x, y):
    """Mean canonical correlation of the projections on the fewest components with 99 % of the variance."""
    projected = []
    for features in (x, y):
        u, s, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
        kept = next(k for k in range(1, len(s) + 1) if (s[:k] ** 2).sum() >= 0.99 * (s**2).sum())
        projected.append(u[:, :kept] * s[:kept])
    bases = [np.linalg.qr(one)[0] for one in projected]
    return np.linalg.svd(bases[0].T @ bases[1])[1].mean()
