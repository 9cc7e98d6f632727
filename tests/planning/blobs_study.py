"""The study of the data and the network of tests/small.py."""

import small

from widedeep.data.catalogue import Images
from widedeep.names import Network
from widedeep.study import checks

# As a training in tests/small.py has them, with 40 images to dump.
IMAGES = Images(train_examples=50, test_examples=40, shape=(1, 8, 8), classes=3)
NETWORK = Network(small.MODEL, 1)


def content(**dumps):
    """The content of its config."""
    return {
        "study": "blobs",
        "dataset": {"name": "blobs", "folder": "images", "image_size": 8},
        "grid": [{"depths": [8], "widths": [0.5], "seeds": [1, 2]}],
        "training": {"epochs": 3, "batch_size": 16},
        "dumps": {"batch_size": 16, "passes": 2} | dumps,
        "figures": {"fig5": {"models": [{"depth": 8, "width": 0.5}]}},
    }


def study(**dumps):
    """The study with these options of dumps."""
    return checks.checked(content(**dumps))
