"""Heatmaps of similarity between layers (paper, figures 1, 2 and 5, appendices C and F)."""

from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Rectangle

from widedeep.analysis.block_structure import rounded_down
from widedeep.figures import style
from widedeep.formats.metrics import accuracy, network_title

_OUTLINE = "#00d5ff"


@dataclass(frozen=True)
class Panel:
    """One heatmap.

    Attributes:
        row: name of its row of panels.
        title: text above it.
        values: (layers of first, layers of second), NaN where undefined; None for an empty place.
        first, second: similarities.Side of the layers on the vertical and on the horizontal axis.
        labels: names of the two networks for these axes.
        block: block_structure.Block of a network with itself, which is outlined if it is a block structure; or None.
    """

    row: str
    title: str
    values: np.ndarray | None = None
    first: object = None
    second: object = None
    labels: tuple = ("", "")
    block: object = None


def draw_heatmaps(panels, colour_map):
    """Draw rows of heatmaps with borders between stages, and one colour scale from 0 to 1.

    Layer 0 is at the lower left, as in the paper. A network's block structure is outlined. Undefined values are
    hatched. The unbiased estimator can leave [0, 1] slightly; such values get the colour of the nearest end of the
    scale.

    Args:
        panels: list of Panel.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = style.colours_of(colour_map)
    rows = {name: [panel for panel in panels if panel.row == name] for name in dict.fromkeys(p.row for p in panels)}
    columns = max(len(row) for row in rows.values())
    figure, axes = style.panels(len(rows), columns)
    image = None
    for axes_row, row in zip(axes, rows.values(), strict=True):
        for axis, panel in zip(axes_row, [*row, *[None] * (columns - len(row))], strict=True):
            if panel is None or panel.values is None:
                axis.set_axis_off()
            else:
                image = draw_panel(axis, panel, colours)
    style.add_scale(figure, image, axes, "CKA")
    return figure


def draw_panel(axis, panel, colours, lowest=0):
    """Draw one heatmap.

    Args:
        axis: matplotlib Axes.
        panel: Panel with values.
        colours: matplotlib colour map.
        lowest: value at the lower end of the colour scale; the upper end is 1.

    Returns:
        the matplotlib image
    """
    # imshow embeds a bitmap even in a PDF: a ResNet-164 has 330,000 cells. seaborn's heatmap would draw the whole
    # figure for each panel to see whether labels overlap.
    values = np.ma.masked_invalid(panel.values)
    place = (0, values.shape[1], 0, values.shape[0])
    look = {"aspect": "auto", "interpolation": "none", "cmap": colours}
    image = axis.imshow(values, vmin=lowest, vmax=1, origin="lower", extent=place, **look)
    axis.set_box_aspect(1)  # also where the two networks differ in depth
    axis.patch.set(**style.HATCHED)
    axis.set_title(panel.title, fontsize=8)
    for side, which, label in ((panel.second, "x", panel.labels[1]), (panel.first, "y", panel.labels[0])):
        style.label_layers(axis, which, side.stages, label)
    if panel.block and panel.block.is_block:
        start, length = panel.block.start, panel.block.stop - panel.block.start
        axis.add_patch(Rectangle((start, start), length, length, fill=False, edgecolor="black", linewidth=1.8))
        axis.add_patch(Rectangle((start, start), length, length, fill=False, edgecolor=_OUTLINE, linewidth=1.1))
    for spine in axis.spines.values():
        spine.set(visible=True, linewidth=style.width_of_lines(0.5, max(values.shape)))
    return image


def title_of(label, known, block):
    """The title of a network: its name, and below it accuracy and contrast.

    Args:
        label: of the network.
        known: metrics by label, from metrics.read.
        block: block_structure.Block, or None.
    """
    contrast = f"contrast {rounded_down(block.contrast):.3f}" if block else "too few residual blocks"
    return f"{network_title(label, known)}\naccuracy {accuracy(label, known)}, {contrast}"


def shade_block(axis, block):
    """Shade the layers of the block structure on an axis of layers, if there is one."""
    if block and block.is_block:
        axis.axvspan(block.start, block.stop, color="0.88", linewidth=0)
