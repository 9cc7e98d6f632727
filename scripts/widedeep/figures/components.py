"""First principal components beside CKA with and without them (paper, figure 3 and appendix D)."""

from dataclasses import dataclass

import numpy as np

from widedeep.figures import style
from widedeep.figures.heatmaps import Panel, draw_panel


@dataclass(frozen=True)
class ComponentRow:
    """One network's row of figure 3.

    Attributes:
        name: of the network, above its first panel.
        side: similarities.Side of its layers.
        cka, agreement, deflated: (layers, layers): CKA, squared cosine of first components, CKA without them.
        share: (layers,) the first component's share of the variance; `side` has that in minibatches.
        agreement_in_minibatches: (layers, layers) squared cosine of the first components of a minibatch; not drawn.
    """

    name: str
    side: object
    cka: np.ndarray
    agreement: np.ndarray
    share: np.ndarray
    deflated: np.ndarray
    agreement_in_minibatches: np.ndarray


def draw_components(rows, colour_map):
    """Figure 3: for each network CKA, squared cosines, the first component's share by layer, CKA without it.

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
    for (cka, agreement, share, deflated), row in zip(axes, rows, strict=True):
        for axis, title, values in (
            (cka, f"{row.name}\nCKA", row.cka),
            (agreement, "squared cosine of first components", row.agreement),
            (deflated, "CKA without first component", row.deflated),
        ):
            image = draw_panel(axis, Panel("", title, values, row.side, row.side), colours)
        _draw_share(share, row)
    style.add_scale(figure, image, axes, "CKA, squared cosine")
    return figure


def _draw_share(axis, row):
    """The first component's share of the variance, layer by layer, grey in minibatches; a gap for a constant layer."""
    positions = np.arange(len(row.share)) + 0.5
    axis.plot(positions, row.side.share, linewidth=0.8, color="0.65")
    axis.plot(positions, row.share, linewidth=0.8, marker=".", markersize=2, color="black")
    axis.set(xlim=(0, len(row.share)), ylim=(0, 1))
    axis.set_box_aspect(1)
    axis.set_title("first component's share of variance", fontsize=8)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axis.tick_params(axis="y", labelsize=7, length=2)
    style.label_layers(axis, "x", row.side.stages, "")
