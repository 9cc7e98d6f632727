"""How alike the predictions of networks are (paper, appendix G)."""

import numpy as np


def agreement(classes):
    """Shares of examples on which pairs of networks predict the same class (paper, appendix G).

    Args:
        classes: (networks, examples) int; -1 where a network has no answer.

    Returns:
        (networks, networks) float64, ones on the diagonal; NaN for a network without some answer
    """
    classes = np.asarray(classes)
    shares = np.stack([(classes == one).mean(axis=1) for one in classes])
    silent = (classes < 0).any(axis=1)
    return np.where(silent[:, None] | silent, np.nan, shares)


def kl_divergence(log_probabilities):
    """KL(row || column) in nats, mean over examples, of all ordered pairs of networks (paper, appendix G).

    From log-probabilities; the authors' code takes the logarithm of a softmax twice, and gets other numbers.

    Args:
        log_probabilities: (networks, examples, classes).

    Returns:
        (networks, networks) float64, zeros on the diagonal; NaN where one of the two has NaN
    """
    logs = np.asarray(log_probabilities, np.float64)
    networks, examples, _ = logs.shape
    logs = logs.reshape(networks, -1)
    cross = np.exp(logs) @ logs.T / examples  # sum over classes of p log q, mean over examples
    return np.maximum(np.diagonal(cross)[:, None] - cross, 0)


def class_shares(classes, number):
    """For each example the share of networks that predict each class.

    Args:
        classes: (networks, examples) int; -1 where a network has no answer.
        number: of classes.

    Returns:
        (examples, number) float64, rows that sum to 1; NaN where a network has no answer
    """
    classes = np.asarray(classes)
    shares = np.stack([(classes == one).mean(axis=0) for one in range(number)], axis=1)
    return np.where((classes < 0).any(axis=0)[:, None], np.nan, shares)


def hellinger(first, second):
    """Hellinger distance of class shares, mean over examples: 1/sqrt(2) ||sqrt(p) - sqrt(q)||, 0 to 1 (appendix G).

    The authors' code takes one root over all examples and divides by their number.

    Args:
        first, second: (examples, classes), rows that sum to 1.
    """
    return float(np.linalg.norm(np.sqrt(first) - np.sqrt(second), axis=1).mean() / np.sqrt(2))
