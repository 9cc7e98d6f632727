"""Weights of a small network in a file."""

import small

from widedeep.formats import dataset, weights
from widedeep.names import Network
from widedeep.training.recipe import settings_of


def write(path, network, data_file, seed=1):
    """Save a network that was trained on the data set at `data_file`; returns the path."""
    description = dataset.describe(data_file)
    settings = settings_of(Network(small.MODEL, seed), small.recipe(), description.train_checksum)
    weights.save(path, network, small.MODEL, settings, description)
    return path
