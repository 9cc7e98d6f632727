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


def kappa_of_errors(right):
    """Cohen's kappa of "right" and "wrong" for all pairs of networks (error consistency).

    With the accuracies p and q of two networks, and the share o of examples on which both are right or both wrong,

        e = p q + (1 - p) (1 - q) ,  kappa = (o - e) / (1 - e) ,  largest kappa = (1 - |p - q| - e) / (1 - e) .

    It is 0 for errors that are independent given the accuracies. Errors of networks of different accuracies cannot
    coincide, so kappa falls with |p - q|: wherever examples are hard for all networks, kappa of less equal networks is
    lower for this reason alone. The largest kappa is that of networks that err on the same examples as far as their
    accuracies allow.

    Args:
        right: (networks, examples) bool, whether the prediction is right.

    Returns:
        kappa and largest kappa, each (networks, networks) float64 with ones on the diagonal; NaN for networks that are
        always right or always wrong, whose errors coincide with nothing
    """
    right = np.asarray(right, np.float64)
    accuracy = right.mean(axis=1)
    accuracy[(accuracy == 0) | (accuracy == 1)] = np.nan
    both = right @ right.T / right.shape[1]
    p, q = accuracy[:, None], accuracy
    expected = p * q + (1 - p) * (1 - q)
    observed = 1 - p - q + 2 * both
    return (observed - expected) / (1 - expected), (1 - np.abs(p - q) - expected) / (1 - expected)


def kappa_among_errors(classes, labels):
    """Cohen's kappa of the predicted classes among the examples that both networks get wrong, for all pairs.

    With the share o of these examples on which both predict the same class, and the shares p_c and q_c of predictions
    of class c by each,

        e = sum_c p_c q_c ,  kappa = (o - e) / (1 - e) .

    Args:
        classes: (networks, examples) int predicted classes; -1 where a network gave NaN.
        labels: (examples,) int.

    Returns:
        (networks, networks) float64; NaN without such examples, if both predict one and the same class for all of them,
        and for networks with a -1
    """
    classes, labels = np.asarray(classes), np.asarray(labels)
    number = classes.max() + 1
    found = np.full((len(classes), len(classes)), np.nan)
    for row, first in enumerate(classes):
        for column, second in enumerate(classes[: row + 1]):
            wrong = (first != labels) & (second != labels)
            if not wrong.any() or min(first.min(), second.min()) < 0:
                continue
            shares = [np.bincount(one[wrong], minlength=number) / wrong.sum() for one in (first, second)]
            expected = shares[0] @ shares[1]
            if expected < 1:
                same = (first == second)[wrong].mean()
                found[row, column] = found[column, row] = (same - expected) / (1 - expected)
    return found


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
