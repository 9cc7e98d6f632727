"""Draw figure 4 of the paper: linear probes and deleted residual blocks beside the CKA heatmap of their network.

One row per network: CKA of all pairs of layers. --probes adds the accuracy of linear probes before and after each
residual addition. --deletion adds the accuracy without each residual block, and without it and all later ones of its
stage. The block structure found in CKA is outlined in the heatmap, and its layers are grey in the other panels. The
table also has the accuracy of each probe after half of its epochs.

Example (after the examples of scripts/compute_cka.py and scripts/probe_residual_blocks.py --help):
  python scripts/plot_residual_blocks.py --cka results/one/resnet14/cka.h5 \\
      --probes results/one/resnet14/probes.csv --deletion results/one/resnet14/deletion.csv \\
      --metrics results/one/resnet14/metrics.json --out fig4.pdf fig4.png fig4.csv
"""

from widedeep.runtime import command

AROUND = {"bn": "before the addition", "add": "after the addition"}
WITHOUT = {"alone": "without this block", "from the end": "without it and the rest of its stage"}


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--cka", nargs="+", required=True, metavar="FILE", help="cka.h5 of each network")
    parser.add_argument("--probes", nargs="+", default=[], metavar="FILE", help="probes.csv of each, same order")
    parser.add_argument("--deletion", nargs="+", default=[], metavar="FILE", help="deletion.csv of each, same order")
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.figures.residual_blocks import draw_residual_blocks
    from widedeep.figures.style import save
    from widedeep.formats import metrics

    known = metrics.read(args.metrics)
    networks = [
        read_network(cka, probes, deletion, known)
        for cka, probes, deletion in zip(
            args.cka,
            args.probes or [None] * len(args.cka),
            args.deletion or [None] * len(args.cka),
            strict=True,
        )
    ]
    rows, parts = zip(*networks, strict=True)
    save(draw_residual_blocks(rows, args.colour_map), pd.concat(parts), args.out)
    print(f"{len(rows)} networks: {' '.join(args.out)}")


def read_network(cka, probes, deletion, known):
    """Read one network.

    Args:
        cka: path of its cka.h5.
        probes, deletion: paths of its probes.csv and deletion.csv; either may be None.
        known: metrics by label, from metrics.read.

    Returns:
        (residual_blocks.ResidualBlockRow, DataFrame with the columns of E.csv)

    Raises:
        UserError: a file is missing or damaged, or lacks a layer of the others.
    """
    import pandas as pd

    from widedeep.analysis import block_structure
    from widedeep.figures import residual_blocks
    from widedeep.figures.heatmaps import title_of
    from widedeep.formats import network_files, similarities, tables

    comparison = similarities.read(cka)
    side = comparison.first
    parts = [read_probes(path) for path in [probes] if path] + [
        read_deletion(path, side) for path in [deletion] if path
    ]
    block = block_structure.block_of_network(comparison.cka, side.stages, side.blocks)
    network_accuracy = known[side.label]["test_accuracy"] if side.label in known else float("nan")
    table = pd.concat(parts)
    table["position"] = network_files.positions(table.layer, side, cka)
    table["in_block"] = block_structure.layers_in(block, len(side.names))[table.position]
    contrast = block.contrast if block else float("nan")
    table = table.assign(network=side.label, network_accuracy=network_accuracy, contrast=contrast)
    panels = {}
    if probes:
        panels["linear probes"] = curves(table[table.deletion == "probe"], "kind", AROUND)
    if deletion:
        panels["deleted blocks"] = curves(table, "deletion", WITHOUT)
    name = title_of(side.label, known, block)
    row = residual_blocks.ResidualBlockRow(name, side, comparison.cka, block, network_accuracy, panels)
    return row, table[[*tables.columns("E.csv")]]


def read_probes(path):
    """Read a probes.csv as lines of the figure's table."""
    from widedeep.formats import tables

    table = tables.read(path, "probes.csv")
    accuracies = {"test_accuracy": "accuracy", "test_accuracy_at_half": "accuracy_at_half"}
    return table.rename(columns=accuracies).assign(deletion="probe", deleted=0)


def read_deletion(path, side):
    """Read a deletion.csv as lines of the figure's table; the layer of a residual block is its last one, its output."""
    from widedeep.formats import network_files, tables

    table = tables.read(path, "deletion.csv")
    table = table[table.deletion != "none"]
    layers = network_files.outputs(side, table.stage, table.block)
    return table.assign(layer=layers, kind="block", accuracy_at_half=float("nan"))


def curves(table, key, labels):
    """The curves of one panel, for residual_blocks.ResidualBlockRow.panels, one per value of column `key`."""
    chosen = {label: table[table[key] == value].sort_values("position") for value, label in labels.items()}
    return {label: (lines.position, lines.accuracy, lines.stage) for label, lines in chosen.items() if len(lines)}


if __name__ == "__main__":
    command.run(main)
