"""Figure 4: linear probes and deleted residual blocks beside CKA (also appendix E)."""

from dataclasses import dataclass

import numpy as np

from widedeep.figures import style
from widedeep.figures.heatmaps import Panel, draw_panel


@dataclass(frozen=True)
class ResidualBlockRow:
    """One network's row of figure 4.

    Attributes:
        name: title above its first panel.
        side: similarities.Side of its layers.
        cka: (layers, layers).
        in_block: (layers,) bool, whether a layer belongs to the block structure.
        accuracy: test accuracy of the whole network.
        panels: dict from a panel's title to its curves. Curves are a dict from label to (indices of layers, accuracies,
            stages), and have gaps between stages.
    """

    name: str
    side: object
    cka: np.ndarray
    in_block: np.ndarray
    accuracy: float
    panels: dict


def draw_residual_blocks(rows, colour_map):
    """Draw figure 4, one row per network: CKA, and beside it curves of accuracy on the same layer axis.

    Layers of the block structure are shaded. The dashed line is the whole network's accuracy.

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
        image = draw_panel(heatmap, Panel("", f"{row.name}\nCKA", row.cka, row.side, row.side), colours)
        for axis, (title, curves) in zip(others, row.panels.items(), strict=True):
            _draw_curves(axis, title, curves, row)
    style.add_scale(figure, image, axes[:, 0], "CKA")
    return figure


def _draw_curves(axis, title, curves, row):
    """Draw curves of accuracy by layer; shade the layers of the block structure."""
    layers = len(row.in_block)
    axis.fill_between(
        np.arange(layers + 1), 0, 1, np.append(row.in_block, False), step="post", color="0.88", linewidth=0
    )
    axis.axhline(row.accuracy, color="0.4", linewidth=0.7, linestyle=(0, (4, 2)))
    for (label, (positions, values, stages)), colour in zip(curves.items(), style.COLOURS, strict=False):
        look = {"linewidth": 0.9, "marker": ".", "markersize": 4, "color": colour}
        borders = style.stage_borders(list(stages))
        axis.plot(np.insert(positions + 0.5, borders, np.nan), np.insert(values, borders, np.nan), label=label, **look)
    lowest = min([row.accuracy, *(values.min() for _, values, _ in curves.values())])
    # The axis ends just below the lowest accuracy, so that curves of good probes still show their shape.
    axis.set(xlim=(0, layers), ylim=(max(0, np.floor(10 * lowest) / 10 - 0.1), 1))
    axis.set_box_aspect(1)
    axis.set_title(title, fontsize=8)
    axis.set_ylabel("test accuracy", fontsize=7)
    axis.yaxis.set_major_formatter("{x:.3g}")
    axis.tick_params(axis="y", labelsize=7, length=2)
    axis.legend(fontsize=6, frameon=False, loc="lower right", handlelength=1.2)
    style.label_layers(axis, "x", row.side.stages, "")
