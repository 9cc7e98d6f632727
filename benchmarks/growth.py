"""How time and memory of CKA grow with layers, batch size and networks: tables, fitted exponents, and one figure.

Layers and batch size: minibatch CKA between all layers of a synthetic network, 1,024 features a layer, with
measures.layer_similarity.layer_cka. Its two parts are also measured alone: the Gram matrices of all layers, and the
products of all pairs. Beside it runs the fastest package with our estimator (engine.py), in turns with ours, where it
is installed.

Networks: synthetic dumps on the disk (350 MB in the current folder, deleted at the end). Each is compared with itself,
and in another call with all before it, as the workflow's jobs compute_cka and compute_pairs do.

The time of each point is measured in a new process, and its memory in another one, on one thread. Linux only. The
points are written to growth.csv beside this file, and drawn in growth.png.

Example (in the environment of benchmarks/requirements.txt, on an idle machine; about ten minutes):
  python benchmarks/growth.py
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

import contestants
import curves
import numpy as np
import task
import torch
from curves import (
    ALL_PAIRS,
    BATCH_SIZE,
    GRAMS,
    LAST_JOB,
    LAYERS_OF_BATCH,
    LAYERS_OF_DUMP,
    ONE_PAIR,
    OURS,
    PAIRS,
    WIDTH,
    Point,
)
from engine import in_own_process, peak_of, timed, versions
from pairs import PEER
from torch import nn

from widedeep.analysis import similarity
from widedeep.formats import dumps, hdf5
from widedeep.measures import cka, gram_matrices, on_device
from widedeep.networks.layers import LayerInfo

LAYERS = (50, 100, 200, 400, 800, 2000)
LAYERS_OF_PEER = (50, 200, 800)
BATCH_SIZES = (32, 64, 128, 256, 512, 1024)
NETWORKS = (1, 2, 4, 8, 16, 32, 64)
# Minibatches a run of an engine, so that what it does once a run hardly counts for one of them; dumps have one.
MINIBATCHES = 3
# A point is measured again until its rounds have taken so many processor seconds; it is their median.
ROUNDS_SECONDS = 2.0

CSV = Path(__file__).with_suffix(".csv")
FIGURE = Path(__file__).with_suffix(".png")


def main(argv=None):
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    print("\n".join([*task.on_one_thread(), *versions()]))
    (peer,) = (entry for entry in contestants.CONTESTANTS if entry.name == PEER)
    points = []
    for layers in LAYERS:
        rivals = [PEER] if peer.is_there and layers in LAYERS_OF_PEER else []
        points += points_of_engines("layers", layers, layers, BATCH_SIZE, rivals)
    for batch_size in BATCH_SIZES:
        points += points_of_engines("batch size", batch_size, LAYERS_OF_BATCH, batch_size, [])
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        points += points_of_networks(Path(folder), NETWORKS)
    curves.write(CSV, points)
    points = curves.read(CSV)
    for axis in curves.AXES:
        print("\n".join(["", *curves.table(axis, points)]))
    if not peer.is_there:
        print(f"\n{PEER}: not installed: benchmarks/requirements.txt")
    curves.draw(points, FIGURE)
    print(f"\n{CSV}, {FIGURE}")


def points_of_engines(axis, size, layers, n, rivals):
    """Measure our engine, its two parts, and other contestants.

    Args:
        axis, size: of the points.
        layers: number of layers of the network.
        n: examples a minibatch.
        rivals: names of contestants.

    Returns:
        list of Point
    """
    seconds = in_own_process(seconds_of_engines, layers, n, rivals, prepare=task.on_one_thread)
    memory = {OURS: in_own_process(memory_of_engine, layers, n, None)}
    memory |= {name: in_own_process(memory_of_engine, layers, n, name) for name in rivals}
    print(f"{axis} {size}: {seconds[OURS]:.3g} s", file=sys.stderr, flush=True)
    return [Point(axis, size, series, used, memory.get(series)) for series, used in seconds.items()]


def seconds_of_engines(layers, n, rivals):
    """Dict from series to processor seconds a minibatch, the median of rounds in which all take turns."""
    network, loader, names = synthetic(layers, n)
    grams, inputs = gram_matrices.Grams.unfilled(layers, n), next(iter(loader))[0]
    works = {name: _engine(name) for name in [OURS, *rivals]}
    for work in works.values():
        work(*synthetic(layers=2, n=8))  # imports, and what is set up once
    rounds = {series: [] for series in (*works, GRAMS, PAIRS)}
    while sum(rounds[OURS]) * MINIBATCHES < ROUNDS_SECONDS:
        rounds[GRAMS].append(seconds_of_grams(network, inputs, grams))
        rounds[PAIRS].append(timed(cka.MinibatchCKA().add_grams, grams, grams)[0].processor)
        for series, work in works.items():
            rounds[series].append(timed(work, network, loader, names)[0].processor / MINIBATCHES)
    return {series: statistics.median(used) for series, used in rounds.items()}


def seconds_of_grams(network, inputs, grams):
    """Processor seconds of filling the gram_matrices.Grams of all layers, without the forward pass."""

    def fill(layer, output):
        grams.fill(layer, on_device.packed_gram(output))

    with torch.inference_mode():
        return sum(timed(fill, layer, module(inputs))[0].processor for layer, module in enumerate(network.children()))


def memory_of_engine(layers, n, name):
    """Peak memory over base, in MiB, of a run of a contestant, or of ours if `name` is None."""
    work = _engine(name)
    work(*synthetic(layers=2, n=8))
    return peak_of(work, *synthetic(layers, n))[1]


def _engine(name):
    """The function of (network, loader, names) of a contestant, or ours."""
    runs = {entry.name: entry.run for entry in contestants.CONTESTANTS}
    return contestants.quiet()(runs.get(name, contestants.ours))


class Scaled(nn.Module):
    """A network whose layers scale the features of the input, (n, width); its forward pass costs little beside CKA."""

    def __init__(self, layers, width, generator):
        super().__init__()
        for layer in range(layers):
            self.add_module(f"layer{layer}", _Scale(torch.rand(width, generator=generator)))

    def forward(self, x):
        for layer in self.children():
            out = layer(x)
        return out


class _Scale(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, x):
        return x * self.scale


def synthetic(layers, n):
    """(Scaled, loader of MINIBATCHES minibatches, names of its layers)"""
    rng = np.random.default_rng(0)
    network = Scaled(layers, WIDTH, torch.Generator().manual_seed(0)).eval()
    inputs = [torch.from_numpy(features(rng, n, WIDTH)) for _ in range(MINIBATCHES)]
    return network, task.loader(inputs), [f"layer{layer}" for layer in range(layers)]


def features(rng, n, width, rank=10):
    """Shared components plus noise, float32 (n, width)."""
    values = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, width)) / np.sqrt(rank)
    return (values + 0.5 * rng.standard_normal((n, width))).astype(np.float32)


def points_of_networks(folder, numbers, layers=LAYERS_OF_DUMP, n=BATCH_SIZE):
    """Measure all pairs of networks, the largest of their jobs, and one pair.

    Args:
        folder: for the dumps.
        numbers: growing numbers of networks.
        layers: number of layers of each network.
        n: examples a minibatch.

    Returns:
        list of Point
    """
    paths = [folder / f"seed{seed}.h5" for seed in range(numbers[-1])]
    for seed, path in enumerate(paths):
        write_dump(path, seed, layers, n)
    points = []
    for number in numbers:
        seconds, last = in_own_process(seconds_of_jobs, paths[:number], prepare=task.on_one_thread)
        memory = in_own_process(memory_of_last_job, paths[:number])
        points.append(Point("networks", number, ALL_PAIRS, seconds))
        points.append(Point("networks", number, LAST_JOB, last, memory))
        points.append(Point("networks", number, ONE_PAIR, seconds / pairs_of(number)))
        print(f"networks {number}: {seconds:.3g} s", file=sys.stderr, flush=True)
    return points


def pairs_of(networks):
    """Number of comparisons of so many networks, each with itself included."""
    return networks * (networks + 1) // 2


def write_dump(path, seed, layers, n):
    """Write the dump of one minibatch of a synthetic network; its width does not matter to comparisons."""
    rng = np.random.default_rng(seed)
    names = [f"layer{layer}" for layer in range(layers)]
    with hdf5.creating(path) as file:
        origin, sample_ids = dumps.Origin("synthetic", seed, "synthetic", "test"), np.arange(n)[None]
        writer = dumps.Writer(file, "gram", origin, sample_ids, {})
        for name in names:
            writer.add_layer(LayerInfo(name, "other", 0, 0, (64,)))
        for name in names:
            writer.put_gram(name, 0, gram_matrices.packed_gram(features(rng, n, 64)))


def jobs_of(opened):
    """list of the workflow's jobs, each a list of pairs of dumps.Dump: a network with itself, or with all before it."""
    itself = [[(dump, dump)] for dump in opened]
    return itself + [[(first, last) for first in opened[:index]] for index, last in enumerate(opened) if index]


@contextlib.contextmanager
def opened_dumps(paths):
    """Yield a list of dumps.Dump."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(dumps.Dump(path)) for path in paths]


def seconds_of_jobs(paths):
    """(processor seconds of all jobs, of the last one, which is the largest); medians of rounds."""
    with opened_dumps(paths) as opened:
        jobs, rounds = jobs_of(opened), []
        similarity.compare(jobs[0])  # what is set up once
        while sum(map(sum, rounds)) < ROUNDS_SECONDS:
            rounds.append([timed(similarity.compare, pairs)[0].processor for pairs in jobs])
    return statistics.median(map(sum, rounds)), statistics.median(used[-1] for used in rounds)


def memory_of_last_job(paths):
    """MiB over base."""
    with opened_dumps(paths) as opened:
        jobs = jobs_of(opened)
        similarity.compare(jobs[0])
        return peak_of(similarity.compare, jobs[-1])[1]


if __name__ == "__main__":
    main()
