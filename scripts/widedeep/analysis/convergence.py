"""How CKA in minibatches reaches its full-batch value (paper, appendix A), all from one Gram matrix a layer.

A minibatch's Gram matrix is a part of the whole one: HSIC_1 does not see a shift of the features, and the biased
estimator centres the part.
"""

import math

import numpy as np
import torch

from widedeep.data import augmentation, minibatches
from widedeep.measures import cka, gram_matrices
from widedeep.names import random_seed
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32

# Independent orders of the examples; the figure shows their spread.
REPEATS = 5


def three_layers(network):
    """The last layers (tracing.Layer) of the first, middle and last stage; without stages, of all layers."""
    layers = tracing.layers_of(network)
    last = list({layer.stage: layer for layer in layers if layer.stage}.values()) or layers
    return [last[position] for position in sorted({0, len(last) // 2, len(last) - 1})]


@full_float32()
@torch.inference_mode()
def gram_of(network, layer, images, batch_size, device):
    """The Gram matrix of one layer's centred outputs for all images, from features that stay on the device.

    Args:
        network: in evaluation mode, on `device`.
        layer: tracing.Layer.
        images: uint8 (examples, channels, height, width) numpy array.
        batch_size: examples a forward pass.
        device: torch.device.

    Returns:
        (examples, examples) float64; NaN in it where the outputs or their products are not finite

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
    # What rounding leaves of the mean, the double centring takes.
    features -= features.mean(dim=0)
    gram = (features @ features.T).cpu().numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        return gram_matrices.double_centred(gram)


def course(grams, sample_ids):
    """CKA between layers after 1, 2, 3, ... minibatches, unbiased (paper, eq. 2 and 3) and with the biased HSIC.

    Args:
        grams: (layers, examples, examples) float64.
        sample_ids: (minibatches, n) int.

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
    """A line for each pair of layers, batch size, repeat and number of minibatches.

    Args:
        names: of the layers.
        grams: (layers, examples, examples) float64.
        batch_sizes: list of int.
        passes: how often all examples are gone through, each time in a fresh order.
        seed: of the orders.

    Returns:
        list of dicts: first, second, batch_size, repeat, minibatches, examples, unbiased, biased, full_batch

    Raises:
        UserError: a batch size is below 4 or above the number of examples.
    """
    examples = grams.shape[1]
    whole, _ = course(grams, np.arange(examples)[None])
    lines = []
    for batch_size in batch_sizes:
        for repeat in range(REPEATS):
            order = random_seed("convergence", seed, repeat)
            unbiased, biased = course(grams, minibatches.minibatches(examples, batch_size, passes, order))
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
    """Numbers of minibatches at about equal distances on a logarithmic axis, the last one among them."""
    return sorted({int(round(number)) for number in np.geomspace(1, minibatches, 60)})
