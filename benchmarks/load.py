"""A study of thousands of small networks: shows leaks, and steps whose time grows faster than the study.

The networks are ResNet-8 0.5x on a tenth to a fifth of the digits, with one epoch, dump and CKA. First come Snakemake's
dry runs of a quarter, half and all of the study. Then it runs from nothing in a temporary copy of this folder, while
Snakemake's open files, its memory, and the number of finished jobs are recorded. Linux only.

With --hollow each job makes empty files at once, so that only the time of Snakemake remains.

Examples (from the folder of the workflow, on an idle machine; 5,000 jobs on two cores take hours, hollow ones minutes):
  python benchmarks/load.py --jobs 5000
  python benchmarks/load.py --jobs 5000 --hollow
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml
from dag import dry_run
from overhead import copy_workflow, with_python_of

from widedeep.runtime import events
from widedeep.study import checks

FRACTIONS = [0.1, 0.12, 0.14, 0.16, 0.18, 0.2]
JOBS_OF_A_NETWORK = 3
PARTS = 8
SECONDS_BETWEEN_LOOKS = 2
# Replaces python in the jobs of a hollow study: makes all files that a command names, and those of a training.
HOLLOW = """\
#!/bin/sh
for word; do
    case $word in
        */seed[0-9] | */seed[0-9][0-9] | */seed[0-9][0-9][0-9])
            made="$word/model.safetensors $word/history.csv $word/metrics.json $word/provenance.json" ;;
        results/*.* | data/*.*) made=$word ;;
        *) continue ;;
    esac
    for path in $made; do
        [ -e "$path" ] || { mkdir -p "${path%/*}" && : > "$path"; }
    done
done
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000, help="approximate number (default: 5000)")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="default: all")
    parser.add_argument("--hollow", action="store_true", help="jobs that make empty files")
    args = parser.parse_args(argv)
    networks = args.jobs // JOBS_OF_A_NETWORK
    print("| jobs | dry run, processor s | peak MiB | processor ms a job |\n|---|---|---|---|")
    for number in (networks // 4, networks // 2, networks):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            prepare(Path(folder), number)
            jobs, _, processor, memory = dry_run(folder)
        print(f"| {jobs:,} | {processor:.1f} | {memory:.0f} | {1000 * processor / jobs:.1f} |", flush=True)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        prepare(Path(folder), networks)
        looks = run(folder, args.cores, hollow(folder) if args.hollow else with_python_of())
    print("\n".join(["", *table(looks)]))


def prepare(folder, networks):
    """Copy the workflow into a folder, with a config of so many networks."""
    seeds = list(range(1, networks // len(FRACTIONS) + 1))
    study = {
        "study": "load",
        "dataset": {"name": "digits"},
        "grid": [{"depths": [8], "widths": [0.5], "fractions": FRACTIONS, "seeds": seeds}],
        "training": {"epochs": 1, "batch_size": 64, "learning_rate": 0.05, "batchnorm_momentum": 0.1, "flip": False},
        "dumps": {"batch_size": 64, "passes": 1, "keep": False},
    }
    written = folder / "load.yaml"
    written.write_text(yaml.safe_dump(study))
    copy_workflow(folder, written)


def hollow(folder):
    """The environment of this process, in which `python` is HOLLOW, written into a folder."""
    program = Path(folder, "bin/python")
    program.parent.mkdir()
    program.write_text(HOLLOW)
    program.chmod(0o755)
    return with_python_of(program.parent)


def run(folder, cores, environment):
    """Run the study.

    Returns:
        list of (seconds since the start, jobs that have ended, open files of Snakemake, its memory in MiB)
    """
    words = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--profile", "workflow/profiles/default"]
    words += ["--cores", str(cores), "--quiet", "rules"]
    of_run = Path(folder, checks.read(Path(folder, "study.yaml")).places.events)
    started, looks = time.monotonic(), []
    with open(Path(folder, "said"), "w+") as said:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=said, stderr=said)
        snakemake = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                held = snakemake.num_fds(), snakemake.memory_info().rss / 2**20
            except psutil.Error:  # just ended
                break
            looks.append((time.monotonic() - started, ended_in(of_run), *held))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        if process.wait():
            raise SystemExit(f"the study failed:\n{Path(said.name).read_text()[-3000:]}")
    return [*looks, (time.monotonic() - started, ended_in(of_run), *looks[-1][2:])]


def ended_in(path):
    """Number of jobs that have ended, of the newest run in a file of events."""
    run = events.newest_run(path)
    return run.done if run else 0


def table(looks):
    """Lines of Markdown: a row for each eighth of the jobs."""
    lines = ["| jobs ended | after s | wall s a job, of this part | open files | MiB |", "|---|---|---|---|---|"]
    total = looks[-1][1]
    before, jobs_before = next(look for look in looks if look[1])[:2]
    for part in range(1, PARTS + 1):
        seconds, jobs, files, memory = next(look for look in looks if look[1] >= total * part // PARTS)
        pace = (seconds - before) / max(jobs - jobs_before, 1)
        lines.append(f"| {jobs:,} | {seconds:,.0f} | {pace:.2f} | {files} | {memory:.0f} |")
        before, jobs_before = seconds, jobs
    return lines


if __name__ == "__main__":
    main()
