"""One table of all networks: accuracies, and the numbers that say whether they have a block structure.

A line a network: configuration, seed, test and train accuracy, number of layers; the largest first-component share of a
layer; the share of layers in the block (one dominant first component, the same in most of them), the mean CKA among
them with and without the first component; and for several thresholds the share of layers in the largest contiguous
range whose every pairwise CKA reaches it.

Example (after the example of scripts/compute_cka.py --help):
  python scripts/summarise.py --cka results/one/resnet14/cka.h5 --components results/one/resnet14/pca.h5 \\
      --metrics results/one/resnet14/metrics.json --out summary.csv
"""

import json
from pathlib import Path

from widedeep import command

THRESHOLDS = (0.8, 0.9, 0.95)


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--cka", nargs="+", required=True, metavar="FILE", help="cka.h5 of each network")
    parser.add_argument("--components", nargs="+", required=True, metavar="FILE", help="pca.h5 of each, same order")
    parser.add_argument("--metrics", nargs="+", required=True, metavar="FILE", help="metrics.json of each, same order")
    parser.add_argument("--out", required=True, metavar="FILE", help="table to write, as CSV")
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep import files

    lines = [line_of(*paths) for paths in zip(args.cka, args.components, args.metrics, strict=True)]
    with files.replacing(args.out) as unfinished:
        pd.DataFrame(lines).to_csv(unfinished, index=False, float_format="%.4f")
    print(f"{args.out}: {len(lines)} networks")


def line_of(cka, pca, metrics):
    """The table's line of one network, from the paths of its three files."""
    import numpy as np

    from widedeep import blocks, components, similarities
    from widedeep.errors import UserError

    comparison = similarities.read(cka)
    label, first = components.read(pca)
    components.check_layers(pca, label, first.names, cka, comparison.first)
    network = json.loads(Path(metrics).read_text())
    if f"{network['model']}/seed{network['seed']}" != label:
        raise UserError(
            f"{cka}: is of {label} and {metrics} of {network['model']}/seed{network['seed']}; give both in one order."
        )
    keys = ("model", "family", "depth", "width", "fraction", "seed", "test_accuracy", "train_accuracy", "parameters")
    layers = len(comparison.values)
    block = blocks.layers_in_block(first.share, first.agreement)
    return {
        **{key: network[key] for key in keys},
        "layers": layers,
        "largest_first_component_share": np.nanmax(first.share),
        "layers_in_block": block.mean(),
        "cka_in_block": blocks.mean_among(comparison.values, block),
        "cka_in_block_without_first_component": blocks.mean_among(comparison.deflated, block),
        **{f"block_size_{t:g}": blocks.block_size(comparison.values, t) / layers for t in THRESHOLDS},
    }


if __name__ == "__main__":
    command.run(main)
