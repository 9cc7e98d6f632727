"""Make the table of all networks: accuracies, and the numbers that decide whether they have a block structure.

Columns, beside configuration, seed, accuracies and number of layers:
  block_start, block_stop         half-open range of layers that is most like a block structure, whether it is one or
                                  not; these columns and those down to cosine_across are empty where a network has too
                                  few residual blocks for one
  block_size, contrast            share of the layers in it, and how much nearer they are than layers across its edges;
                                  there is a block structure if the contrast is at least 0.06
                                  (widedeep.analysis.block_structure)
  contrast_without_first_component
                                  contrast of the same range in the CKA without first components
  share_inside, share_outside     median share of the variance that a layer's first component explains, in and outside
                                  the range
  cosine_inside, cosine_across    mean squared cosine between first components of the pairs in the range, and of pairs
                                  at equal distance across its edges
  largest_first_component_share   largest share of a layer's variance that its first component explains
  components_not_converged        layers whose first component was not computed to its tolerance
  similar_range_0.8, 0.9, 0.95    share of layers in the largest contiguous range in which all pairs have such a CKA

Example (after the example of scripts/compute_cka.py --help):
  python scripts/summarise.py results/one/resnet14 --out summary.csv
"""

from pathlib import Path

from widedeep.runtime import command

THRESHOLDS = (0.8, 0.9, 0.95)
BLOCK_COLUMNS = (
    "block_start",
    "block_stop",
    "block_size",
    "contrast",
    "contrast_without_first_component",
    "share_inside",
    "share_outside",
    "cosine_inside",
    "cosine_across",
)


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
        pd.DataFrame(lines).to_csv(unfinished, index=False, float_format="%.6f")
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
    return {
        **known,
        **size,
        "layers": layers,
        **block_of(first, comparison),
        "largest_first_component_share": np.nanmax(first.share),
        "components_not_converged": np.count_nonzero(first.residual > components.TOLERANCE),
        **{f"similar_range_{t:g}": block_structure.similar_range(comparison.cka, t) / layers for t in THRESHOLDS},
    }


def block_of(first, comparison):
    """The columns on a network's range of layers, a dict; NaN where it has too few residual blocks for one.

    Args:
        first: components.FirstComponents.
        comparison: similarities.Comparison of the network with itself.
    """
    import numpy as np

    from widedeep.analysis import block_structure

    side = comparison.first
    block = block_structure.block_of_network(comparison.cka, side.stages, side.blocks)
    if block is None:
        return dict.fromkeys(BLOCK_COLUMNS, np.nan)
    inside = slice(block.start, block.stop)
    share, deflated, cosines = (
        block_structure.compared(values, side.blocks)
        for values in (first.share, comparison.deflated, block_structure.squared_cosines(first.values))
    )
    numbers = (
        block.start,
        block.stop,
        block.size,
        block.contrast,
        block_structure.contrast(deflated, block.start, block.stop),
        np.nanmedian(share[inside]),
        np.nanmedian(np.delete(share, inside)),
        *block_structure.means_inside_and_across(cosines, block.start, block.stop),
    )
    return dict(zip(BLOCK_COLUMNS, numbers, strict=True))


if __name__ == "__main__":
    command.run(main)
