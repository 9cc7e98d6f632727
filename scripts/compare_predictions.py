"""Draw appendix G of the paper: agreement of predictions, within and between configurations.

Three numbers for each pair of configurations. The share of test examples on which two networks predict the same class,
and the KL divergence of their class probabilities (in nats), are means over pairs of different seeds. The Hellinger
distance is between the shares of seeds that predict each class, for two disjoint sets of equally many seeds.

Example (networks dumped with --predictions as in the example of scripts/dump_activations.py --help, in folders a to d):
  python scripts/compare_predictions.py --predictions {a,b,c,d}/predictions.h5 --metrics {a,b,c,d}/metrics.json \\
      --out G.png G.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--predictions", nargs="+", required=True, metavar="FILE", help="predictions.h5 of all seeds")
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.figures.predictions import draw_agreement
    from widedeep.figures.style import save
    from widedeep.formats import metrics, predictions

    table = table_of(predictions.read_all(args.predictions), metrics.read(args.metrics))
    save(draw_agreement(table, args.colour_map), table, args.out)
    print(f"{len(args.predictions)} networks: {' '.join(args.out)}")


def table_of(read, known):
    """The table of agreement, one line per ordered pair of configurations.

    NaN within a configuration of one seed, and with a configuration whose predictions hold NaN.

    Args:
        read: list of predictions.Predictions.
        known: metrics by label, from metrics.read, for names of configurations.

    Returns:
        DataFrame with the columns of G.csv
    """
    import numpy as np
    import pandas as pd

    from widedeep.analysis.agreement import agreement, class_shares, hellinger, kl_divergence
    from widedeep.formats.metrics import network_title

    classes = np.stack([network.classes for network in read])
    agreeing = agreement(classes)
    divergence = kl_divergence(np.stack([network.log_probabilities for network in read]))
    members, names = {}, {}
    for position, network in enumerate(read):
        members.setdefault(network.model, []).append(position)
        names[network.model] = network_title(network.label, known, seed=False)
    # All pairs have sets of one size, since the distance between shares of few seeds is larger.
    size = max(1, min(len(positions) for positions in members.values()) // 2)
    number = read[0].log_probabilities.shape[1]
    lines = []
    for first, rows in members.items():
        for second, columns in members.items():
            pairs = [(row, column) for row in rows for column in columns if row != column]
            sets = (rows[:size], columns[-size:])
            shares = [class_shares(classes[positions], number) for positions in sets]
            lines.append(
                {
                    "first": names[first],
                    "second": names[second],
                    "pairs": len(pairs),
                    **spread("agreement", [agreeing[pair] for pair in pairs]),
                    **spread("kl", [divergence[pair] for pair in pairs]),
                    "seeds_a_set": size,
                    "hellinger": hellinger(*shares) if not set(sets[0]) & set(sets[1]) else np.nan,
                }
            )
    return pd.DataFrame(lines)


def spread(name, values):
    """Mean, smallest and largest value as columns, a dict; NaN without values."""
    import numpy as np

    values = values or [np.nan]
    return {name: np.mean(values), f"{name}_min": np.min(values), f"{name}_max": np.max(values)}


if __name__ == "__main__":
    command.run(main)
