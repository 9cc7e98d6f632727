"""Make the explorer of a study: one HTML file to look at its networks in a browser, offline, layer by layer.

It holds for each network CKA between all its layers, with and without first components, their shares of the variance,
and the range of layers that is most like a block structure; also the accuracies of probes and without residual blocks,
if its folder has them. It holds CKA of the given pairs, and the findings, each with a link to networks that show it.

The file has at most 20 MB. If the study is larger, pairs are left out before networks, the last ones first, and second
seeds of a configuration before first ones. The page says what it lacks.

Example (after the examples of scripts/compute_cka.py and scripts/probe_residual_blocks.py --help):
  python scripts/make_explorer.py results/one/resnet14 --data data/digits/dataset.h5 --study one --out explorer.html
"""

from pathlib import Path

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument(
        "networks", nargs="+", metavar="DIR", type=Path, help="folder with cka.h5, pca.h5 and metrics.json of a network"
    )
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5, for the shapes of layers")
    parser.add_argument("--pairs", nargs="+", default=[], metavar="FILE", help="files of scripts/compute_pairs.py")
    parser.add_argument("--findings", metavar="FILE", help="findings.csv of scripts/decide_findings.py")
    parser.add_argument("--family", metavar="NAME", help="family that decided figures 1 and 2 of the findings")
    parser.add_argument("--study", required=True, metavar="NAME", help="name of the study, for the page's title")
    parser.add_argument("--out", required=True, metavar="FILE", help="page to write, as HTML")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from importlib import resources

    from widedeep.figures.explorer import contents, page
    from widedeep.runtime import files

    library = (resources.files("plotly") / "package_data/plotly.min.js").read_text()
    room = page.MOST_BYTES - len(page.page({"study": ""}, library))
    study = contents.contents_of(args.study, args.networks, args.data, args.pairs, args.findings, args.family, room)
    with files.replacing(args.out) as unfinished:
        unfinished.write_text(page.page(study, library))
    print(f"{args.out}: {len(study['networks'])} networks, {len(study['pairs'])} pairs. {study['left_out']}")


if __name__ == "__main__":
    command.run(main)
