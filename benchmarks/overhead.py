"""Overhead of the workflow: wall time of a study, and processor seconds of all its processes by what they did.

A study is run from nothing in a copy of this folder. Every Python process records its processor seconds in the
interpreter, in imports, and in the rest, its work. With --finished, the timings of a finished study in this folder are
read instead, which are wall times.

Examples (from the folder of the workflow, on an idle machine):
  python benchmarks/overhead.py --configfile tests/workflow/tiny.yaml
  python benchmarks/overhead.py --configfile config/demo.yaml --finished
"""

import argparse
import collections
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
WORKFLOW = ("Snakefile", "workflow", "scripts", "environment.yml")
# Programs that start and watch the stages.
MANAGERS = ("snakemake", "run_study")
# Programs that compute results; most of the others draw.
SCIENCE = ("train", "dump_activations", "probe_residual_blocks", "compute_cka", "compute_pairs")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, default=ROOT / "config/demo.yaml", help="default: the demo")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="default: all")
    parser.add_argument("--finished", action="store_true", help="read the timings of a study that has run here")
    args = parser.parse_args(argv)
    if args.finished:
        print("\n".join(table_of_timings(args.configfile, args.cores)))
        return
    with tempfile.TemporaryDirectory() as folder:
        wall, processor, notes = run(Path(folder), args.configfile, args.cores)
    print("\n".join(table_of_notes(wall, processor, args.cores, notes)))


def run(folder, configfile, cores):
    """Run a study from nothing in `folder`.

    Returns:
        (wall seconds, processor seconds of all processes, list of the records of clock/sitecustomize.py)
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
    """The environment of this process, in which `python` is that of a folder; by default, this Python."""
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def copy_workflow(folder, configfile):
    """Copy the workflow without results into a folder, and a config to study.yaml in it."""
    for name in WORKFLOW:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    shutil.copy2(configfile, folder / "study.yaml")


def processor_seconds():
    """Processor seconds of all processes that this one started and that have ended, and of their children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table_of_notes(wall, processor, cores, notes):
    """Lines of two tables: processor seconds of each program, and shares of all processor seconds.

    Args:
        wall, processor: seconds of the whole study.
        cores: number of cores that were used.
        notes: list of dicts with program, interpreter, imports, seconds (clock/sitecustomize.py).
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


def table_of_timings(configfile, cores):
    """Lines of a table: wall seconds of a finished study by stage, from its timings and the events of its last run.

    Args:
        configfile: path of the config.
        cores: number of cores of that run.
    """
    from widedeep.planning import remaining
    from widedeep.runtime import events
    from widedeep.study import checks
    from widedeep.study.jobs import jobs_of

    study = checks.read(configfile)
    by_rule = collections.defaultdict(list)
    for job in jobs_of(study):
        by_rule[job.rule].append(remaining.timed(job))
    missing = sum(seconds is None for values in by_rule.values() for seconds in values)
    if missing:
        raise SystemExit(f"{study.places.results}: {missing} jobs have no timing; finish the study first.")
    run = events.newest_run(study.places.events)
    if not run or run.done < sum(map(len, by_rule.values())):
        raise SystemExit(
            f"{study.places.events}: its last run did not make the study from nothing; remove the results."
        )
    wall = run.changed - run.started
    lines = [f"{'stage':<24}{'jobs':>8}{'wall seconds':>15}"]
    lines += [f"{rule:<24}{len(values):>8}{sum(values):>15.1f}" for rule, values in by_rule.items()]
    jobs = sum(sum(values) for values in by_rule.values())
    return [
        *lines,
        "",
        f"wall time {wall:.0f} s on {cores} cores: {wall * cores:.0f} s, of which {jobs:.0f} s "
        f"({jobs / wall / cores:.1%}) in jobs, their start-up with them",
    ]


if __name__ == "__main__":
    main()
