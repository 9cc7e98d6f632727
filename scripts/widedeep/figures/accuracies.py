"""Heatmaps of accuracies by depth and width (paper, appendix B)."""

import numpy as np

from widedeep.figures import style
from widedeep.figures.style import plt


def draw_accuracies(table, colour_map):
    """Draw heatmaps of mean test accuracy by depth and width, one panel per family and share of the training set.

    Args:
        table: DataFrame with family, fraction, depth, width, test_mean, test_std (accuracies from 0 to 1).
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    import seaborn as sns

    colours = style.colours_of(colour_map)
    panels = list(table.groupby(["family", "fraction"], sort=False))
    grids = [part.pivot(index="depth", columns="width", values=["test_mean", "test_std"]) for _, part in panels]
    shape = [sum(grid["test_mean"].shape[1] for grid in grids), max(len(grid) for grid in grids)]
    ratios = [grid["test_mean"].shape[1] for grid in grids]
    size = (0.75 * shape[0] + 0.9 * len(grids) + 1, 0.4 * shape[1] + 1.1)
    figure, axes = plt.subplots(1, len(grids), figsize=size, squeeze=False, layout="constrained", width_ratios=ratios)
    limits = {"vmin": table.test_mean.min(), "vmax": max(table.test_mean.max(), table.test_mean.min() + 0.01)}
    for axis, ((family, fraction), _), grid in zip(axes[0], panels, grids, strict=True):
        means, spreads = 100 * grid["test_mean"], 100 * grid["test_std"]
        words = means.map(lambda mean: f"{mean:.1f}") + spreads.map(
            lambda std: "" if np.isnan(std) else f"\n± {std:.1f}"
        )
        look = {"fmt": "", "annot_kws": {"fontsize": 7}, "cmap": colours, "linewidths": 0.5, "cbar": False}
        sns.heatmap(means / 100, annot=words, ax=axis, **look, **limits)
        axis.set_title(f"{family}, {100 * fraction:g}% of data", fontsize=8)
        axis.set_xlabel("width multiplier", fontsize=7)
        axis.set_ylabel("depth", fontsize=7)
        axis.set_xticklabels([f"{width:g}" for width in means.columns])
        axis.tick_params(labelsize=7, length=0)
    bar = figure.colorbar(axes[0][0].collections[0], ax=axes, aspect=18, format="{x:.0%}")
    bar.set_label("test accuracy, mean over seeds", fontsize=7)
    bar.ax.tick_params(labelsize=7, length=2)
    return figure
