"""Draw figure 1 of the paper by other measures of similarity: heatmaps of all pairs of layers within each network.

Each --row names a row of figure 1, a measure, and the file of each network of the row. Titles show each network's
contrast, which decides about block structures where it is of CKA. Its threshold is of CKA alone, so nothing is decided
here. The CSV holds every value that is drawn.

Example (after the example of scripts/compute_measure.py --help):
  python scripts/plot_measures.py --row depth rsa_spearman results/one/resnet14/rsa_spearman.h5 \\
      --metrics results/one/resnet14/metrics.json --out measures.pdf measures.png measures.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument(
        "--row",
        nargs="+",
        action="append",
        required=True,
        metavar=("ROW MEASURE", "FILE"),
        help="one row of heatmaps, from files of scripts/compute_measure.py; repeatable",
    )
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.figures.measures import draw_measures
    from widedeep.figures.style import save
    from widedeep.formats import metrics

    known = metrics.read(args.metrics)
    rows, tables = zip(*(row_of(words, known) for words in args.row), strict=True)
    save(draw_measures(rows, args.colour_map), pd.concat(part for parts in tables for part in parts), args.out)
    print(f"{len(rows)} rows: {' '.join(args.out)}")


def row_of(words, known):
    """Read one row of networks.

    Args:
        words: list of the name of the row, the name of a measure, and paths of files that hold it.
        known: metrics by label, from metrics.read.

    Returns:
        (figures.measures.MeasureRow, list of a DataFrame of all values of each network)

    Raises:
        UserError: the measure or a file is missing, or a file is damaged or holds another measure.
    """
    from widedeep.figures.measures import MeasureRow
    from widedeep.measures import kinds
    from widedeep.runtime.errors import UserError

    if len(words) < 3:
        raise UserError(f"--row {' '.join(words)}: names no file; give the row, the measure and files that hold it.")
    name, measure, *paths = words
    title = kinds.named(measure).title
    panels, tables = zip(*(panel_of(name, measure, path, known) for path in paths), strict=True)
    return MeasureRow(measure, title, list(panels)), list(tables)


def panel_of(row, measure, path, known):
    """Read the heatmaps.Panel of one network, and the table of its values; see row_of."""
    import pandas as pd

    from widedeep.analysis.block_structure import block_of_network, rounded_down
    from widedeep.figures.heatmaps import Panel
    from widedeep.formats import similarities
    from widedeep.formats.metrics import network_title

    comparison = similarities.read(path, measure=measure)
    side, values = comparison.first, comparison.measures[measure]
    found = block_of_network(values, side.stages, side.blocks)
    contrast = f"contrast {rounded_down(found.contrast):.3f}" if found else "too few residual blocks"
    title = f"{network_title(side.label, known)}\n{contrast}"
    layers = pd.MultiIndex.from_product([side.names] * 2, names=["layer_first", "layer_second"]).to_frame(index=False)
    words = {"measure": measure, "row": row, "network": side.label, "contrast": found.contrast if found else None}
    table = layers.assign(**words, similarity=values.ravel())[[*words, *layers, "similarity"]]
    return Panel(row, title, values, side, side), table


if __name__ == "__main__":
    command.run(main)
