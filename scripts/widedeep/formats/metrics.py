"""metrics.json of scripts/train.py: the configuration of one network, its final losses and accuracies."""

import json

from widedeep import names
from widedeep.formats import foreign
from widedeep.networks.families import configuration_title
from widedeep.runtime import files
from widedeep.runtime.errors import UserError, first_line

_WORDS = ("model", "dataset", "family")


def read(paths):
    """Read metrics.json files; return a dict from the label of each network to the content of its file.

    A label is, for example, `digits-resnet14-w1-f100/seed1`.

    Raises:
        UserError: a file is missing, or not a metrics.json.
    """
    metrics = {}
    for path in paths:
        with files.reading(path, "train the network first (scripts/train.py)") as file:
            text = file.read()
        try:
            content = json.loads(text)
            metrics[names.label(content["model"], content["seed"])] = content
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            foreign.check(path, "a JSON file", is_text=True)
            raise UserError(
                f"{path}: is not a metrics.json of scripts/train.py ({first_line(error)}); train the network again."
            ) from error
    return metrics


def values_of(content, keys, path):
    """Return some values of a metrics.json as a dict, after checking them.

    Args:
        content: content of the file, as from `read`.
        keys: of the values: `model`, `dataset` and `family` must be texts, all others numbers.
        path: of the file, for the message.

    Raises:
        UserError: a value is missing or of another type.
    """
    wrong = [key for key in keys if not isinstance(content.get(key), str if key in _WORDS else int | float)]
    if wrong:
        raise UserError(f"{path}: has no valid value of {wrong[0]}; train the network again.")
    return {key: content[key] for key in keys}


def network_title(label, metrics, seed=True):
    """Return the name of a network in figures, as `ResNet-14 1x, seed 1`; without its metrics, the label.

    Args:
        label: of the network.
        metrics: dict of `read`.
        seed: False leaves out the seed.
    """
    if label not in metrics:
        return label if seed else names.configuration_and_seed(label)[0]
    name = configuration_title(metrics[label])
    return f"{name}, seed {metrics[label]['seed']}" if seed else name


def accuracy(label, metrics):
    """Return the accuracy of a network on the test set as text, as `93.1%`, or `unknown` without its metrics."""
    return f"{metrics[label]['test_accuracy']:.1%}" if label in metrics else "unknown"
