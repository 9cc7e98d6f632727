"""Seconds and memory of Snakemake's dry run of each study, which builds the graph of all jobs.

Each dry run is in a copy of this folder without results.

Example (from the folder of the workflow):
  python benchmarks/dag.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from overhead import ROOT, copy_workflow

from widedeep.runtime import events


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configfiles", nargs="*", type=Path, help="default: those in config/")
    args = parser.parse_args(argv)
    print("| study | jobs | wall s | processor s | peak MiB |\n|---|---|---|---|---|")
    for configfile in args.configfiles or sorted(ROOT.glob("config/*.yaml")):
        with tempfile.TemporaryDirectory() as folder:
            copy_workflow(Path(folder), configfile)
            jobs, wall, processor, memory = dry_run(folder)
        print(f"| {configfile.stem} | {jobs:,} | {wall:.1f} | {processor:.1f} | {memory:.0f} |", flush=True)


def dry_run(folder):
    """(jobs, wall seconds, processor seconds, peak MiB) of a dry run of study.yaml in a folder."""
    words = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", "study.yaml"]
    planned = Path(folder, "dry_run.jsonl")
    environment = {**os.environ, events.ELSEWHERE: str(planned)}
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT)
        # The peak begins with that of this process, which is small.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        run = events.newest_run(planned)
        if status or not run:
            said.seek(0)
            raise SystemExit(f"the dry run failed:\n{said.read()}")
    return run.total, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
