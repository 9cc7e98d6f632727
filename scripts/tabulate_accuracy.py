"""Table B of the paper: test accuracy by depth and width, mean and standard deviation over seeds.

Writes the table as CSV and Markdown, and a heatmap of the means, a panel a family and share of the training set.

Example (after the example of scripts/train.py --help):
  python scripts/tabulate_accuracy.py results/one/resnet14/metrics.json --out B.csv B.md B.pdf B.png
"""

from widedeep import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("metrics", nargs="+", metavar="FILE", help="metrics.json of all networks")
    parser.add_argument("--colour-map", default="magma", help="of matplotlib or seaborn (default: magma)")
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE", help="files to write: .csv, .md, .pdf, .png")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep import files, metrics, plots

    table = accuracies(metrics.read(args.metrics))
    plots.save(plots.draw_accuracies(table, args.colour_map), table, [path for path in args.out if path[-3:] != ".md"])
    for path in args.out:
        if path.endswith(".md"):
            with files.replacing(path) as unfinished:
                unfinished.write_text(markdown(table))
    print(f"{len(table)} configurations: {' '.join(args.out)}")


def accuracies(known):
    """One line a configuration: mean and standard deviation (ddof 1; NaN for one seed) of test and train accuracy."""
    import pandas as pd

    networks = pd.DataFrame(list(known.values()))
    groups = networks.groupby(["family", "fraction", "depth", "width"], sort=True)
    table = groups.agg(
        seeds=("seed", "size"),
        parameters=("parameters", "first"),
        test_mean=("test_accuracy", "mean"),
        test_std=("test_accuracy", "std"),
        train_mean=("train_accuracy", "mean"),
        train_std=("train_accuracy", "std"),
    ).reset_index()
    return table.sort_values(["family", "fraction", "depth", "width"], ascending=[False, False, True, True])


def markdown(table):
    """The table as the paper prints it: a row a depth, a column a width, percent."""
    lines = []
    for (family, fraction), part in table.groupby(["family", "fraction"], sort=False):
        widths = sorted(part.width.unique())
        lines += [
            f"**{family}, {fraction:.0%} of the training set**, test accuracy in percent, mean ± std over seeds",
            "",
        ]
        lines += ["| depth | " + " | ".join(f"{width:g}x" for width in widths) + " |", "|---" * (len(widths) + 1) + "|"]
        for depth, row in part.groupby("depth"):
            cells = [cell(row[row.width == width]) for width in widths]
            lines.append(f"| {depth} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def cell(configuration):
    """`98.8 ± 0.2 (3)`: mean, standard deviation and number of seeds; empty where nothing was trained."""
    if configuration.empty:
        return ""
    line = configuration.iloc[0]
    spread = f" ± {100 * line.test_std:.1f}" if line.seeds > 1 else ""
    return f"{100 * line.test_mean:.1f}{spread} ({line.seeds})"


if __name__ == "__main__":
    command.run(main)
