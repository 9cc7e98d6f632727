"""Figure 6: predictions of wide and deep networks. Appendix G: agreement of predictions."""

import matplotlib
import numpy as np

from widedeep.figures import style
from widedeep.figures.style import plt


def draw_examples(table, summary, pictures, colour_map):
    """Draw figure 6 by example: accuracies in two sets of seeds, a control, sorted differences, and pictures.

    Args:
        table: DataFrame with one line per example: wide, deep, control_first, control_second, each the share of the
            seeds in a set that predict the right class.
        summary: mapping with wide, deep (names), seeds_a_set, p.
        pictures: list of (text, (channels, height, width) uint8 image).
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = style.colours_of(colour_map)
    figure = plt.figure(figsize=(7.6, 4.5), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.75, 1])
    axes = above.subplots(1, 3, width_ratios=[1, 1, 1.1])
    seeds = summary["seeds_a_set"]
    sets = f"{seeds} seeds each" if seeds > 1 else "1 seed each"
    panels = (("wide", "deep", "wide against deep"), ("control_first", "control_second", "control: same model"))
    for axis, (first, second, title) in zip(axes, panels, strict=False):
        image = _draw_counts(axis, table[first], table[second], seeds, colours)
        axis.set_title(f"{title}\n{sets}", fontsize=8)
    axes[0].set(xlabel=summary["deep"], ylabel=summary["wide"])
    axes[1].set(xlabel="other seeds", ylabel="seeds of one set")
    bar = above.colorbar(image, ax=axes[:2], aspect=18, shrink=0.8)
    bar.set_label("test examples", fontsize=7)
    bar.ax.tick_params(labelsize=6.5, length=2)
    for (first, second, _), label, colour in zip(panels, ("wide, deep", "control"), style.COLOURS, strict=False):
        differences = np.sort(np.abs(table[first] - table[second]))[::-1]
        axes[2].plot(np.arange(1, len(differences) + 1) / len(differences), differences, label=label, color=colour)
    axes[2].set_title(f"differences, sorted\npermutation test: p = {summary['p']:.2g}", fontsize=8)
    axes[2].set(xlabel="share of test examples", ylabel="absolute difference of accuracy", ylim=(0, 1.02))
    axes[2].set_xscale("log")
    axes[2].legend(fontsize=6.5, frameon=False)
    for axis in axes:
        axis.set_box_aspect(1)
        axis.tick_params(labelsize=6.5, length=2)
        axis.xaxis.label.set_fontsize(7)
        axis.yaxis.label.set_fontsize(7)
    _draw_pictures(below, pictures)
    return figure


def draw_classes(table, wide, deep):
    """Draw figure 6 by class: differences of accuracy with their 95 % intervals, filled if q is below 0.05.

    Args:
        table: DataFrame with class, difference, low, high, q (accuracies from 0 to 1).
        wide, deep: names of the configurations.

    Returns:
        matplotlib Figure
    """
    # If there are many classes, the 20 that differ most in each direction.
    ordered = table.sort_values("difference", ignore_index=True)
    if len(ordered) > 40:
        ordered = ordered.iloc[[*range(20), *range(len(ordered) - 20, len(ordered))]].reset_index(drop=True)
    figure, axis = plt.subplots(figsize=(4.6, 0.22 * len(ordered) + 1.1), layout="constrained")
    axis.axvline(0, color="0.6", linewidth=0.7)
    for position, line in ordered.iterrows():
        differs = line.q < 0.05
        axis.plot([100 * line.low, 100 * line.high], [position] * 2, color="0.3", linewidth=0.9)
        look = {"color": "black", "markerfacecolor": "black" if differs else "white", "markersize": 4.5}
        axis.plot(100 * line.difference, position, marker="o", linestyle="none", **look)
    axis.set_yticks(np.arange(len(ordered)), map(style.as_it_is, ordered["class"]), fontsize=7)
    axis.tick_params(axis="x", labelsize=7, length=2)
    axis.set_xlabel(f"accuracy of {wide}\nless {deep}, percentage points", fontsize=7)
    axis.set_title("95 % intervals; filled: q < 0.05 after Benjamini and Hochberg", fontsize=7.5)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_agreement(table, colour_map):
    """Draw table G: agreement, both kappas, KL divergence and Hellinger distance of all pairs of configurations.

    Undefined values are hatched.

    Args:
        table: DataFrame with first, second, agreement, kappa, kappa_errors, kl, hellinger.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    import seaborn as sns

    colours = style.colours_of(colour_map)
    names = list(dict.fromkeys(table["first"]))
    side = 0.62 * len(names) + 1.5
    panels = {
        "agreement": "agreement of predictions",
        "kappa": "Cohen's kappa of errors",
        "kappa_errors": "Cohen's kappa of predictions\namong common errors",
        "kl": "KL divergence (nats)",
        "hellinger": "Hellinger distance",
    }
    places = [["agreement", "kappa", "kappa_errors"], ["kl", "hellinger", "."]]
    figure, axes = plt.subplot_mosaic(places, figsize=(3 * side, 2 * side + 1.2), layout="constrained")
    for key, title in panels.items():
        axis = axes[key]
        values = table.pivot(index="first", columns="second", values=key).loc[names, names]
        sns.heatmap(
            values, annot=True, fmt=".2f", annot_kws={"fontsize": 7}, cmap=colours, cbar=False, square=True, ax=axis
        )
        axis.patch.set(**style.HATCHED)
        axis.set_title(title, fontsize=8)
        axis.set(xlabel="", ylabel="")
        axis.tick_params(labelsize=6.5, length=0)
        axis.set_xticklabels(axis.get_xticklabels(), rotation=40, ha="right")
        axis.set_yticklabels(axis.get_yticklabels() if key in ("agreement", "kl") else [], rotation=0)
    return figure


def _draw_counts(axis, first, second, seeds, colours):
    """Draw a histogram of examples by their accuracies in two sets of `seeds` seeds each, in logarithmic colours."""
    edges = (np.arange(seeds + 2) - 0.5) / seeds
    counts, _, _ = np.histogram2d(first, second, bins=[edges, edges])
    scale = matplotlib.colors.LogNorm(1, max(counts.max(), 2))
    image = axis.pcolormesh(edges, edges, np.ma.masked_equal(counts, 0), norm=scale, cmap=colours, rasterized=True)
    if seeds <= 5:
        for row, column in np.ndindex(counts.shape):
            _write_in(axis, (column / seeds, row / seeds), int(counts[row, column]), image)
    axis.set_xticks([0, 0.5, 1] if seeds > 1 else [0, 1])
    axis.set_yticks([0, 0.5, 1] if seeds > 1 else [0, 1])
    axis.patch.set_facecolor("0.95")
    return image


def _write_in(axis, place, count, image):
    """Write a count into its cell, dark on light or light on dark; 0 is not written."""
    if count:
        red, green, blue, _ = image.cmap(image.norm(count))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        axis.text(*place, count, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")


def _draw_pictures(place, pictures):
    """Draw images in a row with text above; the list may be empty."""
    axes = place.subplots(1, max(len(pictures), 8), squeeze=False)[0]
    for axis in axes[len(pictures) :]:
        axis.set_axis_off()
    for axis, (words, image) in zip(axes, pictures, strict=False):
        pixels = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none")
        axis.set_title(style.as_it_is(words), fontsize=6)
        axis.set_axis_off()
