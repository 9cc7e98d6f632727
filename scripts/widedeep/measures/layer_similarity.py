"""Similarity between the layers of torch networks while they run, in one pass over the data.

Within one network, and between two:

    found = layer_similarity(network, loader)
    found = layer_similarity(network, loader, second)

The Gram matrices are computed on the device that runs the network, one layer at a time.
"""

import contextlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from widedeep.measures import batches, gram_matrices, kinds, on_device
from widedeep.measures.accumulator import Accumulator
from widedeep.measures.cka import Similarity
from widedeep.measures.measure import Minibatch
from widedeep.measures.result import LayerSimilarity
from widedeep.networks import calls, outputs
from widedeep.networks.precision import full_float32
from widedeep.runtime.errors import UserError

_MIXES = (
    "an example's output depends on the other examples of its minibatch, as in a batch norm without running "
    "statistics, or where the first axis of the data is not the examples; then the similarity is not that of examples."
)


@full_float32()
@torch.no_grad()
def layer_similarity(
    network: torch.nn.Module,
    data: Iterable | torch.Tensor | np.ndarray | Mapping,
    second: torch.nn.Module | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    measures: Sequence[str] = ("cka",),
    device: str | torch.device | None = None,
    progress: bool = True,
) -> LayerSimilarity:
    """Similarity between all layers of two networks, or of one network with itself (paper, equations 1 to 3).

    Each layer's output becomes a Gram matrix before the next layer runs. So modules that work in place are read
    correctly, and memory holds the activations of one layer and the Gram matrices of one minibatch.

    A layer is the output of a module: of a tuple, list or dict the first tensor in it. A module that runs several times
    gives a layer each time, named with #2, #3 and so on. Which axis of an output is the examples is found by two passes
    of three and of two examples; outputs without such an axis, as a table of positions, are left out.

    Args:
        network, second: torch.nn.Module in evaluation mode. Second None: the first with itself.
        data: minibatches, as a DataLoader or any iterable of tensors, arrays, tuples or dicts; the examples are the
            first axis of the first tensor. Of a tuple, as (images, labels), a network gets the first entry, or as many
            as its `forward` needs; of a dict the entries that its `forward` names. All examples at once, as one tensor,
            array, dict or Dataset, are cut into minibatches of 256. An incomplete last minibatch is dropped.
        layers: pattern or patterns of module names, as `layer*.*`: parts are separated by dots, `*` stands for one part
            and `**` for any number of them. Also modules that contain others may be chosen, as the blocks of a
            transformer, whose output is the residual stream. Of two networks one must have a match. None: all modules
            in which no other module runs, but those that change only the shape, or nothing as dropout.
        measures: names of measures (measures/kinds), as `cka`, `rbf_cka`, `procrustes`.
        device: where to run the networks, which return to their own device at the end; None: where they are.
        progress: whether to show a bar, if tqdm is installed.

    Returns:
        LayerSimilarity

    Raises:
        UserError: there is no minibatch; one has fewer than 4 examples, or not as many as the first; a part of a
            network is in training mode, scripted or traced; a network does not take the data, or does not run the same
            layers for every minibatch; a pattern matches no module; a measure is unknown.
    """
    patterns = [layers] if isinstance(layers, str) else layers
    chosen = [kinds.named(name) for name in ([measures] if isinstance(measures, str) else measures)]
    if not chosen:
        raise UserError("measures: names none; give at least one, as 'cka'.")
    networks = {"the network": network} if second is None else {"the network": network, "the second network": second}
    similarity, recorders, n, dropped = Accumulator(chosen), [], 0, 0
    with contextlib.ExitStack() as stack:
        runners = [stack.enter_context(_Runner.placed(which, one, device)) for which, one in networks.items()]
        outputs.check_patterns([runner.network for runner in runners], patterns or [])
        apart = len({runner.device for runner in runners}) > 1 or [measure.name for measure in chosen] != ["cka"]
        for batch in _with_progress(batches.batches_of(data), progress):
            inputs = [runner.inputs(batch) for runner in runners]
            if dropped or (n and inputs[0].n > n):
                raise UserError(
                    f"a minibatch has {dropped or inputs[0].n} examples, the first had {n}; make them equal."
                )
            if n and inputs[0].n < n:
                dropped = inputs[0].n
                continue
            n = inputs[0].n
            if not recorders:
                recorders = [_Recorder(*given, patterns) for given in zip(runners, inputs, strict=True)]
                for mixing in (recorder for recorder in recorders if recorder.found.mixes):
                    warnings.warn(f"in {mixing.which} {_MIXES}", stacklevel=4)  # at the caller, behind two decorators
            grams = [recorder.grams(given) for recorder, given in zip(recorders, inputs, strict=True)]
            seen = [Minibatch(one.on_host() if apart else one) for one in grams]
            similarity.add(seen[0], seen[-1])
            # Free the memory before the next forward pass, which needs most of it at its start.
            del grams, seen
    results, first, other = similarity.result(), recorders[0].found, recorders[-1].found
    sides = first.layers, other.layers, first.left_out, other.left_out
    return LayerSimilarity(results, *sides, similarity.minibatches, n, dropped)


def layer_cka(first: torch.nn.Module, batches: Iterable, second: torch.nn.Module | None = None) -> Similarity:
    """Minibatch CKA between all layers of two networks, or of one network with itself (paper, equations 2 and 3).

    This is `layer_similarity` by CKA alone, without a progress bar.

    Args:
        first, second, batches: see there.

    Returns:
        cka.Similarity with the names of the layers in the order in which they ran

    Raises:
        UserError: see there.
    """
    found = layer_similarity(first, batches, second, progress=False)
    return replace(found.measures["cka"], names_first=found.names_first, names_second=found.names_second)


def _with_progress(minibatches, progress):
    """The minibatches, with a bar where it is asked for and tqdm is installed."""
    if progress:
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            return tqdm(minibatches, unit=" minibatches")
    return minibatches


class _Runner:
    """Runs a network on minibatches as users have them.

    Attributes:
        which: the network's name in messages.
        network: without wrappers.
        device: torch.device that its inputs are moved to; None where it has no weights.
    """

    def __init__(self, which, network, device):
        self.which, self.network, self.device = which, network, device
        weights = [tensor.dtype for tensor in network.parameters() if tensor.is_floating_point()]
        self._dtype = weights[0] if weights else torch.get_default_dtype()

    @classmethod
    @contextlib.contextmanager
    def placed(cls, which, network, device):
        """Yield the _Runner of a network, which is moved to a device until the block ends."""
        network = calls.unwrapped(network, which)
        calls.evaluating(network, which)
        places = {tensor.device for tensor in (*network.parameters(), *network.buffers())}
        before = next(iter(places)) if places else None
        if device is None or {torch.device(device)} == places:
            yield cls(which, network, before)
            return
        if len(places) > 1:
            raise UserError(f"{which} lies on several devices; leave out `device`.")
        network.to(device)
        try:
            yield cls(which, network, torch.device(device))
        finally:
            network.to(before)

    def inputs(self, batch):
        """The batches.Inputs of a minibatch."""
        return batches.inputs_of(batch, self.network, self.device, self._dtype)

    def run(self, inputs):
        """What the network returns. Compiled parts run as they were written, so that hooks see their layers."""
        eager = (
            torch.compiler.set_stance("force_eager") if calls.is_compiled(self.network) else contextlib.nullcontext()
        )
        with eager:
            return batches.run(self.network, inputs, self.which)


class _Recorder:
    """Runs a network and computes the Gram matrices of its layers.

    Attributes:
        which: the network's name in messages.
        found: outputs.Found.
    """

    def __init__(self, runner, inputs, patterns):
        self._runner, self._n, self.which = runner, inputs.n, runner.which
        if inputs.n < 4:
            raise UserError(f"a minibatch has {inputs.n} examples; the unbiased estimator needs at least 4.")
        self.found = outputs.find(runner.network, lambda part: self._run_some(inputs, part), patterns)

    def _run_some(self, inputs, part):
        """What the network returns for a slice of the examples."""
        some = inputs.some(part)
        try:
            return self._runner.run(some)
        except UserError as error:
            self._runner.run(inputs)  # where it fails as well, it tells of what the user gave
            raise UserError(
                f"{self.which} takes {inputs.n} examples and not {some.n}: passes of three and of two show which axis "
                "of an output is the examples; let it take any number."
            ) from error

    def grams(self, inputs):
        """Compute the gram_matrices.Grams of all layers on one minibatch.

        Raises:
            UserError: the minibatch has another size than the first, or other layers run.
        """
        names = [layer.name for layer in self.found.layers]
        grams = gram_matrices.Grams.unfilled(len(names), self._n, on_device.empty_on(inputs.device))
        expected = iter(enumerate(names))

        def keep(name, output):
            if name in self.found.left_out:
                return
            place, known = next(expected, (None, None))
            if name != known:
                raise UserError(f"layer {name} runs where {known} ran in the first batch; CKA needs the same layers.")
            try:
                features = self.found.places[place].features(output, self._n)
            except ValueError as error:
                raise UserError(f"layer {name} returns {error}, unlike in the first batch.") from None
            grams.fill(place, on_device.packed_gram(features))

        with calls.watching(self.found.modules, keep):
            self._runner.run(inputs)
        if missing := next(expected, None):
            raise UserError(f"layer {missing[1]} did not run in one of the batches; CKA needs the same layers.")
        return grams
