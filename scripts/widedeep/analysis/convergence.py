"""Convergence of minibatch CKA to its full-batch value (paper, appendix A).

One Gram matrix per layer over all examples is enough: the Gram matrix of a minibatch is a part of it. Its features are
not centred on the minibatch, but HSIC_1 does not depend on a shift of the features, and the biased HSIC centres them.
"""

import math

import numpy as np
import torch

from widedeep.data import augmentation, minibatches
from widedeep.measures import cka, gram_matrices, on_device
from widedeep.names import random_seed
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32

# Number of random orders of the examples; the figure shows the range over them.
REPEATS = 10


def three_layers(network):
    """Return the last layers of the first, middle and last stage, a list of tracing.Layer.

    In a network without stages, the first, middle and last layer.
    """
    layers = tracing.layers_of(network)
    last = list({layer.stage: layer for layer in layers if layer.stage}.values()) or layers
    return [last[position] for position in sorted({0, len(last) // 2, len(last) - 1})]


@full_float32()
@torch.inference_mode()
def gram_of(network, layer, images, batch_size, device):
    """Gram matrix of one layer's centred outputs for all images; the outputs stay on the device.

    Args:
        network: torch.nn.Module in evaluation mode, on `device`.
        layer: tracing.Layer.
        images: (examples, channels, height, width) uint8 numpy array.
        batch_size: examples per forward pass.
        device: torch.device.

    Returns:
        (examples, examples) float64; NaN where outputs or products are not finite

    Raises:
        UserError: see tracing.described.
    """
    (info,) = tracing.described(network, [layer], images.shape[1:], device)
    features = torch.empty(len(images), math.prod(info.shape), device=device)
    images, parts = augmentation.on_device(images, device), torch.arange(len(images), device=device).split(batch_size)
    for rows, batch in zip(parts, augmentation.plain_batches(images, parts), strict=True):

        def keep(_, output, rows=rows):
            features[rows] = tracing.features(output)

        with tracing.watching([layer], keep):
            network(batch)
    return on_device.gram(features).cpu().numpy()


def cka_after_each_minibatch(grams, sample_ids):
    """CKA between layers after 1, 2, 3, ... minibatches, with the unbiased and with the biased HSIC.

    Args:
        grams: (layers, examples, examples) float64, from gram_of.
        sample_ids: (minibatches, n) int indices of examples.

    Returns:
        (unbiased, biased), each (minibatches, layers, layers) float64
    """
    similarity, sums, unbiased, biased = cka.MinibatchCKA(), 0.0, [], []
    for ids in sample_ids:
        part = grams[:, ids[:, None], ids]
        packed = gram_matrices.Grams(np.stack([gram_matrices.packed(gram) for gram in part]), len(ids))
        similarity.add_grams(packed, packed)
        unbiased.append(similarity.result().values)
        centred = np.stack([gram_matrices.double_centred(gram) for gram in part]).reshape(len(part), -1)
        sums = sums + centred @ centred.T
        norms = np.sqrt(np.diagonal(sums))
        with np.errstate(invalid="ignore"):
            biased.append(sums / norms / norms[:, None])
    return np.stack(unbiased), np.stack(biased)


def table(names, grams, batch_sizes, passes, seed):
    """The table of figure A, one line per pair of layers, batch size, repeat and number of minibatches.

    Args:
        names: names of the layers.
        grams: (layers, examples, examples) float64, from gram_of.
        batch_sizes: list of int.
        passes: passes over all examples, each in a new order.
        seed: seed of the orders.

    Returns:
        list of dicts with first, second, batch_size, repeat, minibatches, examples, unbiased, biased, full_batch

    Raises:
        UserError: a batch size is below 4 or above the number of examples.
    """
    examples = grams.shape[1]
    whole, _ = cka_after_each_minibatch(grams, np.arange(examples)[None])
    lines = []
    for batch_size in batch_sizes:
        for repeat in range(REPEATS):
            order = random_seed("convergence", seed, repeat)
            unbiased, biased = cka_after_each_minibatch(
                grams, minibatches.minibatches(examples, batch_size, passes, order)
            )
            for first in range(len(names)):
                for second in range(first + 1, len(names)):
                    pair = {"first": names[first], "second": names[second], "batch_size": batch_size, "repeat": repeat}
                    lines += [
                        {
                            **pair,
                            "minibatches": number,
                            "examples": number * batch_size,
                            "unbiased": unbiased[number - 1, first, second],
                            "biased": biased[number - 1, first, second],
                            "full_batch": whole[0, first, second],
                        }
                        for number in _shown(len(unbiased))
                    ]
    return lines


def _shown(minibatches):
    """Numbers of minibatches to show: about evenly spaced on a logarithmic axis, from 1 to the last."""
    return sorted({int(round(number)) for number in np.geomspace(1, minibatches, 60)})
