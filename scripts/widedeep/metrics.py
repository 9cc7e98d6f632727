"""What the metrics.json files of scripts/train.py say, and how figures name networks."""

import json
from pathlib import Path

from widedeep.errors import UserError

# How figures call the families of the paper, each in its own way, since a study may have several; one of one's own goes
# by its name.
FAMILIES = {
    "resnet": "ResNet",
    "plain": "Plain",
    "bottleneck": "ResNet (bottleneck)",
    "stagethree": "ResNet (stage 3)",
}

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
            metrics[f"{content['model']}/seed{content['seed']}"] = content
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


def network_name(label, metrics, seed=True):
    """`ResNet-14 1x, seed 1` where the metrics are given, else the label itself; both without the seed on request."""
    if label not in metrics:
        return label if seed else label.rsplit("/seed", 1)[0]
    name = configuration_name(metrics[label])
    return f"{name}, seed {metrics[label]['seed']}" if seed else name


def configuration_name(network):
    """`ResNet-14 6x, 25% of data` of a mapping with family, depth, width and fraction."""
    family = FAMILIES.get(network["family"], network["family"])
    data = "" if network["fraction"] == 1 else f", {100 * network['fraction']:g}% of data"
    return f"{family}-{network['depth']} {network['width']:g}x{data}"


def accuracy(label, metrics):
    """On the test set, in words."""
    return f"{metrics[label]['test_accuracy']:.1%}" if label in metrics else "unknown"
