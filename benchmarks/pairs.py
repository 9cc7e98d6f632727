"""CKA between all layers of all pairs of M networks, as in a study: ours beside another package.

Ours runs each network once and writes a dump, then compares all pairs from the dumps: once in one call for all pairs,
and once in a call for each larger seed, as the workflow's jobs do. It also compares first components, and layers
without them, which the package does not. The package runs both networks again for each pair; it is the fastest one with
our estimator (engine.py). It is measured on three pairs and multiplied; such numbers are in italics. The networks are
ResNet-20s of different seeds, on the images of task.py, on one thread. The dumps take 90 MB a network in the current
folder, and are deleted at the end.

Example (in the environment of benchmarks/requirements.txt, on an idle machine; about half an hour):
  python benchmarks/pairs.py
"""

import argparse
import contextlib
import itertools
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import contestants
import numpy as np
import task
import torch
from engine import Seconds, timed, versions
from traps import row

from widedeep.analysis import activations, similarity
from widedeep.formats import dumps
from widedeep.measures.stacked import Stack
from widedeep.networks import tracing

NETWORKS = (2, 8, 32)
PEER = "pytorch-cka"


def main(argv=None):
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    print("\n".join([*task.on_one_thread(), *versions()]))
    models = [task.network(seed) for seed in range(NETWORKS[-1])]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        print("\n".join(["", *measured(Path(folder), models, NETWORKS)]))


def measured(folder, models, numbers, minibatches=task.MINIBATCHES, batch_size=task.BATCH_SIZE):
    """Lines of Markdown: a row for each number of networks, and the differences between ours and the package.

    Args:
        folder: for the dumps.
        models: list of networks.
        numbers: growing numbers of networks to compare, each from the start of the list.
        minibatches, batch_size: number of minibatches, and of images in one.
    """
    paths = [folder / f"seed{seed}.h5" for seed in range(len(models))]
    sweeps = []
    for seed, (path, model) in enumerate(zip(paths, models, strict=True)):
        sweeps.append(timed(dump, path, model, seed, minibatches, batch_size)[0])
        print(f"dump {seed + 1} of {len(models)}: {sweeps[-1].wall:.1f} s", file=sys.stderr, flush=True)
    phases = [Phases(total(sweeps[:number]), *comparing(paths[:number])) for number in numbers]
    (contestant,) = (entry for entry in contestants.CONTESTANTS if entry.name == PEER)
    inputs = task.minibatches(minibatches, batch_size)
    peer = pairs_of_package(contestant, models[:3], paths[:3], inputs) if contestant.is_there else ([], [])
    return table(numbers, phases, contestant.label, *peer)


def pairs_of_package(contestant, models, paths, inputs):
    """Run another package on all pairs of some networks.

    Returns:
        (list of Seconds, list of the largest absolute differences to our values), one a pair
    """
    seconds, differences = [], []
    for (one, first), (other, second) in itertools.combinations(zip(models, paths, strict=True), 2):
        arguments = one, task.loader(inputs), task.names_of(one), other
        used, found = timed(contestants.values_of, contestant, *arguments)
        with dumps.Dump(first) as left, dumps.Dump(second) as right:
            (ours,) = similarity.compare([(left, right)])
        seconds.append(used)
        differences.append(np.abs(found - ours.measures["cka"].values).max())
        print(f"{contestant.label}, a pair: {used.wall:.1f} s", file=sys.stderr, flush=True)
    return seconds, differences


def dump(path, model, seed, minibatches, batch_size):
    """Write the dump of one network on the task's images."""
    pixels = task.images(minibatches * batch_size, seed=2)
    sample_ids = np.arange(len(pixels)).reshape(minibatches, batch_size)
    origin = dumps.Origin("resnet20", seed, "synthetic", "test")
    activations.write_dump(
        path, model, tracing.layers_of(model), pixels, sample_ids, "gram", origin, torch.device("cpu")
    )


@dataclass(frozen=True)
class Phases:
    """Seconds of our work on a number of networks.

    Attributes:
        sweeps: running all networks and writing their dumps.
        reading: reading the dumps once, which is part of the next two as well.
        together: reading and comparing all pairs in one call.
        by_seed: the same in a call for each larger seed.
    """

    sweeps: Seconds
    reading: Seconds
    together: Seconds
    by_seed: Seconds


def comparing(paths):
    """Seconds of reading the dumps, of comparing all pairs in one call, and in a call for each larger seed."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(dumps.Dump(path)) for path in paths]
        calls = [[(first, last) for first in opened[:index]] for index, last in enumerate(opened) if index]
        every_pair = [pair for pairs in calls for pair in pairs]
        return (
            timed(read, opened)[0],
            timed(similarity.compare, every_pair)[0],
            total([timed(similarity.compare, pairs)[0] for pairs in calls]),
        )


def read(opened):
    """Read all dumps, a minibatch of a network at a time."""
    for one in opened:
        minibatches, n = one.sample_ids.shape
        stack = Stack(len(one.layers), n, one.precision, [])
        for minibatch in range(minibatches):
            one.read(minibatch, stack.triangles, stack.diagonals, stack.scores)


def total(seconds):
    return Seconds(sum(used.wall for used in seconds), sum(used.processor for used in seconds))


def table(numbers, phases, label, peer, differences):
    """Lines of Markdown.

    Args:
        numbers: numbers of networks.
        phases: list of Phases, one for each number.
        label: name of the package.
        peer: list of its Seconds, one a pair; empty where it is not installed.
        differences: largest absolute difference between its values and ours, one a pair.
    """
    header = [
        *("networks", "pairs", "dumps written s", "dumps read s", "all pairs in one call s (ms a pair)"),
        *("a call a larger seed s (ms a pair)", "ours s: one call; by larger seed", f"{label} s", "times faster"),
    ]
    lines = [row(header), "|" + "---|" * len(header)]
    for number, phase in zip(numbers, phases, strict=True):
        pairs = number * (number - 1) // 2
        ways = (phase.together, phase.by_seed)
        ours = [phase.sweeps.processor + used.processor for used in ways]
        cells = [str(number), str(pairs), f"{phase.sweeps.processor:.1f}", f"{phase.reading.processor:.2f}"]
        cells += [f"{used.processor:.2f} ({1000 * used.processor / pairs:.0f})" for used in ways]
        cells.append("; ".join(f"{seconds:.1f}" for seconds in ours))
        if peer:
            theirs = pairs * statistics.median(used.processor for used in peer)
            cells += [f"*{theirs:,.1f}*", "; ".join(f"*{theirs / seconds:.1f}*" for seconds in ours)]
        else:
            cells += ["not installed: benchmarks/requirements.txt", ""]
        lines.append(row(cells))
    shares = ", ".join(f"{phase.reading.processor / phase.together.processor:.0%}" for phase in phases)
    wall = ", ".join(f"{total([phase.sweeps, phase.by_seed]).wall:.1f}" for phase in phases)
    lines += [
        "",
        f"Processor seconds; by the clock ours by larger seed took {wall} s. Reading is {shares} of comparing in one "
        "call, from files that are in the page cache.",
    ]
    if peer:
        seconds = ", ".join(f"{used.processor:.1f} ({used.wall:.1f} by the clock)" for used in peer)
        lines.append(f"{label}: {seconds} s a pair; at most {max(differences):.0e} from our values.")
    return lines


if __name__ == "__main__":
    main()
