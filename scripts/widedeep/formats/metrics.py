"""metrics.json, which scripts/train.py writes: final losses and accuracies of one network, and what it is."""

import json
from pathlib import Path

from widedeep import names
from widedeep.networks.families import configuration_title
from widedeep.runtime.errors import UserError

_WORDS = ("model", "dataset", "family")


def read(paths):
    """Metrics by the label of the network, as `digits-resnet14-w1-f100/seed1`.

    Raises:
        UserError: a file is not a metrics.json.
    """
    metrics = {}
    for path in paths:
        try:
            content = json.loads(Path(path).read_text())
            metrics[names.label(content["model"], content["seed"])] = content
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"{path}: is not a metrics.json of scripts/train.py ({error}); train the network again."
            ) from error
    return metrics


def values_of(network, keys, path):
    """Some keys of a metrics.json, as a dict: words of `model`, `dataset` and `family`, else numbers.

    Args:
        network: what it says, as of `read`.
        keys: of the dict.
        path: of the file, for what is said where it is wrong.

    Raises:
        UserError: the file lacks one of them, or has another kind of value there.
    """
    wrong = [key for key in keys if not isinstance(network.get(key), str if key in _WORDS else int | float)]
    if wrong:
        raise UserError(f"{path}: lacks a right value of {wrong[0]}; train the network again.")
    return {key: network[key] for key in keys}


def network_title(label, metrics, seed=True):
    """`ResNet-14 1x, seed 1` where the metrics are given, else the label itself; both without the seed on request."""
    if label not in metrics:
        return label if seed else names.parsed(label)[0]
    name = configuration_title(metrics[label])
    return f"{name}, seed {metrics[label]['seed']}" if seed else name


def accuracy(label, metrics):
    """On the test set, in words."""
    return f"{metrics[label]['test_accuracy']:.1%}" if label in metrics else "unknown"
