"""One table of all pairs of networks: how alike they are at equal relative depth, inside the block and outside it.

Two lines a pair, one in each direction: the two networks; which share of each one's layers is in its block; the mean
CKA between layers at equal relative depth that are in neither block; and, for the layers inside and outside the first
network's block, the mean of their best CKA with any layer of the second. --configurations writes the means of these
over the pairs of each two configurations, with the spread when the seeds are drawn anew.

Example (two networks dumped and compared as in the example of scripts/compute_pairs.py --help, each in its folder):
  python scripts/summarise_pairs.py --pairs pairs.h5 --components a/pca.h5 b/pca.h5 --out pairs.csv \\
      --configurations configurations.csv
"""

from widedeep.runtime import command

COLUMNS = ("first", "second", "block_first", "block_second", "equal_depth", "best_inside", "best_outside")


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--pairs", nargs="*", default=[], metavar="FILE", help="of scripts/compute_pairs.py")
    parser.add_argument("--components", nargs="*", default=[], metavar="FILE", help="pca.h5 of all networks in them")
    parser.add_argument("--out", required=True, metavar="FILE", help="table to write, as CSV")
    parser.add_argument("--configurations", metavar="FILE", help="table of pairs of configurations to write, as CSV")
    return command.start(parser, argv, writes=["out", "configurations"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.formats import similarities
    from widedeep.runtime import files

    blocks = blocks_of(args.components)
    lines = [line for path in args.pairs for name in similarities.names(path) for line in lines_of(path, name, blocks)]
    table = pd.DataFrame(lines, columns=COLUMNS)
    for path, content in ((args.out, table), (args.configurations, configurations(table))):
        if path:
            with files.replacing(path) as unfinished:
                content.to_csv(unfinished, index=False, float_format="%.4f")
    print(f"{args.out}: {len(lines)} ordered pairs")


def configurations(table):
    """A line an ordered pair of configurations: means over pairs of seeds with 95 % intervals (findings/statistics.py).

    Args:
        table: as of --out, each pair in two neighbouring lines; the first of them is in figure F's order.
    """
    import pandas as pd

    from widedeep.findings.statistics import mean_over_pairs

    measures = COLUMNS[4:]
    lines = []
    if len(table):
        for (first, second), part in pairs_of_figure_f(table).groupby(["model_first", "model_second"], sort=False):
            line = {"first": first, "second": second, "pairs": len(part) // (2 if first == second else 1)}
            seeds = part.seed_first, part.seed_second
            for measure in measures:
                keys = (measure, f"{measure}_low", f"{measure}_high")
                line |= dict(zip(keys, mean_over_pairs(*seeds, part[measure], first == second), strict=True))
            lines.append(line)
    spreads = [key for measure in measures for key in (measure, f"{measure}_low", f"{measure}_high")]
    return pd.DataFrame(lines, columns=["first", "second", "pairs", *spreads])


def pairs_of_figure_f(table):
    """The lines of the pairs that figure F averages, with their models and seeds: model_first, seed_first and so on."""
    from widedeep.names import first_pairs, parsed

    table = table.copy()
    for side in ("first", "second"):
        table[f"model_{side}"], table[f"seed_{side}"] = zip(*table[side].map(parsed), strict=True)
    kept = []
    for _, there in table[::2].groupby(["model_first", "model_second"]):
        lines = dict(zip(zip(there.seed_first, there.seed_second, strict=True), there.index, strict=True))
        kept += [lines[pair] + direction for pair in first_pairs(lines) for direction in (0, 1)]
    return table[table.index.isin(kept)]


def blocks_of(paths):
    """Which layers are in the block, (layers,) bool, by the label of the network."""
    from widedeep.analysis import block_structure
    from widedeep.formats import components

    found = {}
    for path in paths:
        label, first = components.read(path)
        found[label] = block_structure.layers_in_block(first.share, first.agreement)
    return found


def lines_of(path, name, blocks):
    """The table's lines of one pair, for each network as the first."""
    from widedeep.formats import similarities
    from widedeep.runtime.errors import UserError

    comparison = similarities.read(path, name)
    labels = (comparison.first.label, comparison.second.label)
    for label, layers in zip(labels, comparison.cka.shape, strict=True):
        if len(blocks.get(label, ())) != layers:
            raise UserError(f"{path}: compares {label} with {layers} layers; give its pca.h5 with --components.")
    first, second = (blocks[label] for label in labels)
    return [
        dict(zip(COLUMNS, (*labels, *numbers_of(comparison.cka, first, second)), strict=True)),
        dict(zip(COLUMNS, (*labels[::-1], *numbers_of(comparison.cka.T, second, first)), strict=True)),
    ]


def numbers_of(values, first, second):
    """What the columns behind the labels hold, in their order.

    Args:
        values: (layers of first, layers of second) CKA.
        first, second: (layers,) bool, which layers are in the network's block.
    """
    import numpy as np

    from widedeep.analysis.block_structure import equal_depth

    partner = equal_depth(len(first), len(second))
    outside_both = ~first & ~second[partner]
    # A layer without any defined CKA has no best one: -inf, which mean() leaves out.
    best = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    at_equal_depth = values[np.arange(len(first)), partner]
    return first.mean(), second.mean(), mean(at_equal_depth[outside_both]), mean(best[first]), mean(best[~first])


def mean(values):
    """Mean of what is defined; NaN where nothing is."""
    import numpy as np

    values = values[np.isfinite(values)]
    return values.mean() if len(values) else np.nan


if __name__ == "__main__":
    command.run(main)
