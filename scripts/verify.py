"""Verify the results of a study: every file is there, whole, as the config asks, and consistent with the others.

All files are read completely. Checksums are compared with those that were recorded when the files were written,
networks with the recipe of the config, dumps with their networks and minibatches, and all of them with the data set.
Each wrong file is named, and the command that makes just these files again is printed. Jobs that have not run yet are
counted. A file that the system does not read, as one without permission, is named apart: it may be whole, so no command
makes it again. The exit status is 0 if the study is finished and all files are right, else 1.

Example (after python scripts/run_study.py):
  python scripts/verify.py results/demo --configfile config/demo.yaml
"""

import shlex
from pathlib import Path

from widedeep.runtime import command
from widedeep.study import places


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("folder", metavar="RESULTS", type=Path, help="folder of the study, as results/demo")
    parser.add_argument("--configfile", required=True, metavar="FILE", help="config of the study")
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    from widedeep.study import checks

    study = checks.read(args.configfile)
    from widedeep.planning import verification  # of torch, and the config may be wrong

    outcome = verification.verify(args.folder, study)
    snakemake = ["snakemake", *places.snakemake_options(args.configfile, places.PROFILE)]
    for sentence in outcome.wrong.values():
        print(sentence)
    if outcome.wrong:
        print("\nTo make these files again, with the other outputs of their jobs and the files between them:")
        print(f"  {shlex.join([*snakemake, '--force', *outcome.wrong])}")
        print("The next run of the study also makes the page of provenance again, and all files made from remade files")
        print("above 1 MB, of which Snakemake compares only the dates.\n")
    if outcome.unread:
        for sentence in outcome.unread.values():
            print(sentence)
        print("These files may be whole, so no command makes them again. Make them readable, or move away those of")
        print("other programs, and verify again.\n")
    for rule, (count, total) in outcome.unmade.items():
        print(f"not made yet: {count} of {total} jobs {rule}")
    if outcome.unmade:
        print(f"To go on with them:\n  {shlex.join(snakemake)}\n")
    kinds = ", ".join(f"{count} {kind}" for kind, count in outcome.checked.items())
    print(f"Checked {outcome.checked.total()} files: {kinds}.")
    if outcome.unknown:
        print(f"{outcome.unknown} files in {args.folder} belong to no job of {args.configfile}.")
    if outcome.wrong or outcome.unread or outcome.unmade:
        unread = f"{len(outcome.unread)} were not read, " if outcome.unread else ""
        jobs = sum(count for count, _ in outcome.unmade.values())
        print(f"{len(outcome.wrong)} files are wrong, {unread}{jobs} jobs to run.")
        return 1
    print("All is well.")
    return 0


if __name__ == "__main__":
    command.run(main)
