"""Heatmaps of similarities between layers, as the paper draws them."""

from dataclasses import dataclass

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)
import numpy as np  # noqa: E402

from widedeep import files  # noqa: E402
from widedeep.errors import UserError  # noqa: E402

_PANEL_INCHES = 2.3
# The ground of a panel, seen where a value is undefined.
_HATCHED = {"facecolor": "0.9", "edgecolor": "0.5", "hatch": "////", "linewidth": 0}
# Apart for the colour-blind too.
_COLOURS = plt.style.library["seaborn-v0_8-colorblind"]["axes.prop_cycle"].by_key()["color"]


@dataclass(frozen=True)
class Panel:
    """One heatmap.

    Attributes:
        row: name of the row of panels that it belongs to.
        title: above it.
        values: (layers of first, layers of second), NaN where undefined; None for an empty place.
        first, second: similarities.Side, drawn upwards and to the right.
        labels: names of the two networks for the vertical and the horizontal axis.
    """

    row: str
    title: str
    values: np.ndarray | None = None
    first: object = None
    second: object = None
    labels: tuple = ("", "")


def draw_heatmaps(panels, colour_map):
    """A figure of rows of heatmaps with stage borders and one colour scale from 0 to 1.

    Layer 0 is at the lower left, as in the paper. What is undefined is hatched. The unbiased estimator can be slightly
    outside of [0, 1]; such values take the colour of the end.

    Args:
        panels: list of Panel.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = colours_of(colour_map)
    rows = {name: [panel for panel in panels if panel.row == name] for name in dict.fromkeys(p.row for p in panels)}
    columns = max(len(row) for row in rows.values())
    figure, axes = _panels(len(rows), columns)
    image = None
    for axes_row, row in zip(axes, rows.values(), strict=True):
        for axis, panel in zip(axes_row, [*row, *[None] * (columns - len(row))], strict=True):
            if panel is None or panel.values is None:
                axis.set_axis_off()
            else:
                image = _draw(axis, panel, colours)
    _add_scale(figure, image, axes, "CKA")
    return figure


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
    colours = colours_of(colour_map)
    figure, axes = _panels(len(rows), 4)
    for (cka, agreement, share, deflated), row in zip(axes, rows, strict=True):
        for axis, title, values in (
            (cka, f"{row.name}\nCKA", row.cka),
            (agreement, "squared cosine of first components", row.agreement),
            (deflated, "CKA without first component", row.deflated),
        ):
            image = _draw(axis, Panel("", title, values, row.side, row.side), colours)
        _draw_share(share, row)
    _add_scale(figure, image, axes, "CKA, squared cosine")
    return figure


@dataclass(frozen=True)
class BlockRow:
    """One network's row of figure 4.

    Attributes:
        name: of the network, above its first panel.
        side: similarities.Side of its layers.
        cka: (layers, layers).
        in_block: (layers,) bool, the layers of the block structure.
        accuracy: of the whole network on the test set.
        panels: dict from title to curves, each a dict from label to (positions on the layer axis, accuracies, stages);
            a curve has a gap between two stages.
    """

    name: str
    side: object
    cka: np.ndarray
    in_block: np.ndarray
    accuracy: float
    panels: dict


def draw_blocks(rows, colour_map):
    """Figure 4: for each network CKA, and beside it, on the same layer axis, curves of accuracy.

    The layers of the block structure are shaded; the dashed line is the whole network's accuracy.

    Args:
        rows: list of BlockRow, with equal titles.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = colours_of(colour_map)
    figure, axes = _panels(len(rows), 1 + len(rows[0].panels))
    for (heatmap, *others), row in zip(axes, rows, strict=True):
        image = _draw(heatmap, Panel("", f"{row.name}\nCKA", row.cka, row.side, row.side), colours)
        for axis, (title, curves) in zip(others, row.panels.items(), strict=True):
            _draw_curves(axis, title, curves, row)
    _add_scale(figure, image, axes[:, 0], "CKA")
    return figure


def draw_examples(table, summary, pictures, colour_map):
    """Figure 6, examples: counts of examples by their accuracy in two sets of seeds, beside a control, and pictures.

    Args:
        table: DataFrame with wide, deep, control_first, control_second: shares of seeds by example.
        summary: mapping with wide, deep (names), seeds_a_set, difference, control, p.
        pictures: list of (words, uint8 (channels, height, width)).
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    colours = colours_of(colour_map)
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
    for (first, second, _), label, colour in zip(panels, ("wide, deep", "control"), _COLOURS, strict=False):
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
    """Figure 6, classes: difference of accuracy by class with its 95 % interval, filled where q is below 0.05.

    Args:
        table: DataFrame with class, difference, low, high, q (fractions of 1).
        wide, deep: names of the configurations.

    Returns:
        matplotlib Figure
    """
    # Of many classes those that differ most, to either side.
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
    axis.set_yticks(np.arange(len(ordered)), map(_as_it_is, ordered["class"]), fontsize=7)
    axis.tick_params(axis="x", labelsize=7, length=2)
    axis.set_xlabel(f"accuracy of {wide}\nless {deep}, percentage points", fontsize=7)
    axis.set_title("95 % intervals; filled: q < 0.05 after Benjamini and Hochberg", fontsize=7.5)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_agreement(table, colour_map):
    """Appendix G: agreement, KL divergence and Hellinger distance of all pairs of configurations, values written in.

    What is undefined is hatched.

    Args:
        table: DataFrame with first, second, agreement, kl, hellinger.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    import seaborn as sns

    colours = colours_of(colour_map)
    names = list(dict.fromkeys(table["first"]))
    side = 0.62 * len(names) + 1.5
    figure, axes = plt.subplots(1, 3, figsize=(3 * side, side + 0.9), layout="constrained")
    panels = (
        ("agreement", "agreement of predictions"),
        ("kl", "KL divergence (nats)"),
        ("hellinger", "Hellinger distance"),
    )
    for axis, (key, title) in zip(axes, panels, strict=True):
        values = table.pivot(index="first", columns="second", values=key).loc[names, names]
        sns.heatmap(
            values, annot=True, fmt=".2f", annot_kws={"fontsize": 7}, cmap=colours, cbar=False, square=True, ax=axis
        )
        axis.patch.set(**_HATCHED)
        axis.set_title(title, fontsize=8)
        axis.set(xlabel="", ylabel="")
        axis.tick_params(labelsize=6.5, length=0)
        axis.set_xticklabels(axis.get_xticklabels(), rotation=40, ha="right")
        axis.set_yticklabels(axis.get_yticklabels() if axis is axes[0] else [], rotation=0)
    return figure


def draw_convergence(table, name, colour_map):
    """Appendix A: CKA by number of minibatches, a curve a batch size, above unbiased, below biased.

    Bands are from the smallest to the largest of the repeats, curves their median; dashed is the full-batch value. What
    is undefined is hatched.

    Args:
        table: DataFrame with first, second, batch_size, repeat, minibatches, unbiased, biased, full_batch.
        name: of the network.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    sizes = sorted(table.batch_size.unique())
    colours = colours_of(colour_map)(np.linspace(0.15, 0.8, len(sizes)))
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
        # One scale for both estimators of a pair, so that the bias is seen as what it is.
        values = np.concatenate([axis.dataLim.intervaly for axis in column])
        for axis in column:
            if np.isfinite(values).all():
                axis.set_ylim(values.min() - 0.02, values.max() + 0.02)
            else:  # a layer without CKA
                axis.patch.set(**_HATCHED)
        column[1].set_xlabel("minibatches", fontsize=7.5)
    for axis, estimator in zip(axes[:, 0], ("unbiased", "biased"), strict=True):
        axis.set_ylabel(f"CKA, {estimator} HSIC", fontsize=7.5)
    axes[1, -1].legend(fontsize=6.5, frameon=False)
    figure.suptitle(name, fontsize=8.5)
    return figure


def draw_accuracies(table, colour_map):
    """Heatmaps of mean test accuracy by depth and width, a panel a family and share of the training set.

    Args:
        table: DataFrame with family, fraction, depth, width, test_mean, test_std (fractions of 1).
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    import seaborn as sns

    colours = colours_of(colour_map)
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


def save(figure, table, paths):
    """Write a figure to each .pdf and .png of `paths` and its table to each .csv; each whole or not at all."""
    # Once for all files: of many panels it takes as long as their drawing.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for path in paths:
        with files.replacing(path) as unfinished:
            if path.endswith(".csv"):
                table.to_csv(unfinished, index=False, float_format="%.6f")
            else:
                # Without the date, so that the same values give the same file.
                date = {"CreationDate": None} if path.endswith(".pdf") else {}
                figure.savefig(unfinished, dpi=200, metadata=date)


def _as_it_is(name):
    """A name of a user's data, in which a dollar begins no formula."""
    return str(name).replace("$", r"\$")


def colours_of(colour_map):
    """The colour map of a name.

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


def _panels(rows, columns):
    """(figure, axes) of rows x columns square panels."""
    size = ((_PANEL_INCHES + 0.45) * columns + 0.9, (_PANEL_INCHES + 0.75) * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08)  # an axis' label must not touch the panel on its left
    return figure, axes


def _add_scale(figure, image, axes, name):
    """One colour scale from 0 to 1 for all panels."""
    height = figure.get_size_inches()[1]
    bar = figure.colorbar(image, ax=axes, shrink=min(1, 2.2 / height + 0.2), aspect=18, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.set_label(name, fontsize=8)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_linewidth(0.5)


def stage_borders(stages):
    """Positions between layers where the stage changes, for the stages of all layers in forward order."""
    return [position for position in range(1, len(stages)) if stages[position] != stages[position - 1]]


def _draw(axis, panel, colours):
    # As pixels even in the PDF: a ResNet-164 has 330,000 cells. Not by seaborn's heatmap, which draws the whole figure
    # to see whether labels overlap: with many panels that takes a time that grows with the square of their number.
    values = np.ma.masked_invalid(panel.values)
    place = (0, values.shape[1], 0, values.shape[0])
    look = {"aspect": "auto", "interpolation": "nearest", "cmap": colours}
    image = axis.imshow(values, vmin=0, vmax=1, origin="lower", extent=place, **look)
    axis.set_box_aspect(1)  # also where the two networks differ in depth
    axis.patch.set(**_HATCHED)
    axis.set_title(panel.title, fontsize=8)
    for side, which, label in ((panel.second, "x", panel.labels[1]), (panel.first, "y", panel.labels[0])):
        _label_layers(axis, which, side.stages, label)
    for spine in axis.spines.values():
        spine.set(visible=True, linewidth=0.5)
    return image


def _draw_counts(axis, first, second, seeds, colours):
    """How many examples have which accuracy in two sets of as many seeds, on a logarithmic scale."""
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
    """A count in its cell, dark on light and light on dark; nothing for none."""
    if count:
        red, green, blue, _ = image.cmap(image.norm(count))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        axis.text(*place, count, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")


def _draw_pictures(place, pictures):
    """Images in a row, their words above; there may be none."""
    axes = place.subplots(1, max(len(pictures), 8), squeeze=False)[0]
    for axis in axes[len(pictures) :]:
        axis.set_axis_off()
    for axis, (words, image) in zip(axes, pictures, strict=False):
        pixels = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(_as_it_is(words), fontsize=6)
        axis.set_axis_off()


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
    _label_layers(axis, "x", row.side.stages, "")


def _draw_curves(axis, title, curves, row):
    """Accuracies at layers, over the shaded layers of the block structure."""
    layers = len(row.in_block)
    axis.fill_between(
        np.arange(layers + 1), 0, 1, np.append(row.in_block, False), step="post", color="0.88", linewidth=0
    )
    axis.axhline(row.accuracy, color="0.4", linewidth=0.7, linestyle=(0, (4, 2)))
    for (label, (positions, values, stages)), colour in zip(curves.items(), _COLOURS, strict=False):
        look = {"linewidth": 0.9, "marker": ".", "markersize": 4, "color": colour}
        borders = stage_borders(list(stages))
        axis.plot(np.insert(positions + 0.5, borders, np.nan), np.insert(values, borders, np.nan), label=label, **look)
    lowest = min([row.accuracy, *(values.min() for _, values, _ in curves.values())])
    # Only as much below as there is, so that probes that are all good still show a course.
    axis.set(xlim=(0, layers), ylim=(max(0, np.floor(10 * lowest) / 10 - 0.1), 1))
    axis.set_box_aspect(1)
    axis.set_title(title, fontsize=8)
    axis.set_ylabel("test accuracy", fontsize=7)
    axis.yaxis.set_major_formatter("{x:.3g}")
    axis.tick_params(axis="y", labelsize=7, length=2)
    axis.legend(fontsize=6, frameon=False, loc="lower right", handlelength=1.2)
    _label_layers(axis, "x", row.side.stages, "")


def _label_layers(axis, which, stages, label):
    """Name the stages in their middle, mark their borders, and count the layers with small ticks."""
    line = axis.axvline if which == "x" else axis.axhline
    for border in stage_borders(stages):
        line(border, color="white", linewidth=0.7, alpha=0.9)
        line(border, color="black", linewidth=0.35, linestyle=(0, (2, 2)))
    one_axis = axis.xaxis if which == "x" else axis.yaxis
    numbered = np.array(stages)
    across = {"rotation": 90, "va": "center"} if which == "y" else {"rotation": 0}
    # The first layers of the stages by number, the stages by name below.
    named = [stage for stage in np.unique(numbered) if stage]
    middles = [np.flatnonzero(numbered == stage).mean() + 0.5 for stage in named]
    one_axis.set_ticks(middles, [f"stage {stage}" for stage in named], fontsize=6.5, **across)
    one_axis.set_tick_params(which="major", length=0, pad=8)
    # After the names, which replace the axis' own ticks: a number in the place of one of those would not get its font.
    first_layers = [int(np.argmax(numbered == stage)) for stage in named]
    one_axis.set_ticks(first_layers, [str(layer) for layer in first_layers], minor=True, fontsize=5.5, **across)
    one_axis.set_tick_params(which="minor", length=2, pad=1, width=0.5)
    one_axis.set_label_text(f"{label} ({len(stages)} layers)" if label else f"{len(stages)} layers", fontsize=7)
