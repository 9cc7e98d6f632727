"""Bytes of the files of a study, from the sizes of its networks: those of their arrays, and what HDF5 adds to them."""

import math

from widedeep.formats.dump_options import gram_bytes, raw_bytes

# What h5py writes beside the arrays, in bytes, as measured: a group with its attributes and links, the header of a
# chunked dataset, the fixed part of each kind of file, and a string of a layer's name, kind or reason.
_LAYER_GROUP = 1600
_CHUNKED_DATASET = 260
_DUMP_FILE, _COMPONENTS_FILE, _PREDICTIONS_FILE, _COMPARISON_GROUP = 6500, 6150, 6740, 14500
_NAME_IN_COMPONENTS, _LAYER_IN_COMPARISON = 56, 136


def dump(size, form, minibatches, batch_size):
    """Bytes of an activations.h5.

    Args:
        size: sizes.Size of the network.
        form: `gram`, `raw` or `raw16`.
        minibatches: their number, all passes together.
        batch_size: examples a minibatch.
    """
    if form == "gram":
        content, axes = gram_bytes(size.layers, batch_size, minibatches), 4 * [2] * size.layers
    else:
        content, axes = raw_bytes(form, size.features, minibatches * batch_size), [2 + number for number in size.axes]
    sample_ids = 8 * minibatches * batch_size
    datasets = sum(_CHUNKED_DATASET + _chunk_index(number, minibatches) for number in axes)
    return content + sample_ids + _LAYER_GROUP * size.layers + datasets + _DUMP_FILE


def components(size, examples):
    """Bytes of a pca.h5 over so many examples."""
    return size.layers * (8 * (examples + 2) + _NAME_IN_COMPONENTS) + _COMPONENTS_FILE


def predictions(images):
    """Bytes of a predictions.h5 on the test set of catalogue.Images."""
    return images.test_examples * (4 * images.classes + 8) + _PREDICTIONS_FILE


def comparison(first, second):
    """Bytes of the comparison of two networks, from their numbers of layers, in a cka.h5 or a file of pairs."""
    return 24 * first * second + _LAYER_IN_COMPARISON * (first + second) + _COMPARISON_GROUP


def _chunk_index(axes, chunks):
    """Bytes of the B-tree over the chunks of a dataset with so many axes (HDF5 file format, version 1)."""
    children = 64
    node = 24 + (children + 1) * (8 + 8 * (axes + 1)) + children * 8
    # A full leaf keeps 58 of its children when the next chunk splits it, and a second one needs a root above them.
    return node if chunks <= children else node * (1 + math.ceil(chunks / 58))
