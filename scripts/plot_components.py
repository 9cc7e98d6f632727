"""Draw figure 3 of the paper: first principal components beside the block structure.

One row per network: CKA of all pairs of layers, squared cosine between their first principal components, the first
component's share of the variance by layer, and CKA after the first component is removed from each minibatch. Components
are those of the whole test set. The grey curve is the share within minibatches. The table has both. The block structure
found in CKA is outlined in all three heatmaps.

Example (after the example of scripts/compute_cka.py --help):
  python scripts/plot_components.py --cka results/one/resnet14/cka.h5 --components results/one/resnet14/pca.h5 \\
      --metrics results/one/resnet14/metrics.json --out fig3.pdf fig3.png fig3.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--cka", nargs="+", required=True, metavar="FILE", help="cka.h5 of each network")
    parser.add_argument("--components", nargs="+", required=True, metavar="FILE", help="pca.h5 of each, same order")
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.figures.components import draw_components
    from widedeep.figures.style import save
    from widedeep.formats import metrics

    known = metrics.read(args.metrics)
    rows = [row_of(*paths, known) for paths in zip(args.cka, args.components, strict=True)]
    save(draw_components(rows, args.colour_map), table_of(rows), args.out)
    print(f"{len(rows)} networks: {' '.join(args.out)}")


def row_of(cka, pca, known):
    """Read the components.ComponentRow of one network from the paths of its cka.h5 and pca.h5."""
    from widedeep.analysis import block_structure
    from widedeep.figures import components
    from widedeep.figures.heatmaps import title_of
    from widedeep.formats import network_files

    first, comparison = network_files.components_and_cka(pca, cka)
    side = comparison.first
    block = block_structure.block_of_network(comparison.cka, side.stages, side.blocks)
    return components.ComponentRow(
        title_of(side.label, known, block),
        side,
        comparison.cka,
        block_structure.squared_cosines(first.values),
        first.share,
        comparison.deflated,
        comparison.squared_cosine,
        block,
    )


def table_of(rows):
    """The figure's table, one line per pair of layers of each network."""
    import numpy as np
    import pandas as pd

    parts = []
    for row in rows:
        names = {"layer_first": row.side.names, "layer_second": row.side.names}
        part = pd.MultiIndex.from_product(names.values(), names=names).to_frame(index=False)
        part.insert(0, "network", row.side.label)
        part["share_first"] = np.repeat(row.share, len(row.share))
        part["cka"], part["squared_cosine"] = row.cka.ravel(), row.squared_cosines.ravel()
        part["cka_without_first_component"] = row.deflated.ravel()
        part["share_first_in_minibatches"] = np.repeat(row.side.share, len(row.share))
        part["squared_cosine_in_minibatches"] = row.squared_cosines_in_minibatches.ravel()
        parts.append(part)
    return pd.concat(parts)


if __name__ == "__main__":
    command.run(main)
