"""One table of all networks: accuracies, and how large a block their CKA heatmap holds.

A line a network: configuration, seed, test and train accuracy, number of layers, and for several thresholds the
share of layers in the largest contiguous range whose every pairwise CKA reaches it.

Example (after the example of scripts/compute_cka.py --help):
  python scripts/summarise.py results/one/resnet14/cka.h5 --metrics results/one/resnet14/metrics.json --out summary.csv
"""

import json
from pathlib import Path

from widedeep import command

THRESHOLDS = (0.8, 0.9, 0.95)


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("similarities", nargs="+", metavar="CKA", help="cka.h5 of each network")
    parser.add_argument("--metrics", nargs="+", required=True, metavar="FILE", help="metrics.json of each, same order")
    parser.add_argument("--out", required=True, metavar="FILE", help="table to write, as CSV")
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep import files

    lines = [line_of(*pair) for pair in zip(args.similarities, args.metrics, strict=True)]
    with files.replacing(args.out) as unfinished:
        pd.DataFrame(lines).to_csv(unfinished, index=False, float_format="%.4f")
    print(f"{args.out}: {len(lines)} networks")


def line_of(similarity, metrics):
    """The table's line of one network, from the paths of its two files."""
    from widedeep import blocks, similarities
    from widedeep.errors import UserError

    comparison = similarities.read(similarity)
    network = json.loads(Path(metrics).read_text())
    label = f"{network['model']}/seed{network['seed']}"
    if comparison.first.label != label:
        raise UserError(
            f"{similarity}: is of {comparison.first.label} and {metrics} of {label}; give both in one order."
        )
    keys = ("model", "family", "depth", "width", "fraction", "seed", "test_accuracy", "train_accuracy", "parameters")
    layers = len(comparison.values)
    sizes = {f"block_size_{t:g}": blocks.block_size(comparison.values, t) / layers for t in THRESHOLDS}
    return {**{key: network[key] for key in keys}, "layers": layers, **sizes}


if __name__ == "__main__":
    command.run(main)
