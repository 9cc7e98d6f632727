"""Figure 3: CKA with and without first principal components, and these components (also appendix D)."""

from dataclasses import dataclass

import numpy as np

from widedeep.figures import style
from widedeep.figures.heatmaps import Panel, draw_panel, shade_block
from widedeep.measures.kinds import cka, deflated, squared_cosine


@dataclass(frozen=True)
class ComponentRow:
    """One network's row of figure 3.

    Attributes:
        name: title above its first panel.
        side: similarities.Side of its layers.
        cka, squared_cosines, deflated: (layers, layers) CKA, squared cosines of first components, CKA without them.
        share: (layers,) first component's share of the variance over the whole test set; side.share is the share within
            minibatches.
        squared_cosines_in_minibatches: (layers, layers) the same within minibatches; not drawn.
        block: block_structure.Block found in its CKA, outlined in every heatmap and shaded below the curve; or None.
    """

    name: str
    side: object
    cka: np.ndarray
    squared_cosines: np.ndarray
    share: np.ndarray
    deflated: np.ndarray
    squared_cosines_in_minibatches: np.ndarray
    block: object = None


def draw_components(rows, colour_map):
    """Draw figure 3, one row per network: CKA, squared cosines, first component's share by layer, CKA without it.

    Args:
        rows: list of ComponentRow.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = style.colours_of(colour_map)
    figure, axes = style.panels(len(rows), 4)
    for (first, second, third, fourth), row in zip(axes, rows, strict=True):
        for axis, title, values in (
            (first, f"{row.name}\n{cka.MEASURE.title}", row.cka),
            (second, squared_cosine.MEASURE.title, row.squared_cosines),
            (fourth, deflated.MEASURE.title, row.deflated),
        ):
            image = draw_panel(axis, Panel("", title, values, row.side, row.side, block=row.block), colours)
        _draw_share(third, row)
    style.add_scale(figure, image, axes, "CKA, squared cosine")
    return figure


def _draw_share(axis, row):
    """Draw the first component's share by layer, in grey within minibatches, over the shaded block structure."""
    shade_block(axis, row.block)
    positions = np.arange(len(row.share)) + 0.5
    axis.plot(positions, row.side.share, linewidth=0.8, color="0.65")
    axis.plot(positions, row.share, linewidth=0.8, marker=".", markersize=2, color="black")
    axis.set(xlim=(0, len(row.share)), ylim=(0, 1))
    axis.set_box_aspect(1)
    axis.set_title("first component's share of variance", fontsize=8)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axis.tick_params(axis="y", labelsize=7, length=2)
    style.label_layers(axis, "x", row.side.stages, "")
