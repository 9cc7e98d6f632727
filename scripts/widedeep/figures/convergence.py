"""CKA by number and size of minibatches (paper, appendix A)."""

import numpy as np

from widedeep.figures import style
from widedeep.figures.style import plt


def draw_convergence(table, name, colour_map):
    """Draw CKA by number of minibatches, one column per pair of layers and one curve per batch size.

    The upper row is the unbiased estimator, the lower row the biased one. Curves are medians over repeats, and bands go
    from the smallest to the largest repeat. The dashed line is the full-batch value. Panels with NaN are hatched.

    Args:
        table: DataFrame with first, second, batch_size, repeat, minibatches, unbiased, biased, full_batch.
        name: title of the network.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    sizes = sorted(table.batch_size.unique())
    colours = style.colours_of(colour_map)(np.linspace(0.15, 0.8, len(sizes)))
    pairs = list(table.groupby(["first", "second"], sort=False))
    figure, axes = plt.subplots(2, len(pairs), figsize=(2.7 * len(pairs), 4.6), sharex=True, squeeze=False)
    figure.set_layout_engine("constrained")
    for column, (layers, part) in zip(axes.T, pairs, strict=True):
        for axis, estimator in zip(column, ("unbiased", "biased"), strict=True):
            for colour, (size, lines) in zip(colours, part.groupby("batch_size"), strict=True):
                repeats = lines.groupby("minibatches")[estimator]
                median = repeats.median()
                axis.fill_between(median.index, repeats.min(), repeats.max(), color=colour, alpha=0.25, linewidth=0)
                axis.plot(median.index, median, color=colour, linewidth=1.2, label=f"{size} examples")
            axis.axhline(
                part.full_batch.iloc[0], color="black", linewidth=0.8, linestyle=(0, (4, 2)), label="all at once"
            )
            axis.set_xscale("log")
            axis.tick_params(labelsize=7, length=2)
        column[0].set_title("\n".join(layers), fontsize=7.5)
        # Both estimators of a pair of layers have one scale, which shows the size of the bias.
        values = np.concatenate([axis.dataLim.intervaly for axis in column])
        for axis in column:
            if np.isfinite(values).all():
                axis.set_ylim(values.min() - 0.02, values.max() + 0.02)
            else:  # a layer without CKA
                axis.patch.set(**style.HATCHED)
        column[1].set_xlabel("minibatches", fontsize=7.5)
    for axis, estimator in zip(axes[:, 0], ("unbiased", "biased"), strict=True):
        axis.set_ylabel(f"CKA, {estimator} HSIC", fontsize=7.5)
    axes[1, -1].legend(fontsize=6.5, frameon=False)
    figure.suptitle(name, fontsize=8.5)
    return figure
