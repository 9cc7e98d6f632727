"""Make the table of all networks: accuracies, and the numbers that decide whether they have a block structure.

Columns, beside configuration, seed, accuracies and number of layers:
  largest_first_component_share   largest share of a layer's variance that its first component explains
  components_not_converged        layers whose first component was not computed to its tolerance
  layers_in_block                 share of layers in the block structure: those that share one dominant first component
  cka_in_block, cka_in_block_without_first_component
                                  mean CKA of the pairs of these layers that have both values
  pairs_in_block_left_out         pairs of these layers that lack a value
  block_size_0.8, 0.9, 0.95       share of layers in the largest contiguous range in which all pairs have such a CKA

Example (after the example of scripts/compute_cka.py --help):
  python scripts/summarise.py results/one/resnet14 --out summary.csv
"""

from pathlib import Path

from widedeep.runtime import command

THRESHOLDS = (0.8, 0.9, 0.95)


def parse(argv):
    parser = command.parser(__doc__)
    # Folders: on the paper's grid, three paths per network would be too long for a command line.
    parser.add_argument(
        "networks", nargs="+", metavar="DIR", type=Path, help="folder with cka.h5, pca.h5 and metrics.json of a network"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="table to write, as CSV")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.runtime import files

    lines = [line_of(folder) for folder in args.networks]
    with files.replacing(args.out) as unfinished:
        pd.DataFrame(lines).to_csv(unfinished, index=False, float_format="%.4f")
    print(f"{args.out}: {len(lines)} networks")


def line_of(folder):
    """The table's line for the network in a folder.

    Raises:
        UserError: a file is missing or damaged, or the files are of different networks.
    """
    import numpy as np

    from widedeep.analysis import block_structure
    from widedeep.formats import components, metrics, network_files
    from widedeep.runtime.errors import UserError

    first, comparison = network_files.components_and_cka(folder / "pca.h5", folder / "cka.h5")
    label = comparison.first.label
    ((named, network),) = metrics.read([folder / "metrics.json"]).items()
    if named != label:
        raise UserError(f"{folder}: its cka.h5 is of {label} and its metrics.json of {named}; make them again.")
    keys = ("model", "family", "depth", "width", "fraction", "seed", "test_accuracy", "train_accuracy", "parameters")
    known = metrics.values_of(network, keys, folder / "metrics.json")
    # As in names of configurations. The table's four decimals would not tell 0.00125 from 0.0013.
    size = {key: f"{network[key]:g}" for key in ("width", "fraction")}
    layers = len(comparison.cka)
    block = block_structure.layers_in_block(first.share, block_structure.squared_cosines(first.values))
    inside, without, left_out = block_structure.means_among(comparison.cka, comparison.deflated, block)
    return {
        **known,
        **size,
        "layers": layers,
        "largest_first_component_share": np.nanmax(first.share),
        "components_not_converged": np.count_nonzero(first.residual > components.TOLERANCE),
        "layers_in_block": block.mean(),
        "cka_in_block": inside,
        "cka_in_block_without_first_component": without,
        "pairs_in_block_left_out": left_out,
        **{f"block_size_{t:g}": block_structure.block_size(comparison.cka, t) / layers for t in THRESHOLDS},
    }


if __name__ == "__main__":
    command.run(main)
