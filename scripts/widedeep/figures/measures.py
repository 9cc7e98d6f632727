"""Figure 1 by other measures of similarity: does the block structure depend on CKA?"""

import math
from dataclasses import dataclass

import numpy as np

from widedeep.figures import style
from widedeep.figures.heatmaps import draw_panel


@dataclass(frozen=True)
class MeasureRow:
    """A row of panels by one measure.

    Attributes:
        measure: name of the measure.
        title: title of the measure, beside the row's colour scale.
        panels: list of heatmaps.Panel with values.
    """

    measure: str
    title: str
    panels: list


def draw_measures(rows, colour_map):
    """Draw rows of heatmaps. All rows of a measure share a colour scale, from its lowest value to 1.

    The measures differ in their ranges, so one scale for all of them would hide the blocks of some.

    Args:
        rows: list of MeasureRow.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = style.colours_of(colour_map)
    lowest = {row.measure: _lowest(other for other in rows if other.measure == row.measure) for row in rows}
    figure, axes = style.panels(len(rows), max(len(row.panels) for row in rows))
    for place, row in enumerate(rows):
        for axis, panel in zip(axes[place], row.panels, strict=False):
            image = draw_panel(axis, panel, colours, lowest[row.measure])
        for axis in axes[place, len(row.panels) :]:
            axis.set_axis_off()
        style.add_scale(figure, image, axes[place : place + 1], row.title, lowest[row.measure])
    return figure


def _lowest(rows):
    """Lower end of the scale of some rows: their lowest value, rounded down to a multiple of 0.1, at most 0.9."""
    values = np.concatenate([panel.values.ravel() for row in rows for panel in row.panels])
    lowest = np.min(values, initial=0.99, where=np.isfinite(values))
    return math.floor(10 * lowest) / 10
