"""The look that all figures share: colours, panels, layer axes. Also saves figures with their tables."""

import matplotlib

matplotlib.use("Agg")
# Not those of a user's matplotlibrc, with which figures would look different, or ask for LaTeX.
matplotlib.rcdefaults()

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)
import numpy as np  # noqa: E402
from matplotlib.transforms import Bbox  # noqa: E402

from widedeep.runtime import files  # noqa: E402
from widedeep.runtime.errors import UserError  # noqa: E402

_PANEL_INCHES = 2.3
_ROW_INCHES = _PANEL_INCHES + 0.75
# Pixels an inch of a PNG: the first with which heatmaps keep this share of their size, or else the largest share.
_RESOLUTIONS, _KEPT = range(200, 601, 4), 0.97
# Fonts that can be edited in a PDF, as publishers ask.
plt.rcParams["pdf.fonttype"] = 42
# Background of a panel, visible where values are undefined.
HATCHED = {"facecolor": "0.9", "edgecolor": "0.5", "hatch": "////", "linewidth": 0}
# Colours of curves that the colour-blind can tell apart.
COLOURS = plt.style.library["seaborn-v0_8-colorblind"]["axes.prop_cycle"].by_key()["color"]


def save(figure, table, paths):
    """Write a figure to each .pdf and .png of `paths`, and its table to each .csv; each file completely or not at all.

    Args:
        figure: matplotlib Figure.
        table: DataFrame with all values that are drawn.
        paths: list of str.
    """
    # Lay out once for all files: with many panels that takes as long as drawing them.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    dpi = _with_whole_pixels(figure)
    for path in paths:
        with files.replacing(path) as unfinished:
            if path.endswith(".csv"):
                table.to_csv(unfinished, index=False, float_format="%.6f")
            else:
                # Without a date the same values give the same file.
                date = {"CreationDate": None} if path.endswith(".pdf") else {}
                figure.savefig(unfinished, dpi=dpi, metadata=date)


def _with_whole_pixels(figure):
    """Shrink the images of a figure until each cell has a whole number of pixels; return the resolution for that.

    Otherwise some layers of a heatmap would be drawn wider than others, or not at all.

    Args:
        figure: matplotlib Figure that is laid out.
    """
    images = [image for axis in figure.axes for image in axis.images]
    if not images:
        return _RESOLUTIONS[0]
    boxes = [image.axes.get_window_extent() for image in images]
    inches = [np.array(box.size) / figure.dpi for box in boxes]
    cells = [np.array(image.get_array().shape[1::-1]) for image in images]
    each = {dpi: [size * dpi // count for size, count in zip(inches, cells, strict=True)] for dpi in _RESOLUTIONS}

    def share_kept(dpi):
        return min(
            (pixels * count / (size * dpi)).min() for pixels, count, size in zip(each[dpi], cells, inches, strict=True)
        )

    dpi = max(each, key=lambda dpi: min(share_kept(dpi), _KEPT))
    middles = [figure.transFigure.inverted().transform((box.p0 + box.p1) / 2) for box in boxes]
    whole = np.round(figure.get_size_inches() * dpi)
    figure.set_size_inches(whole / dpi)
    for image, middle, pixels, count in zip(images, middles, each[dpi], cells, strict=True):
        size = np.maximum(pixels, 1) * count
        corner = np.round(middle * whole - size / 2)
        # Places of axes are shares of their subfigure.
        share_of_part = figure.transFigure - image.axes.figure.transSubfigure
        image.axes.set_box_aspect(None)
        image.axes.set_position(Bbox([corner / whole, (corner + size) / whole]).transformed(share_of_part))
    return dpi


def as_it_is(name):
    """Escape a name from a user's data, in which matplotlib would read $ as the start of a formula."""
    return str(name).replace("$", r"\$")


def colours_of(colour_map):
    """Return the colour map of a name in matplotlib or seaborn.

    Raises:
        UserError: the colour map is unknown.
    """
    if colour_map in matplotlib.colormaps:
        return matplotlib.colormaps[colour_map]
    import seaborn as sns  # takes a second to import, and few figures need it

    try:
        return sns.color_palette(colour_map, as_cmap=True)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise UserError(
            f"colour map '{colour_map}' is unknown; use magma, viridis or another one of matplotlib."
        ) from None


def panels(rows, columns):
    """Make a figure of rows x columns square panels.

    Returns:
        (matplotlib Figure, (rows, columns) array of Axes)
    """
    size = ((_PANEL_INCHES + 0.45) * columns + 0.9, _ROW_INCHES * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08)  # keeps an axis' label off the panel on its left
    return figure, axes


def add_scale(figure, image, axes, name, lowest=0):
    """Add one colour scale for the panels of some rows, (rows, ...) axes; its numbers are from `lowest` to 1."""
    height = len(axes) * _ROW_INCHES
    ticks = np.linspace(lowest, 1, 5)
    shrink = min(1, 2.2 / height + 0.2)
    bar = figure.colorbar(image, ax=axes, shrink=shrink, aspect=18, ticks=ticks, format="%.2f")
    bar.set_label(name, fontsize=8)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_linewidth(0.5)


def stage_borders(stages):
    """Indices of the layers at which a new stage begins, from the stages of all layers in forward order."""
    return [position for position in range(1, len(stages)) if stages[position] != stages[position - 1]]


def width_of_lines(widest, layers):
    """Width in points of lines on a heatmap of so many layers, of which they hide none; at most `widest`."""
    return min(widest, 0.2 * 72 * _PANEL_INCHES / layers)


def label_layers(axis, which, stages, label):
    """Name the stages on a layer axis, mark their borders, and number their first layers with small ticks.

    Args:
        axis: matplotlib Axes.
        which: `x` or `y`.
        stages: list of the layers' stages in forward order; 0 is none.
        label: name of the network, "" for none.
    """
    line = axis.axvline if which == "x" else axis.axhline
    wide = width_of_lines(0.7, len(stages))
    for border in stage_borders(stages):
        line(border, color="white", linewidth=wide, alpha=0.9)
        line(border, color="black", linewidth=wide / 2, linestyle=(0, (2, 2)))
    one_axis = axis.xaxis if which == "x" else axis.yaxis
    numbered = np.array(stages)
    across = {"rotation": 90, "va": "center"} if which == "y" else {"rotation": 0}
    # Major ticks are the names of the stages.
    named = [stage for stage in np.unique(numbered) if stage]
    middles = [np.flatnonzero(numbered == stage).mean() + 0.5 for stage in named]
    one_axis.set_ticks(middles, [f"stage {stage}" for stage in named], fontsize=6.5, **across)
    one_axis.set_tick_params(which="major", length=0, pad=8)
    # Minor ticks number the first layers. They come after the major ones, which replace the default ticks: a number at
    # the place of a default tick would not get its font.
    first_layers = [int(np.argmax(numbered == stage)) for stage in named]
    one_axis.set_ticks(first_layers, [str(layer) for layer in first_layers], minor=True, fontsize=5.5, **across)
    one_axis.set_tick_params(which="minor", length=2, pad=1, width=0.5)
    one_axis.set_label_text(f"{label} ({len(stages)} layers)" if label else f"{len(stages)} layers", fontsize=7)
