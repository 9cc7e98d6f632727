"""Measurements along an axis: their file, exponents, tables and figure, for growth.py."""

import csv
import io
from dataclasses import astuple, dataclass, fields

import matplotlib
import numpy as np
from pairs import PEER
from PIL import Image
from traps import row

from widedeep.measures.memory import AT_ONCE

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)

# Sizes that stay fixed while another one grows.
BATCH_SIZE, LAYERS_OF_BATCH, WIDTH = 256, 100, 1024
# So many that the Gram matrices of the largest comparison take more than is held at once.
LAYERS_OF_DUMP = 40
OURS, GRAMS, PAIRS = "ours", "Gram matrices", "pairs of layers"
ALL_PAIRS, LAST_JOB, ONE_PAIR = "all pairs", "largest job", "one pair"


@dataclass(frozen=True)
class Axis:
    """A size that grows.

    Attributes:
        symbol: of the size in formulas.
        fixed: the sizes that stay, in words.
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
        axis: key of AXES.
        size: along the axis.
        series: name of what was measured.
        seconds: processor seconds, median of rounds.
        mib: peak memory above that of imports and inputs, in MiB; None for a part of the work.
    """

    axis: str
    size: int
    series: str
    seconds: float
    mib: float | None = None


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
        # Memory below the resolution of the system is 0, and cannot be fitted.
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


# The colour-blind can tell the colours apart, and the markers differ in grey.
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
    """Draw the figure: a column an axis, time above memory, with the exponents of the upper half in the legends."""
    figure, axes = plt.subplots(2, len(AXES), figsize=(11, 6.2), sharex="col", layout="constrained")
    for (axis, shown), (above, below) in zip(AXES.items(), axes.T, strict=True):
        for place, measure in ((above, "seconds"), (below, "mib")):
            for series, curve in curves(points, axis, measure).items():
                label = f"{series}: ${shown.symbol}^{{{curve.exponent():.2f}}}$"
                place.loglog(curve.sizes, curve.values, label=label, markersize=4.5, linewidth=1.4, **LOOKS[series])
            place.grid(which="major", color="0.9", linewidth=0.6)
            place.spines[["top", "right"]].set_visible(False)
        if axis == "networks":
            bound = AT_ONCE / 2**20
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
