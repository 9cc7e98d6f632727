"""Where the networks of a study come from: a line each, with commit, versions, machine and time, as CSV and HTML.

The page says at its top which code and which packages made the networks and their dumps, and names them all where there
were several; then the recipe, and the table.

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
    # A network may have no dump, as in the example above.
    paths = [folder / "dump_provenance.json" for folder in args.networks]
    dumps = [provenance.read(path) if path.exists() else None for path in paths]
    table = pd.DataFrame(list(map(line_of, args.networks, trainings, dumps)))
    for path in args.out:
        with files.replacing(path) as unfinished:
            text = table.to_csv(index=False) if path.endswith(".csv") else page(table, trainings, dumps)
            unfinished.write_text(text)
    print(f"{len(table)} networks: {' '.join(args.out)}")


def line_of(folder, training, dump):
    """The table's line of the network in a folder; what differs between attempts is named for each."""
    from widedeep import names
    from widedeep.formats import metrics
    from widedeep.runtime.errors import UserError

    ((label, network),) = metrics.read([folder / "metrics.json"]).items()
    for other in filter(None, (training, dump)):
        if (of := names.label(other["model"], other["seed"])) != label:
            raise UserError(
                f"{folder}: its metrics.json is of {label} and its provenance of the {other['stage']} of {of}; make them "
                "again."
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
    """`5a4c925d0c1e`, `5a4c925d0c1e (changed)` where tracked files differed from the commit, or `unknown`."""
    if attempt["commit"] is None:
        return "unknown"
    return attempt["commit"][:12] + " (changed)" * bool(attempt["dirty"])


def all_of(values):
    """Each value once, in order, as one text."""
    return ", ".join(dict.fromkeys(map(str, values)))


def page(table, trainings, dumps):
    """The HTML page."""
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
    """What stands above the table: a warning where code or packages were several, then both, and the recipe."""
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
    """dict from each value to how often it is there."""
    import collections

    return dict(collections.Counter(values))


def listed(found):
    """All values of `counted` as text, with their numbers where they are several."""
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{value} ({number})" for value, number in found.items())


if __name__ == "__main__":
    command.run(main)
