"""Tabulate the provenance of a study's networks: commit, versions, machine and time of each, as CSV and HTML.

Above the table, the page names the code and packages that made the networks and their dumps, all of them if there were
several, and the recipe.

Example (after the example of scripts/train.py --help):
  python scripts/tabulate_provenance.py results/one/resnet14 --out provenance.csv provenance.html
"""

from pathlib import Path

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument(
        "networks",
        nargs="+",
        metavar="DIR",
        type=Path,
        help="folder with provenance.json and metrics.json of a network",
    )
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE", help="files to write: .csv, .html")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.runtime import files, provenance

    trainings = [provenance.read(folder / "provenance.json") for folder in args.networks]
    # A network may have no dump, as in the example of --help.
    paths = [folder / "dump_provenance.json" for folder in args.networks]
    dumps = [provenance.read(path) if path.exists() else None for path in paths]
    table = pd.DataFrame(list(map(line_of, args.networks, trainings, dumps)))
    for path in args.out:
        with files.replacing(path) as unfinished:
            text = table.to_csv(index=False) if path.endswith(".csv") else page(table, trainings, dumps)
            unfinished.write_text(text)
    print(f"{len(table)} networks: {' '.join(args.out)}")


def line_of(folder, training, dump):
    """The table's line for the network in a folder; lists all values that differ between attempts.

    Args:
        folder: path of the folder.
        training: provenance of the training.
        dump: provenance of the dump, or None.

    Raises:
        UserError: a file is missing or damaged, or the files are of different networks.
    """
    from widedeep import names
    from widedeep.formats import metrics
    from widedeep.runtime.errors import UserError

    ((label, network),) = metrics.read([folder / "metrics.json"]).items()
    for other in filter(None, (training, dump)):
        if (of := names.label(other["model"], other["seed"])) != label:
            raise UserError(
                f"{folder}: its metrics.json is of {label} and the provenance of its {other['stage']} is of {of}; make "
                "them again."
            )
    attempts = training["attempts"]
    return {
        "model": training["model"],
        "seed": training["seed"],
        "commit": all_of(code_of(attempt) for attempt in attempts),
        "torch": all_of(attempt["versions"].get("torch") for attempt in attempts),
        "device": all_of(attempt["device"] for attempt in attempts),
        "host": all_of(attempt["host"] for attempt in attempts),
        "started": training["started"],
        "seconds": training["seconds"],
        "attempts": len(attempts),
        "dump_seconds": dump["seconds"] if dump else None,
        "test_accuracy": network["test_accuracy"],
    }


def code_of(attempt):
    """`5a4c925d0c1e`, `5a4c925d0c1e (changed)` if tracked files differed from the commit, or `unknown`."""
    if attempt["commit"] is None:
        return "unknown"
    return attempt["commit"][:12] + " (changed)" * bool(attempt["dirty"])


def all_of(values):
    """Join the distinct values to one text, in their order."""
    return ", ".join(dict.fromkeys(map(str, values)))


def page(table, trainings, dumps):
    """Make the text of the HTML page.

    Args:
        table: DataFrame of lines from line_of.
        trainings, dumps: provenance of all trainings and dumps; dumps may hold None.
    """
    import html

    from widedeep.runtime.units import duration

    attempts = [attempt for job in trainings + dumps if job for attempt in job["attempts"]]
    style = "body{font:15px sans-serif;margin:2em}td,th{padding:.3em .5em;text-align:left;vertical-align:top}"
    parts = [f"<!doctype html><meta charset='utf-8'><title>Provenance</title><style>{style}</style>"]
    parts += [f"<p>{html.escape(sentence)}</p>" for sentence in sentences(trainings, attempts)]
    times = {key: table[key].map(duration, na_action="ignore") for key in ("seconds", "dump_seconds")}
    shown = table.assign(**times)
    shown["test_accuracy"] = table.test_accuracy.map("{:.1%}".format)
    shown = shown.rename(columns={"seconds": "training", "dump_seconds": "dump", "test_accuracy": "test accuracy"})
    return "\n".join([*parts, shown.to_html(index=False, border=0, na_rep=""), ""])


def sentences(trainings, attempts):
    """Yield the sentences above the table: a warning if code or packages differ, then code, packages and recipe."""
    by_code = counted(code_of(attempt) for attempt in attempts)
    by_versions = counted(" ".join(f"{name} {known}" for name, known in a["versions"].items()) for a in attempts)
    for what, found in (("states of the code", by_code), ("sets of versions", by_versions)):
        if len(found) > 1:
            yield f"Attention: these results were made by {len(found)} {what}; the numbers of runs are in brackets."
    yield f"Code: commit {listed(by_code)}."
    yield f"Packages: {listed(by_versions)}."
    varying = ("model", "seed")
    recipes = counted(
        ", ".join(f"{key} {value}" for key, value in training["settings"].items() if key not in varying)
        for training in trainings
    )
    yield f"Recipe and data: {listed(recipes)}."


def counted(values):
    """Count values, a dict in the order of their first appearance."""
    import collections

    return dict(collections.Counter(values))


def listed(found):
    """Join the values of `counted` to one text, with their counts if there are several."""
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{value} ({number})" for value, number in found.items())


if __name__ == "__main__":
    command.run(main)
