"""Draw heatmaps of CKA between layers: figures 1 and 5 of the paper, and their averages over seeds.

Each --panel names the row that it stands in and where its values are: a cka.h5, a group of a file of pairs
(FILE::seed1--seed2), or several of them, whose mean is drawn. A panel without a source leaves its place empty. Titles
take accuracies from the metrics.json files. The CSV holds every value that is drawn.

Example (after the example of scripts/compute_cka.py --help):
  python scripts/plot_heatmaps.py --panel depth results/one/resnet14/cka.h5 \\
      --metrics results/one/resnet14/metrics.json --out fig.pdf fig.png fig.csv
"""

import json
from pathlib import Path

from widedeep import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument(
        "--panel", nargs="+", action="append", required=True, metavar=("ROW", "SOURCE"), help="one heatmap; repeatable"
    )
    parser.add_argument("--metrics", nargs="+", default=[], metavar="FILE", help="metrics.json of the networks")
    parser.add_argument("--colour-map", default="magma", help="of matplotlib or seaborn (default: magma)")
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE", help="files to write: .pdf, .png, .csv")
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    from widedeep import files, plots

    metrics = read_metrics(args.metrics)
    panels = [panel_of(row, sources, metrics) for row, *sources in args.panel]
    figure = plots.draw_heatmaps(panels, args.colour_map)
    for path in args.out:
        with files.replacing(path) as unfinished:
            if path.endswith(".csv"):
                table_of(panels).to_csv(unfinished, index=False, float_format="%.6f")
            else:
                # Without the date, so that the same values give the same file.
                date = {"CreationDate": None} if path.endswith(".pdf") else {}
                figure.savefig(unfinished, dpi=200, metadata=date)
    print(f"{len(panels)} panels: {' '.join(args.out)}")


def read_metrics(paths):
    """Metrics by the label of the network, as `digits-resnet14-w1-f100/seed1`."""
    from widedeep.errors import UserError

    metrics = {}
    for path in paths:
        try:
            content = json.loads(Path(path).read_text())
            metrics[f"{content['model']}/seed{content['seed']}"] = content
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}: is not a metrics.json of scripts/train.py ({error}); train the network again."
            ) from error
    return metrics


def panel_of(row, sources, metrics):
    """The plots.Panel of one or more sources, whose mean it shows."""
    import numpy as np

    from widedeep import plots, similarities
    from widedeep.errors import UserError

    if not sources:
        return plots.Panel(row, "")
    comparisons = [similarities.read(*source.split("::")) for source in sources]
    first = comparisons[0]
    for source, other in zip(sources, comparisons, strict=True):
        if (other.first.names, other.second.names) != (first.first.names, first.second.names):
            raise UserError(f"{source}: has other layers than {sources[0]}; only the same layers can be averaged.")
    values = np.mean([comparison.values for comparison in comparisons], axis=0)
    if len(comparisons) > 1:
        labels = tuple(network_name(side.label, metrics, seed=False) for side in (first.first, first.second))
        return plots.Panel(row, f"mean of {len(comparisons)} pairs", values, first.first, first.second, labels)
    if first.first.label == first.second.label:
        title = f"{network_name(first.first.label, metrics)}\naccuracy {accuracy(first.first.label, metrics)}"
        return plots.Panel(row, title, values, first.first, first.second)
    labels = tuple(network_name(side.label, metrics) for side in (first.first, first.second))
    title = " and ".join(accuracy(side.label, metrics) for side in (first.first, first.second))
    return plots.Panel(row, f"accuracies {title}", values, first.first, first.second, labels)


def network_name(label, metrics, seed=True):
    """`ResNet-14 1x, seed 1` where the metrics are given, else the label itself."""
    if label not in metrics:
        return label
    network = metrics[label]
    family = {"resnet": "ResNet", "plain": "Plain"}[network["family"]]
    name = f"{family}-{network['depth']} {network['width']:g}x"
    if network["fraction"] != 1:
        name += f", {network['fraction']:.0%} of data"
    return f"{name}, seed {network['seed']}" if seed else name


def accuracy(label, metrics):
    """On the test set, in words."""
    return f"{metrics[label]['test_accuracy']:.1%}" if label in metrics else "unknown"


def table_of(panels):
    """One line a pair of layers: row, networks, layers, CKA."""
    import pandas as pd

    parts = []
    for panel in panels:
        if panel.values is None:
            continue
        grid = {"layer_first": panel.first.names, "layer_second": panel.second.names}
        part = pd.MultiIndex.from_product(grid.values(), names=grid).to_frame(index=False)
        part.insert(0, "panel", panel.title.replace("\n", ", "))
        part.insert(0, "row", panel.row)
        part["cka"] = panel.values.ravel()
        parts.append(part)
    return pd.concat(parts)


if __name__ == "__main__":
    command.run(main)
