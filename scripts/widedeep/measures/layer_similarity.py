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
from widedeep.runtime.errors import UserError, first_line

_MIXES = (
    "an example's output is random or depends on the other examples of its minibatch, as in a batch norm without "
    "running statistics, or where the first axis of the data is not the examples; then the similarity is not theirs."
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
    of a few examples. Left out are outputs without such an axis, as a table of positions, those whose rows are in
    another order than the examples, and those that not all minibatches have, as of an expert that is chosen by example.

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
            network is in training mode, scripted or traced; a network does not take the data, or has no layer that all
            minibatches share; a pattern matches no module; a measure or a device is unknown.
    """
    several = isinstance(layers, Iterable) and not isinstance(layers, str)
    patterns = None if layers is None else list(layers) if several else [layers]
    chosen = _named(measures)
    networks = {"the network": network} if second is None else {"the network": network, "the second network": second}
    similarity, recorders, n, dropped = Accumulator(chosen), [], 0, 0
    with contextlib.ExitStack() as stack:
        runners = [stack.enter_context(_Runner.placed(which, one, device)) for which, one in networks.items()]
        if patterns is not None:
            outputs.check_patterns([runner.network for runner in runners], patterns)
        apart = len({runner.device for runner in runners}) > 1 or [measure.name for measure in chosen] != ["cka"]
        for batch in _with_progress(batches.batches_of(data), progress):
            inputs = [runner.inputs(batch) for runner in runners]
            if dropped or (n and inputs[0].n > n):
                found = dropped or inputs[0].n
                raise UserError(f"a minibatch has {found} examples and the first one has {n}; make them equal.")
            if n and inputs[0].n < n:
                dropped = inputs[0].n
                continue
            n = inputs[0].n
            if not recorders:
                recorders = [_Recorder(*given, patterns) for given in zip(runners, inputs, strict=True)]
                for mixing in (recorder for recorder in recorders if recorder.found.mixing):
                    where = f"in {mixing.which}, first in {mixing.found.mixing},"
                    warnings.warn(f"{where} {_MIXES}", stacklevel=4)  # at the caller, behind two decorators
            grams = [recorder.grams(given) for recorder, given in zip(recorders, inputs, strict=True)]
            seen = [Minibatch(one.on_host() if apart else one) for one in grams]
            similarity.add(seen[0], seen[-1])
            # Free the memory before the next forward pass, which needs most of it at its start.
            del grams, seen
    if not recorders:
        raise UserError("data: holds no minibatch.")
    first, other = recorders[0], recorders[-1]
    results = {name: one.part(first.kept, other.kept) for name, one in similarity.result().items()}
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


def _named(measures):
    """The measure.Measures of their names."""
    names = [measures] if isinstance(measures, str) else measures
    if not isinstance(names, Iterable) or not (names := list(names)):
        raise UserError("measures: names none; give at least one, as 'cka'.")
    return [kinds.named(name) for name in names]


def _with_progress(minibatches, progress):
    """The minibatches, with a bar where it is asked for and tqdm is installed."""
    if progress:
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            try:
                total = len(minibatches)
            except (TypeError, NotImplementedError):
                total = None
            return tqdm(minibatches, total=total, unit=" minibatches")
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
        if device is None or {_device(device)} == places:
            yield cls(which, network, before)
            return
        if len(places) > 1:
            raise UserError(f"{which} lies on several devices; leave out `device`.")
        network.to(_device(device))
        try:
            yield cls(which, network, _device(device))
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


def _device(name):
    """The torch.device of a name, if the machine has it and it holds values."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, TypeError, AssertionError) as error:
        raise UserError(f"device: '{name}' cannot be used here: {first_line(error)}") from error
    return device


class _Recorder:
    """Runs a network and computes the Gram matrices of its layers.

    Attributes:
        which: the network's name in messages.
        found: outputs.Found.
        left_out: dict from a name to the reason why its output is no layer, also from later minibatches.
    """

    def __init__(self, runner, inputs, patterns):
        self._runner, self._n, self.which = runner, inputs.n, runner.which
        if inputs.n < 4:
            raise UserError(f"a minibatch has {inputs.n} examples; the unbiased estimator needs at least 4.")
        self.found = outputs.find(runner.network, lambda part: self._run_some(inputs, part), inputs.n, patterns)
        self._places = {
            layer.name: (index, place)
            for index, (layer, place) in enumerate(zip(self.found.layers, self.found.places, strict=True))
        }
        self.left_out = dict(self.found.left_out)

    @property
    def kept(self):
        """Indices of the layers that all minibatches so far have.

        Raises:
            UserError: there is none.
        """
        kept = [index for name, (index, _) in self._places.items() if name not in self.left_out]
        if not kept:
            name, reason = next(iter(self.left_out.items()))
            raise UserError(f"{self.which} has no layer that all minibatches share ({name}: {reason}).")
        return kept

    @property
    def layers(self):
        """list of layers.LayerOutput of these layers."""
        return [self.found.layers[index] for index in self.kept]

    def _run_some(self, inputs, part):
        """What the network returns for a slice of the examples."""
        some = inputs.some(part)
        try:
            return self._runner.run(some)
        except UserError as error:
            self._runner.run(inputs)  # where it fails as well, it tells of what the user gave
            raise UserError(
                f"{self.which} takes {inputs.n} examples and not {some.n}, with which the axis of the examples is "
                "found: let it take any number, or try another size of minibatches."
            ) from error

    def grams(self, inputs):
        """Compute the gram_matrices.Grams of all layers on one minibatch; NaN for a layer that is left out from now on.

        A layer is left out when it does not run, or has another shape, in one of the minibatches.
        """
        grams = gram_matrices.Grams.unfilled(len(self._places), self._n, on_device.empty_on(inputs.device))
        missing = dict.fromkeys(self._places, "does not run for every minibatch")

        def keep(_module, name, output):
            if name not in self._places:
                if name not in self.found.others:
                    self.left_out.setdefault(name, "does not run for every minibatch")
                return
            index, place = self._places[name]
            if missing[name] and name not in self.left_out:
                missing[name] = calls.problem_of(output)
            if missing[name]:
                return
            try:
                features = place.features(calls.first_tensor(output), self._n)
            except ValueError as error:
                missing[name] = f"{error}, and was otherwise in an earlier pass"
                return
            grams.fill(index, on_device.packed_gram(features))

        with calls.watching(self.found.modules, keep):
            self._runner.run(inputs)
        for name, reason in missing.items():
            if reason:
                self.left_out.setdefault(name, reason)
                for part in (grams.triangles, grams.diagonals, grams.row_sums):
                    part[self._places[name][0]] = np.nan
        return grams
