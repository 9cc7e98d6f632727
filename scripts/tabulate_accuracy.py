"""Make table B of the paper: test accuracy by depth and width, mean and standard deviation over seeds.

Writes the table as CSV and Markdown, and draws a heatmap of the means, one panel per family and share of the training
set. --published adds to CSV and Markdown the accuracies that others published for the same networks (the library's
analysis/published.py). Use it only for networks that were trained on whole images.

Example (after the example of scripts/train.py --help):
  python scripts/tabulate_accuracy.py --metrics results/one/resnet14/metrics.json --out B.csv B.md B.pdf B.png
"""

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--published", action="store_true", help="add published accuracies of the same networks")
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.figures.accuracies import draw_accuracies
    from widedeep.figures.style import save
    from widedeep.formats import metrics
    from widedeep.runtime import files
    from widedeep.runtime.errors import UserError

    if not args.metrics:
        raise UserError("--metrics: names no file; give the metrics.json of all networks.")
    table = accuracies(metrics.read(args.metrics), args.published)
    save(draw_accuracies(table, args.colour_map), table, [path for path in args.out if not path.endswith(".md")])
    for path in args.out:
        if path.endswith(".md"):
            with files.replacing(path) as unfinished:
                unfinished.write_text(markdown(table))
    print(f"{len(table)} configurations: {' '.join(args.out)}")


def accuracies(known, with_published):
    """Table B, one line per configuration: mean and standard deviation of test and train accuracy over seeds.

    Args:
        known: metrics by label, from metrics.read.
        with_published: whether to fill the last column with published accuracies; else it is NaN.

    Returns:
        DataFrame with the columns of B.csv; standard deviations (ddof 1) are NaN for one seed
    """
    import pandas as pd

    from widedeep.analysis import published

    networks = pd.DataFrame(list(known.values()))
    identity = ["dataset", "family", "depth", "width", "fraction"]
    networks["published"] = [
        published.test_accuracy(*network) if with_published else float("nan")
        for network in networks[identity].itertuples(index=False)
    ]
    groups = networks.groupby(["family", "fraction", "depth", "width"], sort=True)
    table = groups.agg(
        seeds=("seed", "size"),
        parameters=("parameters", "first"),
        test_mean=("test_accuracy", "mean"),
        test_std=("test_accuracy", "std"),
        train_mean=("train_accuracy", "mean"),
        train_std=("train_accuracy", "std"),
        published=("published", "first"),
    ).reset_index()
    return table.sort_values(["family", "fraction", "depth", "width"], ascending=[False, False, True, True])


def markdown(table):
    """Format the table as the paper prints it, in percent: rows are depths, columns widths.

    Published accuracies follow those of the same width, with the difference in points.
    """
    from widedeep.analysis import published

    lines = []
    for (family, fraction), part in table.groupby(["family", "fraction"], sort=False):
        lines += [
            f"**{family}, {100 * fraction:g}% of the training set**, test accuracy in percent, mean ± std over seeds",
            "",
        ]
        columns = {}
        for width, column in part.set_index("depth").groupby("width"):
            columns[f"{width:g}x"] = {depth: cell(line) for depth, line in column.iterrows()}
            both = column.dropna(subset="published")
            if len(both):
                theirs, difference = 100 * both.published, 100 * (both.test_mean - both.published)
                columns[f"{width:g}x, {published.SHORT}"] = theirs.map("{:.2f}".format).to_dict()
                columns[f"{width:g}x, difference"] = difference.map("{:+.1f}".format).to_dict()
        lines += ["| depth | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        for depth in sorted(part.depth.unique()):
            lines.append(f"| {depth} | " + " | ".join(column.get(depth, "") for column in columns.values()) + " |")
        lines.append("")
    if table.published.notna().any():
        lines += [f"{published.SHORT}: {published.SOURCE} Differences are ours minus theirs, in points.", ""]
    return "\n".join(lines)


def cell(line):
    """`98.8 ± 0.2 (3)`: mean, standard deviation and number of seeds of one configuration."""
    spread = f" ± {100 * line.test_std:.1f}" if line.seeds > 1 else ""
    return f"{100 * line.test_mean:.1f}{spread} ({int(line.seeds)})"


if __name__ == "__main__":
    command.run(main)
