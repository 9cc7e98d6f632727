"""The look that all figures share: colours, panels, layer axes. Also saves figures with their tables."""

import matplotlib

matplotlib.use("Agg")
# Not those of a user's matplotlibrc, with which figures would look different, or ask for LaTeX.
matplotlib.rcdefaults()

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)
import numpy as np  # noqa: E402

from widedeep.runtime import files  # noqa: E402
from widedeep.runtime.errors import UserError  # noqa: E402

_PANEL_INCHES = 2.3
_ROW_INCHES = _PANEL_INCHES + 0.75
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
    for path in paths:
        with files.replacing(path) as unfinished:
            if path.endswith(".csv"):
                table.to_csv(unfinished, index=False, float_format="%.6f")
            else:
                # Without a date the same values give the same file.
                date = {"CreationDate": None} if path.endswith(".pdf") else {}
                figure.savefig(unfinished, dpi=200, metadata=date)


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


def label_layers(axis, which, stages, label):
    """Name the stages on a layer axis, mark their borders, and number their first layers with small ticks.

    Args:
        axis: matplotlib Axes.
        which: `x` or `y`.
        stages: list of the layers' stages in forward order; 0 is none.
        label: name of the network, "" for none.
    """
    line = axis.axvline if which == "x" else axis.axhline
    for border in stage_borders(stages):
        line(border, color="white", linewidth=0.7, alpha=0.9)
        line(border, color="black", linewidth=0.35, linestyle=(0, (2, 2)))
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
