"""Draw training curves: training loss and test accuracy by epoch, a column a configuration, a line a seed.

Example (after the example of scripts/train.py --help):
  python scripts/plot_training.py --history results/one/resnet14/history.csv \\
      --metrics results/one/resnet14/metrics.json --out training.pdf training.png training.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--history", nargs="+", required=True, metavar="FILE", help="history.csv, in --metrics' order")
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.figures.style import save
    from widedeep.formats import metrics

    known = metrics.read(args.metrics)
    table = table_of(args.history, known)
    save(draw_training(table, known, args.colour_map), table, args.out)
    print(f"{len(known)} networks: {' '.join(args.out)}")


def table_of(paths, known):
    """Return the epochs of all networks as one DataFrame, with a column for the label of the network.

    Args:
        paths: of history.csv of each network.
        known: dict of metrics.read, in the same order.

    Raises:
        UserError: a history is not the one of its network.
    """
    import pandas as pd

    from widedeep.formats import tables
    from widedeep.runtime.errors import UserError

    if len(paths) != len(known):
        raise UserError(f"--history: {len(paths)} files for {len(known)} networks in --metrics; give one of each.")
    parts = []
    for path, (label, content) in zip(paths, known.items(), strict=True):
        history = tables.read(path, "history.csv")
        if abs(history.test_accuracy.iloc[-1] - content["test_accuracy"]) > 1e-6:
            raise UserError(
                f"{path}: ends with another test accuracy than the metrics.json of {label}; give the files of the same "
                "networks in one order."
            )
        history.insert(0, "network", label)
        parts.append(history.drop(columns="learning_rate"))
    return pd.concat(parts)


def draw_training(table, known, colour_map):
    """Draw a column of two panels for each configuration: training loss above, test accuracy below.

    Args:
        table: DataFrame of table_of.
        known: dict of metrics.read.
        colour_map: name of a matplotlib or seaborn colour map.

    Returns:
        matplotlib Figure

    Raises:
        UserError: the colour map is unknown.
    """
    import numpy as np

    from widedeep.figures import style
    from widedeep.formats.metrics import network_title

    labels = {}
    for label in known:
        labels.setdefault(network_title(label, known, seed=False), []).append(label)
    lines = dict(tuple(table.groupby("network")))
    size = (2.3 * len(labels) + 0.5, 3.9)
    figure, axes = style.plt.subplots(
        2, len(labels), figsize=size, sharex=True, sharey="row", squeeze=False, layout="constrained"
    )
    for (loss, accuracy), (title, seeds) in zip(axes.T, labels.items(), strict=True):
        loss.set_title(title, fontsize=8)
        for colour, label in zip(style.colours_of(colour_map)(np.linspace(0.15, 0.8, len(seeds))), seeds, strict=True):
            line, name = lines[label], f"seed {known[label]['seed']}"
            loss.plot(line.epoch, line.train_loss, color=colour, linewidth=1, label=name)
            # On small shares of the training set the test set is not evaluated after each epoch.
            tested = line.dropna(subset="test_accuracy")
            accuracy.plot(tested.epoch, 100 * tested.test_accuracy, color=colour, linewidth=1, label=name)
        accuracy.set_xlabel("epoch", fontsize=7.5)
        accuracy.legend(fontsize=6.5, frameon=False, loc="lower right")
    axes[0, 0].set_yscale("log")
    axes[0, 0].set_ylabel("training loss", fontsize=7.5)
    axes[1, 0].set_ylabel("test accuracy (%)", fontsize=7.5)
    for axis in axes.flat:
        axis.tick_params(labelsize=7, length=2)
    return figure


if __name__ == "__main__":
    command.run(main)
