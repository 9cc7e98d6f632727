"""Bytes of the files of a study, from the sizes of its networks: their arrays, and the overhead of HDF5."""

import math

from widedeep.formats.dump_options import gram_bytes, raw_bytes

# Measured overhead of h5py, in bytes: a group with its attributes and links, the header of a chunked dataset, the fixed
# part of each kind of file, and the strings of a layer (name, kind, reason).
_LAYER_GROUP = 1600
_CHUNKED_DATASET = 260
_DUMP_FILE, _COMPONENTS_FILE, _PREDICTIONS_FILE = 6500, 6150, 6740
_NAME_IN_COMPONENTS = 56
# Of a comparison: what does not depend on its measures, and what each of them adds.
_COMPARISON, _COMPARISON_OF_MEASURE = 9400, 1000
_COMPARED_LAYER, _COMPARED_LAYER_OF_MEASURE = 126, 30


def dump(size, form, minibatches, batch_size):
    """Bytes of an activations.h5.

    Args:
        size: sizes.Size of the network.
        form: `gram`, `raw` or `raw16`.
        minibatches: number of minibatches of all passes together.
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
    """Bytes of a pca.h5.

    Args:
        size: sizes.Size of the network.
        examples: number of examples.
    """
    return size.layers * (8 * (examples + 2) + _NAME_IN_COMPONENTS) + _COMPONENTS_FILE


def predictions(images):
    """Bytes of a predictions.h5 for the test set of a data set (catalogue.Images)."""
    return images.test_examples * (4 * images.classes + 8) + _PREDICTIONS_FILE


def comparison(first, second, measures=3):
    """Bytes of one comparison of two networks in a file of similarities.

    Args:
        first, second: numbers of layers of both networks.
        measures: number of measures; 3 in a cka.h5 and in a file of pairs.
    """
    layers = (_COMPARED_LAYER + _COMPARED_LAYER_OF_MEASURE * measures) * (first + second)
    return 8 * measures * first * second + layers + _COMPARISON + _COMPARISON_OF_MEASURE * measures


def _chunk_index(axes, chunks):
    """Bytes of the B-tree over the chunks of a dataset (HDF5 file format, version 1 B-trees).

    Args:
        axes: number of axes of the dataset.
        chunks: number of chunks.
    """
    children = 64
    node = 24 + (children + 1) * (8 + 8 * (axes + 1)) + children * 8
    # The next chunk splits a full leaf, which keeps 58 of its children. Two leaves or more need a root.
    return node if chunks <= children else node * (1 + math.ceil(chunks / 58))
