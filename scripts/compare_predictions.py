"""Draw appendix G of the paper: agreement of predictions, within and between configurations.

Five numbers for each pair of configurations. Means over pairs of different seeds: the share of test examples on which
two networks predict the same class; Cohen's kappa of their errors, which is 0 where they coincide no more often than
both accuracies make them; Cohen's kappa of the predicted classes among the examples that both get wrong; and the KL
divergence of their class probabilities (in nats). The Hellinger distance is between the shares of seeds that predict
each class, for two disjoint sets of equally many seeds. --pairs writes the first three for each pair of networks.

Example (networks dumped with --predictions as in the example of scripts/dump_activations.py --help, in folders a to d):
  python scripts/compare_predictions.py --predictions {a,b,c,d}/predictions.h5 --metrics {a,b,c,d}/metrics.json \\
      --out G.png G.csv --pairs G-pairs.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--predictions", nargs="+", required=True, metavar="FILE", help="predictions.h5 of all seeds")
    command.add_figure_options(parser)
    parser.add_argument("--pairs", metavar="FILE", help="table of pairs of networks to write, as CSV")
    return command.start(parser, argv, writes=["out", "pairs"])


def main(argv=None):
    args = parse(argv)
    from widedeep.figures.predictions import draw_agreement
    from widedeep.figures.style import save
    from widedeep.formats import metrics, predictions
    from widedeep.runtime import files

    read, known = predictions.read_all(args.predictions), metrics.read(args.metrics)
    agreeing = agreement_of(read)
    table = table_of(read, known, agreeing)
    save(draw_agreement(table, args.colour_map), table, args.out)
    if args.pairs:
        with files.replacing(args.pairs) as unfinished:
            table_of_pairs(read, known, agreeing).to_csv(unfinished, index=False, float_format="%.6f")
    print(f"{len(args.predictions)} networks: {' '.join(args.out)}")


def agreement_of(read):
    """The agreement of all pairs of networks: dict from a column of G-pairs.csv to a (networks, networks) array."""
    import numpy as np

    from widedeep.analysis.agreement import agreement, kappa_among_errors, kappa_of_errors

    classes, labels = np.stack([network.classes for network in read]), read[0].labels
    agreeing = agreement(classes)
    kappa, largest = kappa_of_errors(classes == labels)
    silent = np.isnan(agreeing)
    return {
        "agreement": agreeing,
        "kappa": np.where(silent, np.nan, kappa),
        "kappa_largest": np.where(silent, np.nan, largest),
        "kappa_errors": kappa_among_errors(classes, labels),
    }


def table_of(read, known, agreeing):
    """The table of agreement, one line per ordered pair of configurations.

    NaN within a configuration of one seed, and with a configuration whose predictions hold NaN. Means of kappa leave
    out pairs that have none.

    Args:
        read: list of predictions.Predictions.
        known: metrics by label, from metrics.read, for names of configurations.
        agreeing: from agreement_of.

    Returns:
        DataFrame with the columns of G.csv
    """
    import numpy as np
    import pandas as pd

    from widedeep.analysis.agreement import class_shares, hellinger, kl_divergence

    classes = np.stack([network.classes for network in read])
    divergence = kl_divergence(np.stack([network.log_probabilities for network in read]))
    members = {}
    for position, network in enumerate(read):
        members.setdefault(network.model, []).append(position)
    names = {network.model: name_of(network, known) for network in read}
    # All pairs have sets of one size, since the distance between shares of few seeds is larger.
    size = max(1, min(len(positions) for positions in members.values()) // 2)
    number = read[0].log_probabilities.shape[1]
    lines = []
    for first, rows in members.items():
        for second, columns in members.items():
            pairs = [(row, column) for row in rows for column in columns if row != column]
            sets = (rows[:size], columns[-size:])
            shares = [class_shares(classes[positions], number) for positions in sets]
            kappas = {
                name: np.mean([value for pair in pairs if not np.isnan(value := agreeing[name][pair])] or np.nan)
                for name in ("kappa", "kappa_errors")
            }
            lines.append(
                {
                    "first": names[first],
                    "second": names[second],
                    "pairs": len(pairs),
                    **spread("agreement", [agreeing["agreement"][pair] for pair in pairs]),
                    **kappas,
                    **spread("kl", [divergence[pair] for pair in pairs]),
                    "seeds_a_set": size,
                    "hellinger": hellinger(*shares) if not set(sets[0]) & set(sets[1]) else np.nan,
                }
            )
    return pd.DataFrame(lines)


def table_of_pairs(read, known, agreeing):
    """The table of G-pairs.csv, one line per unordered pair of networks; arguments as in table_of."""
    import itertools

    import pandas as pd

    from widedeep.formats import tables

    lines = [
        (
            read[first].label,
            read[second].label,
            name_of(read[first], known),
            name_of(read[second], known),
            *(values[first, second] for values in agreeing.values()),
        )
        for first, second in itertools.combinations(range(len(read)), 2)
    ]
    return pd.DataFrame(lines, columns=tables.columns("G-pairs.csv"))


def name_of(network, known):
    """The configuration of predictions.Predictions, as figures call it; `known` are the metrics by label."""
    from widedeep.formats.metrics import network_title

    return network_title(network.label, known, seed=False)


def spread(name, values):
    """Mean, smallest and largest value as columns, a dict; NaN without values."""
    import numpy as np

    values = values or [np.nan]
    return {name: np.mean(values), f"{name}_min": np.min(values), f"{name}_max": np.max(values)}


if __name__ == "__main__":
    command.run(main)
