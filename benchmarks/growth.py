"""How time and memory of CKA grow with layers, batch size and networks: tables, fitted exponents, and one figure.

Layers and batch size: minibatch CKA between all layers of a synthetic network, 1,024 features a layer, through
layer_cka of measures.layer_similarity; and its parts alone, the Gram matrices of all layers and the products of all pairs.
Beside it the fastest package with our estimator (engine.py), in turns with ours, where it is installed.

Networks: synthetic dumps on the disk (350 MB in the current folder, which go at the end). Each is compared with itself
and with all before it, in a call for each, which are the workflow's jobs compute_cka and compute_pairs.

Each point has a process of its own for its time, and another one for its memory, on one thread. Linux only.
Writes growth.csv beside this file, and from it draws growth.png.

Example (in the environment of benchmarks/requirements.txt, on an idle machine; about ten minutes):
  python benchmarks/growth.py
"""

import argparse
import contextlib
import csv
import io
import statistics
import sys
import tempfile
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import contestants
import matplotlib
import numpy as np
import task
import torch
from engine import in_own_process, peak_of, timed, versions
from pairs import PEER
from PIL import Image
from torch import nn
from traps import row

from widedeep.analysis import similarity
from widedeep.formats import dumps, hdf5
from widedeep.measures import cka, gram_matrices, on_device
from widedeep.networks.layers import LayerInfo

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)

LAYERS = (50, 100, 200, 400, 800, 2000)
LAYERS_OF_PEER = (50, 200, 800)
BATCH_SIZES = (32, 64, 128, 256, 512, 1024)
NETWORKS = (1, 2, 4, 8, 16, 32, 64)
# What stays while something else grows.
BATCH_SIZE = 256
LAYERS_OF_BATCH = 100
# So many that the largest comparison takes more than similarity.MEMORY.
LAYERS_OF_DUMP = 40
WIDTH = 1024
# Of a run of an engine, so that what it does once a run does not count as if it were for each of them; dumps have one.
MINIBATCHES = 3
# A point is measured again until its rounds have taken so many processor seconds, and is their median.
ROUNDS_SECONDS = 2.0

CSV = Path(__file__).with_suffix(".csv")
FIGURE = Path(__file__).with_suffix(".png")
OURS, GRAMS, PAIRS = "ours", "Gram matrices", "pairs of layers"
ALL_PAIRS, LAST_JOB, ONE_PAIR = "all pairs", "largest job", "one pair"


@dataclass(frozen=True)
class Axis:
    """What grows, and how its numbers are shown.

    Attributes:
        symbol: of the size in the formulas.
        fixed: what stays.
    """

    symbol: str
    fixed: str


AXES = {
    "layers": Axis("L", f"{BATCH_SIZE} examples a minibatch, {WIDTH:,} features a layer"),
    "networks": Axis("M", f"{LAYERS_OF_DUMP} layers, {BATCH_SIZE} examples a minibatch"),
    "batch size": Axis("n", f"{LAYERS_OF_BATCH} layers, {WIDTH:,} features a layer"),
}


@dataclass(frozen=True)
class Point:
    """One measurement.

    Attributes:
        axis: one of AXES.
        size: along it.
        series: what was measured.
        seconds: of the processor, median of rounds.
        mib: peak of the memory over that of imports and inputs; None where it is that of a part of the work.
    """

    axis: str
    size: int
    series: str
    seconds: float
    mib: float | None = None


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
    write(CSV, points)
    points = read(CSV)
    for axis in AXES:
        print("\n".join(["", *table(axis, points)]))
    if not peer.is_there:
        print(f"\n{PEER}: not installed: benchmarks/requirements.txt")
    draw(points, FIGURE)
    print(f"\n{CSV}, {FIGURE}")


def points_of_engines(axis, size, layers, n, rivals):
    """List of Point: our engine, its two parts, and other contestants.

    Args:
        axis, size: of the points.
        layers, n: of the network, and examples a minibatch.
        rivals: names of contestants.
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
    """Processor seconds of filling the gram_matrices.Grams of all layers, without the layers themselves."""

    def fill(layer, output):
        grams.fill(layer, on_device.packed_gram(output))

    with torch.inference_mode():
        return sum(timed(fill, layer, module(inputs))[0].processor for layer, module in enumerate(network.children()))


def memory_of_engine(layers, n, name):
    """MiB over base of a run of ours, or of a contestant."""
    work = _engine(name)
    work(*synthetic(layers=2, n=8))
    return peak_of(work, *synthetic(layers, n))[1]


def _engine(name):
    """The function of (network, loader, names) of a contestant, or ours."""
    runs = {entry.name: entry.run for entry in contestants.CONTESTANTS}
    return contestants.quiet()(runs.get(name, contestants.ours))


class Scaled(nn.Module):
    """A network whose layers are its input (n, width) times a vector each: its own work is small beside their CKA."""

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
    """List of Point: all pairs of networks, the largest job of them, and one pair.

    Args:
        folder: for the dumps.
        numbers: of networks, growing.
        layers, n: of the networks, and examples a minibatch.
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
    """How many comparisons there are, those of a network with itself among them."""
    return networks * (networks + 1) // 2


def write_dump(path, seed, layers, n):
    """Write one minibatch of a synthetic network, whose width does not matter to what comes after."""
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
    """Lists of pairs of dumps.Dump, one for each job of the workflow: a network with itself, and with those before."""
    itself = [[(dump, dump)] for dump in opened]
    return itself + [[(first, last) for first in opened[:index]] for index, last in enumerate(opened) if index]


@contextlib.contextmanager
def opened_dumps(paths):
    """Yield a list of dumps.Dump."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(dumps.Dump(path)) for path in paths]


def seconds_of_jobs(paths):
    """Processor seconds of all jobs and of the last one, which is the largest; medians of rounds."""
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


def write(path, points):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Point))
        for point in points:
            axis, size, series, seconds, mib = astuple(point)
            writer.writerow([axis, size, series, f"{seconds:.4g}", "" if mib is None else f"{mib:.1f}"])


def read(path):
    """List of Point of a file of `write`."""
    with open(path, newline="") as file:
        return [
            Point(line["axis"], int(line["size"]), line["series"], float(line["seconds"]), _number(line["mib"]))
            for line in csv.DictReader(file)
        ]


def _number(cell):
    return float(cell) if cell else None


@dataclass(frozen=True)
class Curve:
    """How a series grows along an axis: sizes, and seconds or MiB."""

    sizes: list
    values: list

    def exponent(self, upper_half=True):
        """Least squares of the logarithms over all sizes, or over the larger half, with the middle one; NaN of one."""
        start = len(self.sizes) // 2 if upper_half else 0
        sizes, values = self.sizes[start:], self.values[start:]
        return np.polyfit(np.log(sizes), np.log(values), 1)[0] if len(sizes) > 1 else np.nan

    def by_size(self):
        return dict(zip(self.sizes, self.values, strict=True))


def curves(points, axis, measure):
    """Dict from series to Curve.

    Args:
        points: list of Point.
        axis: one of AXES.
        measure: seconds or mib.
    """
    found = {}
    for point in sorted((point for point in points if point.axis == axis), key=lambda point: point.size):
        # Less than the system counts is no memory to fit.
        if getattr(point, measure):
            curve = found.setdefault(point.series, Curve([], []))
            curve.sizes.append(point.size)
            curve.values.append(getattr(point, measure))
    return found


def table(axis, points):
    """Lines of Markdown: a row a size, and the exponents.

    Args:
        axis: one of AXES.
        points: list of Point.
    """
    columns = {
        (series, unit): curve
        for measure, unit in (("seconds", "s"), ("mib", "MiB"))
        for series, curve in curves(points, axis, measure).items()
    }
    header = [axis, *(f"{series} {unit}" for series, unit in columns)]
    rows = {
        size: [_cell(curve.by_size().get(size)) for curve in columns.values()]
        for size in sorted({size for curve in columns.values() for size in curve.sizes})
    }
    if (PEER, "s") in columns:
        header.append(f"ours / {PEER} s")
        ours, peer = (columns[name, "s"].by_size() for name in (OURS, PEER))
        for size, cells in rows.items():
            cells.append(f"{ours[size] / peer[size]:.2f}" if size in peer else "")
    lines = [row([f"{size:,}", *cells]) for size, cells in rows.items()]
    for upper_half, label in ((True, "exponent, upper half"), (False, "exponent, all")):
        exponents = [f"{curve.exponent(upper_half):.2f}" for curve in columns.values()]
        lines.append(row([label, *exponents, *[""] * (len(header) - 1 - len(exponents))]))
    return [f"{AXES[axis].fixed}; processor seconds a minibatch:", "", row(header), "|" + "---|" * len(header), *lines]


def _cell(value):
    return "" if value is None else f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


# Apart for the colour-blind, and in grey by their markers.
LOOKS = {
    OURS: {"color": "#0072B2", "marker": "o"},
    GRAMS: {"color": "#56B4E9", "marker": "s", "linestyle": "--"},
    PAIRS: {"color": "#E69F00", "marker": "^", "linestyle": "--"},
    PEER: {"color": "#D55E00", "marker": "D"},
    ALL_PAIRS: {"color": "#0072B2", "marker": "o"},
    LAST_JOB: {"color": "#009E73", "marker": "s"},
    ONE_PAIR: {"color": "#E69F00", "marker": "^", "linestyle": "--"},
}


def draw(points, path):
    """The figure: a column an axis, time above memory, with the exponents of the upper half in the legends."""
    figure, axes = plt.subplots(2, len(AXES), figsize=(11, 6.2), sharex="col", layout="constrained")
    for (axis, shown), (above, below) in zip(AXES.items(), axes.T, strict=True):
        for place, measure in ((above, "seconds"), (below, "mib")):
            for series, curve in curves(points, axis, measure).items():
                label = f"{series}: ${shown.symbol}^{{{curve.exponent():.2f}}}$"
                place.loglog(curve.sizes, curve.values, label=label, markersize=4.5, linewidth=1.4, **LOOKS[series])
            place.grid(which="major", color="0.9", linewidth=0.6)
            place.spines[["top", "right"]].set_visible(False)
        if axis == "networks":
            bound = similarity.MEMORY / 2**20
            below.axhline(bound, color="0.3", linewidth=1, linestyle=":", label="bound on Gram matrices")
        above.set_title(shown.fixed.replace(", ", ",\n"), fontsize=9)
        above.set_ylabel("processor s a minibatch")
        below.set_ylabel("peak MiB over imports and inputs")
        below.set_xlabel(f"{axis} ${shown.symbol}$")
        sizes = sorted({point.size for point in points if point.axis == axis})
        below.set_xticks(sizes, [f"{size:,}" for size in sizes])
        below.set_xticks([], minor=True)
        for place in (above, below):
            place.legend(fontsize=8, frameon=False)
            place.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    with io.BytesIO() as picture:
        figure.savefig(picture, dpi=150)
        # A third of the bytes.
        Image.open(picture).convert("RGB").quantize(64).save(path, optimize=True)
    plt.close(figure)


if __name__ == "__main__":
    main()
