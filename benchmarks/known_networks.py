"""CKA of networks that people use, beside the fastest package: processor seconds, memory, errors.

CKA between all layers of a network and itself: a CIFAR ResNet-20, torchvision's resnet18, resnet50 and vit_b_16, and
BERT of base size (of transformers, where it is installed). Weights are random; batch norms have the statistics of some
images. The forward pass alone, ours and the package (engine.py) take turns in rounds on one thread, and ratios are
taken within a round. Errors are the largest differences to CKA in float64 of the same float32 outputs, each taken when
its module has run. The package compares the last output of a module that runs several times, ours all of them. Memory
is the peak over network and data, each measured in a process of its own. Linux only.

Example (in the environment of benchmarks/requirements.txt, on an idle machine; about two hours):
  python benchmarks/known_networks.py --rounds 5
"""

import argparse
import contextlib
import importlib.util
import statistics
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import contestants
import numpy as np
import task
import torch
from engine import error, in_own_process, peak_of, timed, versions
from pairs import PEER
from traps import row

from widedeep.measures import layer_similarity

WORKS = {"forward pass": contestants.forward, "ours": contestants.ours, PEER: contestants.pytorch_cka}


@dataclass(frozen=True)
class Known:
    """A network and its data.

    Attributes:
        network: function that returns it, in evaluation mode.
        inputs: function of a number of examples that returns a tensor of so many.
        minibatches, n: number of minibatches, and examples in each.
    """

    network: Callable
    inputs: Callable
    minibatches: int
    n: int

    def loader(self):
        return task.loader(list(self.inputs(self.minibatches * self.n).split(self.n)))


def images(examples, side=224):
    """The images of task.py, enlarged."""
    small = task.scaled(task.images(examples, seed=2))
    return torch.nn.functional.interpolate(small, size=(side, side), mode="bilinear")


@torch.no_grad()
def of_torchvision(name):
    import torchvision

    torch.manual_seed(0)
    network = getattr(torchvision.models, name)()
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # makes the statistics those of the last batch
    if norms:
        network.train()(images(32))
    return network.eval()


def bert():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    return BertModel(BertConfig()).eval()


def words(examples, length=128):
    """Token ids, some words more frequent than others."""
    ranks = np.random.default_rng(0).zipf(1.3, (examples, length))
    return torch.from_numpy(np.minimum(ranks, 30_000))


KNOWN = {
    "ResNet-20 (CIFAR)": Known(lambda: task.network(seed=0), lambda n: images(n, 32), 4, 128),
    "resnet18": Known(lambda: of_torchvision("resnet18"), images, 4, 128),
    "resnet50": Known(lambda: of_torchvision("resnet50"), images, 4, 64),
    "vit_b_16": Known(lambda: of_torchvision("vit_b_16"), images, 4, 64),
    "BERT": Known(bert, words, 4, 64),
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=KNOWN, default=list(KNOWN), help="networks")
    args = parser.parse_args(argv)
    print("\n".join([*task.on_one_thread(), *versions(), "", *HEAD]), flush=True)
    for name in args.only:
        if name == "BERT" and not importlib.util.find_spec("transformers"):
            print(row([name, "transformers is not installed"]))
            continue
        print(row(measured(name, args.rounds)), flush=True)


COLUMNS = (
    "",
    "minibatches",
    "layers, ours and package",
    *(f"{name}, s" for name in WORKS),
    "ours / package (min-max)",
    "error, ours",
    "error, package",
    *(f"{name}, MiB" for name in WORKS),
    "Gram matrices, MiB",
)
HEAD = [row(COLUMNS), "|" + "---|" * len(COLUMNS)]


def measured(name, rounds):
    """Cells of the row of a network."""
    known = KNOWN[name]
    network, loader = known.network(), known.loader()
    found = layer_similarity.layer_cka(network, (inputs for inputs, _ in loader))
    names = [of for of, reason in zip(found.names_first, found.undefined_first, strict=True) if not reason]
    last = list({of.split("#")[0]: of for of in names}.values())  # the last output of each module
    modules = [of.split("#")[0] for of in last]
    present = {work: run for work, run in WORKS.items() if work != PEER or importlib.util.find_spec("cka")}
    for run in present.values():
        warm_up(run)
    seconds, results = {work: [] for work in present}, {}
    for index in range(rounds):
        for work, run in present.items():
            used, results[work] = timed(contestants.quiet()(run), network, loader, modules)
            seconds[work].append(used.processor)
            print(f"{name}, round {index + 1}: {work} {used.processor:.1f} s", file=sys.stderr, flush=True)
    expected = reference(network, loader, names)
    errors = {"ours": error(_part(found.values, found.names_first, names), expected)}
    if PEER in present:
        errors[PEER] = error(np.asarray(results[PEER]), _part(expected, names, last))
    memory = {work: in_own_process(peak, name, work, modules) for work in present}
    ratios = [ours / package for ours, package in zip(seconds["ours"], seconds.get(PEER, []), strict=False)]
    pairs = known.n * (known.n - 1) / 2
    return [
        name,
        f"{known.minibatches} of {known.n}",
        f"{len(names)}, {len(last)}",
        *(f"{statistics.median(seconds[work]):,.1f}" if work in present else "not installed" for work in WORKS),
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "",
        errors["ours"],
        errors.get(PEER, ""),
        *(f"{memory[work]:,.0f}" if work in present else "" for work in WORKS),
        f"{len(found.names_first) * pairs * 8 / 2**20:,.1f}",
    ]


def reference(network, loader, names):
    """CKA in float64 between the outputs `names` of a network, (layers, layers).

    Args:
        network: torch.nn.Module.
        loader: of task.loader.
        names: of modules, with #2, #3 ... for their later outputs.
    """
    wanted, grams = set(names), []

    def keep(module, output):
        calls[module] += 1
        name = module if calls[module] == 1 else f"{module}#{calls[module]}"
        if name in wanted:
            tensor = output[0] if isinstance(output, tuple) else output
            # At once: the next module may overwrite it.
            grams[-1][name] = task.gram(tensor.flatten(1).double().numpy())

    with contextlib.ExitStack() as hooks, torch.inference_mode():
        for name, module in network.named_modules():
            handle = module.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
            hooks.callback(handle.remove)
        for inputs, _ in loader:
            calls = Counter()
            grams.append({})
            network(inputs)
    in_order = [[of_minibatch[name] for name in names] for of_minibatch in grams]
    return task.reference_of(in_order).cka(contestants.UNBIASED)


def _part(values, names, chosen):
    """Rows and columns of a matrix by names."""
    places = [names.index(name) for name in chosen]
    return values[np.ix_(places, places)]


def warm_up(run):
    """Run a work on a small task, so that all its imports are done."""
    small, inputs = task.shifted(layers=2, width=4, number=1, batch_size=8)
    contestants.quiet()(run)(small, task.loader(inputs), ["layer0", "layer1"])


def peak(name, work, modules):
    """Peak memory in MiB of a work of WORKS on a network of KNOWN, over network and data."""
    warm_up(WORKS[work])
    known = KNOWN[name]
    return peak_of(contestants.quiet()(WORKS[work]), known.network(), known.loader(), modules)[1]


if __name__ == "__main__":
    main()
