"""Figure 4: linear probes and deleted residual blocks beside CKA (also appendix E)."""

from dataclasses import dataclass

import numpy as np

from widedeep.figures import style
from widedeep.figures.heatmaps import Panel, draw_panel, shade_block


@dataclass(frozen=True)
class ResidualBlockRow:
    """One network's row of figure 4.

    Attributes:
        name: title above its first panel.
        side: similarities.Side of its layers.
        cka: (layers, layers).
        block: block_structure.Block found in its CKA; None if it has too few residual blocks.
        accuracy: test accuracy of the whole network.
        panels: dict from a panel's title to its curves. Curves are a dict from label to (indices of layers, accuracies,
            stages), and have gaps between stages.
    """

    name: str
    side: object
    cka: np.ndarray
    block: object
    accuracy: float
    panels: dict


def draw_residual_blocks(rows, colour_map):
    """Draw figure 4, one row per network: CKA, and beside it curves of accuracy on the same layer axis.

    The block structure is outlined in the heatmap, and its layers are shaded behind the curves. The dashed line is the
    whole network's accuracy.

    Args:
        rows: list of ResidualBlockRow with the same panels.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = style.colours_of(colour_map)
    figure, axes = style.panels(len(rows), 1 + len(rows[0].panels))
    for (heatmap, *others), row in zip(axes, rows, strict=True):
        panel = Panel("", f"{row.name}\nCKA", row.cka, row.side, row.side, block=row.block)
        image = draw_panel(heatmap, panel, colours)
        for axis, (title, curves) in zip(others, row.panels.items(), strict=True):
            _draw_curves(axis, title, curves, row)
    style.add_scale(figure, image, axes[:, 0], "CKA")
    return figure


def _draw_curves(axis, title, curves, row):
    """Draw curves of accuracy by layer; shade the layers of the block structure."""
    shade_block(axis, row.block)
    axis.axhline(row.accuracy, color="0.4", linewidth=0.7, linestyle=(0, (4, 2)))
    for (label, (positions, values, stages)), colour in zip(curves.items(), style.COLOURS, strict=False):
        look = {"linewidth": 0.9, "marker": ".", "markersize": 4, "color": colour}
        borders = style.stage_borders(list(stages))
        axis.plot(np.insert(positions + 0.5, borders, np.nan), np.insert(values, borders, np.nan), label=label, **look)
    lowest = min([row.accuracy, *(values.min() for _, values, _ in curves.values())])
    # The axis ends just below the lowest accuracy, so that curves of good probes still show their shape.
    axis.set(xlim=(0, len(row.cka)), ylim=(max(0, np.floor(10 * lowest) / 10 - 0.1), 1))
    axis.set_box_aspect(1)
    axis.set_title(title, fontsize=8)
    axis.set_ylabel("test accuracy", fontsize=7)
    axis.yaxis.set_major_formatter("{x:.3g}")
    axis.tick_params(axis="y", labelsize=7, length=2)
    axis.legend(fontsize=6, frameon=False, loc="lower right", handlelength=1.2)
    style.label_layers(axis, "x", row.side.stages, "")
