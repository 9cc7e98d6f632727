"""Draw figure 6 of the paper: accuracy of wide and deep networks on single examples and classes.

Compares the wide and the deep configuration of closest mean accuracy among the given networks; give only two
configurations to choose them. --examples shows per-example accuracies over seeds, a control (two disjoint sets of seeds
of one configuration) and the examples that differ most. --classes shows the accuracy by class, with Welch's t-test and
the correction of Benjamini and Hochberg. Permutation tests over seeds decide whether the two differ on single examples,
or on some class, by more than their seeds do. The summary holds them, their power, and the interval of the difference
between the mean accuracies.

Example (networks dumped with --predictions as in the example of scripts/dump_activations.py --help, in folders a to d):
  python scripts/compare_examples.py --predictions {a,b,c,d}/predictions.h5 --metrics {a,b,c,d}/metrics.json \\
      --data data/digits/dataset.h5 --examples examples.png examples.csv --classes classes.png classes.csv \\
      --summary fig6.csv
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--predictions", nargs="+", required=True, metavar="FILE", help="predictions.h5 of all seeds")
    parser.add_argument("--metrics", nargs="+", required=True, metavar="FILE", help="metrics.json of the networks")
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5, for images and names of classes")
    parser.add_argument("--colour-map", default="magma", help="of matplotlib or seaborn (default: magma)")
    parser.add_argument(
        "--examples", nargs="+", required=True, metavar="FILE", help="figure to write: .pdf, .png, .csv"
    )
    parser.add_argument("--classes", nargs="+", required=True, metavar="FILE", help="figure to write: .pdf, .png, .csv")
    parser.add_argument("--summary", required=True, metavar="FILE", help="table of one line to write, as CSV")
    return command.start(parser, argv, writes=["examples", "classes", "summary"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.analysis import examples
    from widedeep.data import loading
    from widedeep.figures.predictions import draw_classes, draw_examples
    from widedeep.figures.style import save
    from widedeep.formats import dataset, metrics, predictions
    from widedeep.runtime import files

    read = predictions.read_all(args.predictions)
    description, test = dataset.describe(args.data), loading.read(args.data, "test")
    check_data(args.data, description, read[0])
    known = metrics.read(args.metrics)
    wide, deep = examples.closest_pair(configurations(read, known))
    by_example = table_of_examples(wide, deep, test.labels)
    by_class = table_of_classes(wide, deep, test.labels, description.classes)
    summary = summary_of(wide, deep, test.labels, by_class)
    pictures = most_different(by_example, test.images, description.classes)
    save(draw_examples(by_example, summary, pictures, args.colour_map), by_example, args.examples)
    save(draw_classes(by_class, wide.name, deep.name), by_class, args.classes)
    with files.replacing(args.summary) as unfinished:
        pd.DataFrame([summary]).to_csv(unfinished, index=False, float_format="%.6f")
    print(f"{wide.name} against {deep.name}: p {summary['p']:.4f} by example, {summary['p_classes']:.4f} by class")


def check_data(path, description, first):
    """Refuse a data set whose test set the networks did not predict.

    Args:
        path: of the data set's file.
        description: its dataset.Description.
        first: predictions.Predictions of a network.

    Raises:
        UserError: the checksums differ.
    """
    from widedeep.runtime.errors import UserError

    if description.test_checksum != first.data_checksum:
        raise UserError(
            f"{path}: its test set has checksum {description.test_checksum[:12]}, and {first.path} was made from one "
            f"with {first.data_checksum[:12]}; give the data set that the networks were tested on."
        )


def configurations(read, known):
    """Group networks into a list of examples.Configuration, in the order in which they were given.

    Args:
        read: list of predictions.Predictions.
        known: metrics by label, from metrics.read.

    Raises:
        UserError: a network has no metrics.
    """
    import numpy as np

    from widedeep.analysis.examples import Configuration
    from widedeep.networks.families import configuration_title
    from widedeep.runtime.errors import UserError

    groups = {}
    for network in read:
        if network.label not in known:
            raise UserError(f"{network.path}: is of {network.label}, which --metrics lacks; give its metrics.json.")
        groups.setdefault(network.model, []).append(network)
    return [
        Configuration(
            configuration_title(known[group[0].label]),
            *(known[group[0].label][key] for key in ("depth", "width", "fraction")),
            np.stack([network.classes == network.labels for network in group]),
        )
        for group in groups.values()
    ]


def table_of_examples(wide, deep, labels):
    """The table of examples: label, and for each of four sets of seeds the share that classifies it correctly."""
    import numpy as np
    import pandas as pd

    from widedeep.analysis import examples

    sets = examples.matched_sets(wide.correct, deep.correct)
    names = ("wide", "deep", "control_first", "control_second")
    shares = {name: part.mean(axis=0) for name, part in zip(names, sets, strict=True)}
    return pd.DataFrame({"example": np.arange(len(labels)), "label": labels, **shares})


def table_of_classes(wide, deep, labels, classes):
    """The table of classes, one line each: mean accuracies, and the results of examples.class_differences."""
    import pandas as pd

    from widedeep.analysis import examples

    accuracies = [examples.class_accuracies(one.correct, labels, len(classes)) for one in (wide, deep)]
    means = dict(zip(("wide", "deep"), (part.mean(axis=0) for part in accuracies), strict=True))
    return pd.DataFrame({"class": classes, **means, **examples.class_differences(*accuracies)})


def summary_of(wide, deep, labels, by_class):
    """The summary of both figures for findings, a dict with the columns of fig6.csv."""
    from widedeep.analysis import examples, permutations
    from widedeep.findings.statistics import POWER, SIGNIFICANT, of_difference

    sets = examples.matched_sets(wide.correct, deep.correct)
    # At 90 %, so that two one-sided tests at 5 % show that the accuracies are close.
    apart = of_difference(wide.correct.mean(axis=1), deep.correct.mean(axis=1), level=0.9)
    both, classes = (wide.correct, deep.correct), (wide.correct, deep.correct, labels, len(by_class))
    # Half of the examples that vary, equally many each way.
    each_way = permutations.varying(*both) // 4
    return {
        "wide": wide.name,
        "deep": deep.name,
        "wide_seeds": len(wide.correct),
        "deep_seeds": len(deep.correct),
        "wide_accuracy": wide.accuracy,
        "deep_accuracy": deep.accuracy,
        "accuracy_low": apart.low,
        "accuracy_high": apart.high,
        "seeds_a_set": len(sets[0]),
        "difference": examples.mean_difference(*sets[:2]),
        "control": examples.mean_difference(*sets[2:]),
        **vars(permutations.examples_test(*both)),
        "each_way": each_way,
        "power_examples": permutations.power_of_examples(*both, each_way, SIGNIFICANT),
        "examples_needed": permutations.examples_needed(*both, SIGNIFICANT, POWER),
        "classes": len(by_class),
        "classes_tested": int(by_class.q.notna().sum()),
        "classes_that_differ": int((by_class.q < SIGNIFICANT).sum()),
        "p_classes": permutations.classes_test(*classes),
        "power_classes": permutations.power_of_classes(*classes, permutations.POINTS, SIGNIFICANT),
        "points_needed": permutations.points_needed(*classes, SIGNIFICANT, POWER),
    }


def most_different(by_example, images, classes, number=8):
    """List (text, image) of the examples that differ most: half where wide is better, then half where deep is."""
    differences = (by_example.wide - by_example.deep).sort_values(kind="stable")
    wide = differences.index[differences > 0][::-1][: number // 2]
    deep = differences.index[differences < 0][: number // 2]
    chosen = [*wide, *deep]
    return [
        (
            f"{classes[by_example.label[one]]}\nwide {by_example.wide[one]:.0%}\ndeep {by_example.deep[one]:.0%}",
            images[one],
        )
        for one in chosen
    ]


if __name__ == "__main__":
    command.run(main)
