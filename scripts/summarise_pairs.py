"""Make the table of all pairs of networks: similarity at equal relative depth, inside and outside block structures.

Two lines per pair, one in each direction. Columns, beside the two networks:
  contrast_first, contrast_second
                              contrast of each network's range of layers (scripts/summarise.py), which is a block
                              structure from 0.06 on; empty where it has too few residual blocks
  equal_depth                 mean CKA of layers at equal relative depth that are in neither block structure
  best_inside, best_outside   mean of the best CKA with any layer of the second network, over the layers inside and
                              outside the first network's block structure

--configurations writes, for each pair of configurations, the means of the last three columns over seeds, with 95 %
intervals.

Example (two networks dumped and compared as in the example of scripts/compute_pairs.py --help, each in its folder):
  python scripts/summarise_pairs.py --pairs pairs.h5 --cka a/cka.h5 b/cka.h5 --out pairs.csv \\
      --configurations configurations.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--pairs", nargs="*", default=[], metavar="FILE", help="files of scripts/compute_pairs.py")
    parser.add_argument("--cka", nargs="*", default=[], metavar="FILE", help="cka.h5 of all networks in them")
    parser.add_argument("--out", required=True, metavar="FILE", help="table to write, as CSV")
    parser.add_argument("--configurations", metavar="FILE", help="table of pairs of configurations to write, as CSV")
    return command.start(parser, argv, writes=["out", "configurations"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.formats import similarities, tables
    from widedeep.runtime import files

    blocks = blocks_of(args.cka)
    lines = [line for path in args.pairs for name in similarities.names(path) for line in lines_of(path, name, blocks)]
    table = pd.DataFrame(lines, columns=tables.columns("pairs.csv"))
    for path, content in ((args.out, table), (args.configurations, configurations(table))):
        if path:
            with files.replacing(path) as unfinished:
                content.to_csv(unfinished, index=False, float_format="%.6f")
    print(f"{args.out}: {len(lines)} ordered pairs")


def configurations(table):
    """The table of pairs of configurations: means over pairs of seeds with 95 % intervals (findings/statistics.py).

    The intervals allow for pairs that share a network, and for both directions of a pair within a configuration.

    Args:
        table: DataFrame of --out: two neighbouring lines per pair, the first one in the direction of figure F.
    """
    import pandas as pd

    from widedeep.findings.statistics import of_mean_over_pairs
    from widedeep.formats import tables
    from widedeep.names import configuration_and_seed

    def configuration_of(label):
        return configuration_and_seed(label)[0]

    lines = []
    if len(table):
        for (first, second), part in pairs_of_figure_f(table).groupby(["model_first", "model_second"], sort=False):
            line = {"first": first, "second": second, "pairs": len(part) // (2 if first == second else 1)}
            for number in tables.MEANS_OF_PAIRS:
                found = of_mean_over_pairs(part["first"], part["second"], part[number], configuration_of)
                line |= {number: found.value, f"{number}_low": found.low, f"{number}_high": found.high}
            lines.append(line)
    return pd.DataFrame(lines, columns=tables.columns("pairs_of_configurations.csv"))


def pairs_of_figure_f(table):
    """Select the lines of the pairs that figure F averages; add columns model_first, seed_first and so on."""
    from widedeep.names import configuration_and_seed, first_pairs

    table = table.copy()
    for side in ("first", "second"):
        table[f"model_{side}"], table[f"seed_{side}"] = zip(*table[side].map(configuration_and_seed), strict=True)
    kept = []
    for _, there in table[::2].groupby(["model_first", "model_second"]):
        lines = dict(zip(zip(there.seed_first, there.seed_second, strict=True), there.index, strict=True))
        kept += [lines[pair] + direction for pair in first_pairs(lines) for direction in (0, 1)]
    return table[table.index.isin(kept)]


def blocks_of(paths):
    """The range of layers of each network: dict from its label to (number of layers, block_structure.Block or None)."""
    from widedeep.analysis.block_structure import block_of_network
    from widedeep.formats import similarities

    found = {}
    for path in paths:
        comparison = similarities.read(path)
        side = comparison.first
        found[side.label] = len(side.names), block_of_network(comparison.cka, side.stages, side.blocks)
    return found


def lines_of(path, name, blocks):
    """The two lines of one pair, the group `name` in the file at `path`.

    Args:
        blocks: dict from blocks_of.

    Raises:
        UserError: the file is damaged, or `blocks` lacks a network or has another number of layers for it.
    """
    from widedeep.formats import similarities
    from widedeep.runtime.errors import UserError

    comparison = similarities.read(path, name)
    labels = (comparison.first.label, comparison.second.label)
    for label, layers in zip(labels, comparison.cka.shape, strict=True):
        if blocks.get(label, (0,))[0] != layers:
            raise UserError(f"{path}: holds {layers} layers of {label}, which --cka lacks; give its cka.h5.")
    first, second = (blocks[label][1] for label in labels)
    return [
        (*labels, *numbers_of(comparison.cka, first, second)),
        (*labels[::-1], *numbers_of(comparison.cka.T, second, first)),
    ]


def numbers_of(values, first, second):
    """Compute the columns of a line after the two networks, a tuple.

    Args:
        values: (layers of first, layers of second) CKA.
        first, second: block_structure.Block of each network, or None.
    """
    import numpy as np

    from widedeep.analysis.block_structure import equal_depth, layers_in

    inside, inside_second = (
        layers_in(block, layers) for block, layers in zip((first, second), values.shape, strict=True)
    )
    partner = equal_depth(*values.shape)
    outside_both = ~inside & ~inside_second[partner]
    # A layer without any defined CKA gets -inf, which mean() leaves out.
    best = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    at_equal_depth = values[np.arange(len(values)), partner]
    contrasts = (block.contrast if block else np.nan for block in (first, second))
    return *contrasts, mean(at_equal_depth[outside_both]), mean(best[inside]), mean(best[~inside])


def mean(values):
    """Mean of the finite values; NaN if there is none."""
    import numpy as np

    values = values[np.isfinite(values)]
    return values.mean() if len(values) else np.nan


if __name__ == "__main__":
    command.run(main)
