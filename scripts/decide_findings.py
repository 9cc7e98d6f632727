"""Decide which of the paper's claims a study reproduces, from its tables.

The library's package findings has one function per claim. Writes the findings as CSV, Markdown and HTML; the last two
also tell how many networks have a block structure at other thresholds than the rule's.

Example (after the examples of scripts/summarise.py and scripts/summarise_pairs.py --help):
  python scripts/decide_findings.py summary.csv pairs.csv --out decisions.csv decisions.md decisions.html
"""

from widedeep.runtime import command

BY_THRESHOLD = "Networks with a block structure, by the contrast from which a range of layers counts as one"


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("networks", metavar="NETWORKS", help="table of scripts/summarise.py")
    parser.add_argument("pairs", metavar="PAIRS", help="table of scripts/summarise_pairs.py")
    parser.add_argument("--blocks", metavar="TABLE", help="table of scripts/plot_residual_blocks.py, if there is one")
    parser.add_argument("--examples", metavar="TABLE", help="summary of scripts/compare_examples.py, if there is one")
    parser.add_argument("--agreement", metavar="TABLE", help="table of scripts/compare_predictions.py, if there is one")
    parser.add_argument("--convergence", metavar="TABLE", help="table of scripts/converge_cka.py, if there is one")
    parser.add_argument(
        "--family", metavar="NAME", help="family that decides figures 1 and 2 (default: the one with most networks)"
    )
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE", help="files to write: .csv, .md, .html")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    import pandas as pd

    from widedeep.findings.decide import decide
    from widedeep.findings.networks import keep_trained
    from widedeep.findings.sensitivity import sensitivity
    from widedeep.formats import tables
    from widedeep.paper import DECIDING_TABLES
    from widedeep.runtime import files
    from widedeep.runtime.errors import UserError

    more = {}
    for option, name in DECIDING_TABLES.items():
        path = getattr(args, option)
        more[option] = tables.read(path, name) if path else pd.DataFrame(columns=tables.columns(name))
    networks, pairs = tables.read(args.networks, "summary.csv"), tables.read(args.pairs, "pairs.csv")
    if networks.empty:
        raise UserError(f"{args.networks}: holds no network; make it again (scripts/summarise.py).")
    found = decide(networks, pairs, **more, family=args.family)
    table = pd.DataFrame([vars(finding) for finding in found])
    by_threshold = sensitivity(keep_trained(networks, args.family))
    for path in args.out:
        with files.replacing(path) as unfinished:
            unfinished.write_text(text_of(table, by_threshold, path.rsplit(".", 1)[-1]))
    for finding in found:
        print(f"{finding.verdict:15} {finding.result:12} {finding.claim}")


def text_of(table, by_threshold, form):
    """Format the findings as `csv`, or with the table of sensitivity as `md` or `html`.

    Args:
        table: DataFrame of findings; the ids of claims are for programs, and stand in the CSV alone.
        by_threshold: DataFrame of findings.sensitivity.
        form: `csv`, `md` or `html`.
    """
    if form == "csv":
        return table.to_csv(index=False)
    told = table.drop(columns="id").rename(columns={"smallest_effect": "smallest effect"})
    parts = [(None, told), (BY_THRESHOLD, by_threshold)]
    if form == "md":
        return "\n".join(f"{title}\n\n{markdown(part)}" if title else markdown(part) for title, part in parts)
    style = "body{font:15px sans-serif;margin:2em}td,th{padding:.5em;text-align:left;vertical-align:top}"
    head = f"<!doctype html><meta charset='utf-8'><title>Findings</title><style>{style}</style>"
    body = "\n".join(
        f"{f'<h2>{title}</h2>' if title else ''}{part.to_html(index=False, border=0)}" for title, part in parts
    )
    return f"{head}\n{body}\n"


def markdown(table):
    """A table as Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|---" * len(table.columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(line) + " |" for line in table.to_numpy()]) + "\n"


if __name__ == "__main__":
    command.run(main)
