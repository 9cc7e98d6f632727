"""What a workflow costs beside its science: wall time, and the processor seconds of every process, by what they did.

Runs a study from nothing in a copy of this folder, with every Python process telling how many processor seconds went
into the interpreter, into imports, and into the rest, its work. With --finished it reads the timings that a finished
study in this folder has left instead; these know wall times only.

Examples (from the folder of the workflow, on an idle machine):
  python benchmarks/overhead.py --configfile tests/workflow/tiny.yaml
  python benchmarks/overhead.py --configfile config/demo.yaml --finished
"""

import argparse
import collections
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
WORKFLOW = ("Snakefile", "workflow", "scripts", "environment.yml")
# What starts and watches the stages.
MANAGERS = ("snakemake", "run_study")
# What a study is for; of the others most draw.
SCIENCE = ("train", "dump_activations", "probe_blocks", "compute_cka", "compute_pairs")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, default=ROOT / "config/demo.yaml", help="default: the demo")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="default: all")
    parser.add_argument("--finished", action="store_true", help="read a study that has run here instead")
    args = parser.parse_args(argv)
    if args.finished:
        print("\n".join(table_of_timings(args.configfile)))
        return
    with tempfile.TemporaryDirectory() as folder:
        wall, processor, notes = run(Path(folder), args.configfile, args.cores)
    print("\n".join(table_of_notes(wall, processor, args.cores, notes)))


def run(folder, configfile, cores):
    """Run a study from nothing in `folder`.

    Returns:
        (wall seconds, processor seconds of all processes, list of what clock/sitecustomize.py noted of each Python)
    """
    copy_workflow(folder, configfile)
    notes = folder / "notes"
    notes.mkdir()
    clock = ROOT / "benchmarks/clock"
    environment = {**with_python_of(), "PYTHONPATH": str(clock), "CLOCK_NOTES": str(notes)}
    words = [sys.executable, "scripts/run_study.py", "--configfile", "study.yaml", "--cores", str(cores)]
    started, before = time.monotonic(), processor_seconds()
    subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    wall, processor = time.monotonic() - started, processor_seconds() - before
    return wall, processor, [json.loads(path.read_text()) for path in notes.iterdir()]


def with_python_of(folder=Path(sys.executable).parent):
    """The environment of this process, in which the shells of jobs find the `python` of a folder, else this one."""
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def copy_workflow(folder, configfile):
    """Copy the workflow without results into a folder, and a config file as its study.yaml."""
    for name in WORKFLOW:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    shutil.copy2(configfile, folder / "study.yaml")


def processor_seconds():
    """Of all processes that this one started and that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table_of_notes(wall, processor, cores, notes):
    """Lines: what each program cost, and the shares of all processor seconds.

    Args:
        wall, processor: seconds.
        cores: that were used.
        notes: list of dicts with program, interpreter, imports, seconds.
    """
    programs = collections.defaultdict(collections.Counter)
    for note in notes:
        work = note["seconds"] - note["interpreter"] - note["imports"]
        programs[note["program"]].update(
            processes=1, interpreter=note["interpreter"], imports=note["imports"], work=work
        )
    columns = ("interpreter", "imports", "work")
    lines = [f"{'processor seconds':<24}{'processes':>10}" + "".join(f"{name:>13}" for name in [*columns, "all"])]
    for program, used in sorted(programs.items(), key=lambda item: -sum(item[1][name] for name in columns)):
        numbers = [used[name] for name in columns]
        lines.append(
            f"{program:<24}{used['processes']:>10.0f}" + "".join(f"{n:>13.1f}" for n in [*numbers, sum(numbers)])
        )
    total = sum(programs.values(), collections.Counter())
    rest = processor - sum(total[name] for name in columns)
    lines.append(f"{'shells, git, ends':<24}{'':>49}{rest:>13.1f}")
    stages = [used for program, used in programs.items() if program not in MANAGERS]
    science = sum(programs[name]["work"] for name in SCIENCE)
    others = sum(used["work"] for used in stages) - science
    started = sum(used["interpreter"] + used["imports"] for used in stages)
    managed = sum(sum(programs[name][column] for column in columns) for name in MANAGERS)
    lines += ["", f"wall time {wall:.1f} s on {cores} cores, {processor:.1f} processor seconds, of which"]
    parts = {
        "work of trainings, dumps, probes, CKA": science,
        "work of the other stages": others,
        "start-up of the stages": started,
        "Snakemake and run_study": managed,
        "shells, git, ends": rest,
    }
    for name, seconds in parts.items():
        lines.append(f"  {name:<39}{seconds:>8.1f} s{seconds / processor:>8.1%}")
    return lines


def table_of_timings(configfile):
    """Lines: wall seconds of a finished study by stage, from its timings and Snakemake's log."""
    from widedeep.planning import remaining
    from widedeep.runtime.errors import UserError
    from widedeep.study import config as study_config
    from widedeep.study import jobs as study_jobs

    config = study_config.read(configfile)
    by_rule = collections.defaultdict(list)
    for job in study_jobs.jobs(config):
        by_rule[job.rule].append(remaining.timed(job))
    missing = sum(seconds is None for values in by_rule.values() for seconds in values)
    if missing:
        raise SystemExit(f"results/{config['study']}: {missing} jobs have no timing; finish the study first.")
    lines = [f"{'stage':<20}{'jobs':>8}{'wall seconds':>15}"]
    lines += [f"{rule:<20}{len(values):>8}{sum(values):>15.1f}" for rule, values in by_rule.items()]
    try:
        wall, cores = wall_of(Path("results", config["study"], "logs", "snakemake.log"))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    jobs = sum(sum(values) for values in by_rule.values())
    return [
        *lines,
        "",
        f"wall time {wall:.0f} s on {cores} cores: {wall * cores:.0f} s, of which {jobs:.0f} s "
        f"({jobs / wall / cores:.1%}) in jobs, their start-up with them",
    ]


def wall_of(log):
    """(seconds from the first to the last time in a log of Snakemake, cores that it was given).

    Raises:
        UserError: the log is missing, or of a run in which nothing was done.
    """
    from widedeep.runtime.errors import UserError

    text = log.read_text(errors="replace") if log.exists() else ""
    times = re.findall(r"^\[\w{3} (\w{3} +\d+ [\d:]{8} \d{4})\]$", text, re.MULTILINE)
    cores, date = (re.search(pattern, text, re.MULTILINE) for pattern in (r"^Provided cores: (\d+)", r"^  Date: (.+)$"))
    if not (times and cores and date):
        raise UserError(f"{log}: is not the log of a run that did something; run the study from nothing.")
    ended = datetime.strptime(times[-1], "%b %d %H:%M:%S %Y")
    return (ended - datetime.fromisoformat(date[1])).total_seconds(), int(cores[1])


if __name__ == "__main__":
    main()
