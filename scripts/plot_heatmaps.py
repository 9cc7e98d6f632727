"""Draw heatmaps of CKA between layers: figures 1, 2 and 5 of the paper, and their averages over seeds.

Each --panel names its row and its sources. A source is a cka.h5, or a group in a file of pairs (FILE::seed1--seed2). Of
several sources the mean is drawn, for each pair of layers over the sources that define it. A panel without a source
leaves its place empty. Titles show accuracies from the metrics.json files. The CSV holds every value that is drawn.

Example (after the example of scripts/compute_cka.py --help):
  python scripts/plot_heatmaps.py --panel depth results/one/resnet14/cka.h5 \\
      --metrics results/one/resnet14/metrics.json --out fig.pdf fig.png fig.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument(
        "--panel", nargs="+", action="append", required=True, metavar=("ROW", "SOURCE"), help="one heatmap; repeatable"
    )
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.figures.heatmaps import draw_heatmaps
    from widedeep.figures.style import save
    from widedeep.formats import metrics

    known = metrics.read(args.metrics)
    panels = [panel_of(row, sources, known) for row, *sources in args.panel]
    save(draw_heatmaps(panels, args.colour_map), table_of(panels), args.out)
    print(f"{len(panels)} panels: {' '.join(args.out)}")


def panel_of(row, sources, known):
    """Read the heatmaps.Panel of one or more sources, whose mean it shows.

    Args:
        row: name of its row.
        sources: list of FILE or FILE::GROUP; empty for an empty place.
        known: metrics by label, from metrics.read.

    Raises:
        UserError: a source is missing or damaged, or the sources have different layers.
    """
    import numpy as np

    from widedeep.analysis.block_structure import block_of_network
    from widedeep.figures import heatmaps
    from widedeep.formats import similarities
    from widedeep.formats.metrics import accuracy, network_title
    from widedeep.runtime.errors import UserError

    if not sources:
        return heatmaps.Panel(row, "")
    comparisons = [similarities.read(*source.split("::")) for source in sources]
    first = comparisons[0]
    for source, other in zip(sources, comparisons, strict=True):
        if (other.first.names, other.second.names) != (first.first.names, first.second.names):
            raise UserError(f"{source}: has other layers than {sources[0]}; give sources with the same layers.")
    values = defined_mean(np.stack([comparison.cka for comparison in comparisons]))
    if len(comparisons) > 1:
        labels = tuple(network_title(side.label, known, seed=False) for side in (first.first, first.second))
        return heatmaps.Panel(row, f"mean of {len(comparisons)} pairs", values, first.first, first.second, labels)
    if first.first.label == first.second.label:
        block = block_of_network(values, first.first.stages, first.first.blocks)
        title = heatmaps.title_of(first.first.label, known, block)
        return heatmaps.Panel(row, title, values, first.first, first.second, block=block)
    labels = tuple(network_title(side.label, known) for side in (first.first, first.second))
    title = " and ".join(accuracy(side.label, known) for side in (first.first, first.second))
    return heatmaps.Panel(row, f"accuracies {title}", values, first.first, first.second, labels)


def defined_mean(values):
    """Mean over the first axis of (sources, layers, layers) values, ignoring NaN; NaN where all are NaN."""
    import numpy as np

    count = np.count_nonzero(~np.isnan(values), axis=0)
    return np.nansum(values, axis=0) / np.where(count, count, np.nan)


def table_of(panels):
    """The figure's table, one line per pair of layers of each panel."""
    import pandas as pd

    parts = []
    for panel in panels:
        if panel.values is None:
            continue
        grid = {"layer_first": panel.first.names, "layer_second": panel.second.names}
        part = pd.MultiIndex.from_product(grid.values(), names=grid).to_frame(index=False)
        itself = panel.title.split("\n")[0]
        first, second = (label or itself for label in panel.labels)
        words = {"row": panel.row, "panel": panel.title.replace("\n", ", "), "first": first, "second": second}
        parts.append(part.assign(**words, cka=panel.values.ravel())[[*words, *grid, "cka"]])
    return pd.concat(parts)


if __name__ == "__main__":
    command.run(main)
