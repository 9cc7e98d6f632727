"""Minibatch CKA between all layers of torch networks while they run, in one pass over the data.

Within one network, and between two:

    similarity = layer_cka(network, batches)
    similarity = layer_cka(network, batches, second)

The Gram matrices are computed on the device that runs the network, one layer at a time.
"""

import collections
import contextlib
from dataclasses import replace

import torch

from widedeep.measures import cka, gram_matrices, on_device
from widedeep.networks import tracing
from widedeep.networks.precision import full_float32
from widedeep.runtime.errors import UserError


@full_float32()
@torch.inference_mode()
def layer_cka(first, batches, second=None):
    """Minibatch CKA between all layers of two networks, or of one network with itself (paper, equations 2 and 3).

    Each layer's output becomes a Gram matrix before the next layer runs. So modules that work in place are read
    correctly, and memory holds the activations of one layer and the Gram matrices of one minibatch.

    A layer is a submodule without submodules whose output is a tensor. A module that runs several times gives a layer
    each time, named with #2, #3 and so on.

    Args:
        first, second: torch.nn.Module in evaluation mode, on one device. Second None: the first with itself.
        batches: iterable of inputs, (n, ...) each with the same n, on that device. Drop an incomplete last batch.

    Returns:
        cka.Similarity with the names of the layers in the order in which they ran

    Raises:
        UserError: there is no batch; a batch has fewer than 4 examples, or not as many as the first; a network is in
            training mode, or does not run the same layers for every batch.
    """
    networks = [first] if second is None else [first, second]
    if any(network.training for network in networks):
        raise UserError("a network is in training mode, where batch norms change with each batch; call eval() first.")
    similarity, recorders = cka.MinibatchCKA(), []
    for batch in batches:
        recorders = recorders or [_Recorder(network, batch) for network in networks]
        grams = [recorder.grams(batch) for recorder in recorders]
        similarity.add_grams(grams[0], grams[-1])
        # Free the memory before the next forward pass, which needs most of it at its start.
        del grams
    result = similarity.result()
    return replace(result, names_first=recorders[0].names, names_second=recorders[-1].names)


class _Recorder:
    """Runs a network and computes the Gram matrices of its layers.

    Attributes:
        names: names of the layers in the order in which they run.
    """

    def __init__(self, network, batch):
        self.network = network
        self._names = {module: name for name, module in network.named_modules() if tracing.is_layer(module)}
        self.names = []
        self._run(batch[:1], lambda name, _output: self.names.append(name))
        self._n = len(batch)

    def grams(self, batch):
        """Compute the gram_matrices.Grams of all layers on one minibatch.

        Raises:
            UserError: the batch has another size than the first, or other layers run.
        """
        if len(batch) != self._n:
            raise UserError(f"a batch has {len(batch)} examples, the first had {self._n}; drop incomplete ones.")
        grams = gram_matrices.Grams.unfilled(len(self.names), self._n, on_device.empty_on(batch.device))
        expected = iter(enumerate(self.names))

        def keep(name, output):
            place, known = next(expected, (None, None))
            if name != known:
                raise UserError(f"layer {name} runs where {known} ran in the first batch; CKA needs the same layers.")
            grams.fill(place, on_device.packed_gram(output))

        self._run(batch, keep)
        if missing := next(expected, None):
            raise UserError(f"layer {missing[1]} did not run in one of the batches; CKA needs the same layers.")
        return grams

    def _run(self, batch, callback):
        """Run one forward pass; call callback(name, output) for each layer as soon as it has run."""
        calls = collections.Counter()

        def call(module, _inputs, output):
            if isinstance(output, torch.Tensor):
                calls[module] += 1
                callback(self._names[module] + (f"#{calls[module]}" if calls[module] > 1 else ""), output)

        with contextlib.ExitStack() as hooks:
            for module in self._names:
                hooks.callback(module.register_forward_hook(call).remove)
            self.network(batch)
