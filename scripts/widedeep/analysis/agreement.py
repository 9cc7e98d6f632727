"""Agreement between the predictions of networks (paper, appendix G)."""

import numpy as np


def agreement(classes):
    """Share of examples on which two networks predict the same class, for all pairs.

    Args:
        classes: (networks, examples) int predicted classes; -1 where a network gave NaN.

    Returns:
        (networks, networks) float64, ones on the diagonal; NaN for networks with a -1
    """
    classes = np.asarray(classes)
    shares = np.stack([(classes == one).mean(axis=1) for one in classes])
    silent = (classes < 0).any(axis=1)
    return np.where(silent[:, None] | silent, np.nan, shares)


def kl_divergence(log_probabilities):
    """KL(row || column) in nats, mean over examples, for all ordered pairs of networks.

    The authors' code applies log-softmax to probabilities instead of logits, so its values are smaller.

    Args:
        log_probabilities: (networks, examples, classes).

    Returns:
        (networks, networks) float64, zeros on the diagonal; NaN where one of the two networks has NaN
    """
    logs = np.asarray(log_probabilities, np.float64)
    networks, examples, _ = logs.shape
    logs = logs.reshape(networks, -1)
    cross = np.exp(logs) @ logs.T / examples  # sum over classes of p log q, mean over examples
    return np.maximum(np.diagonal(cross)[:, None] - cross, 0)


def class_shares(classes, number):
    """Share of networks that predict each class, for each example.

    Args:
        classes: (networks, examples) int predicted classes; -1 where a network gave NaN.
        number: number of classes.

    Returns:
        (examples, number) float64 whose rows sum to 1; NaN for examples with a -1
    """
    classes = np.asarray(classes)
    shares = np.stack([(classes == one).mean(axis=0) for one in range(number)], axis=1)
    return np.where((classes < 0).any(axis=0)[:, None], np.nan, shares)


def hellinger(first, second):
    """Hellinger distance ||sqrt(p) - sqrt(q)|| / sqrt(2), mean over examples, from 0 to 1.

    The authors' code takes one root over all examples and divides by their number.

    Args:
        first, second: (examples, classes) class shares p and q; rows sum to 1.

    Returns:
        float
    """
    return float(np.linalg.norm(np.sqrt(first) - np.sqrt(second), axis=1).mean() / np.sqrt(2))
