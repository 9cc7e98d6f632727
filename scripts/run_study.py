"""Run a study to its report, with a live line of progress: jobs done and left, and the positions of trainings.

This is a thin layer over Snakemake for use at a terminal. It starts `snakemake`, follows its events and the reports of
trainings, tells which jobs failed, and makes the report if it is out of date. Unknown options are passed to Snakemake.
Data and results lie in the folder where it is started, which need not be that of the workflow.

Examples:
  python scripts/run_study.py
  python scripts/run_study.py --configfile config/cifar10.yaml --cores 4
  python /path/to/workflow/scripts/run_study.py --configfile mine.yaml
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from widedeep.runtime import command, endings, environment, events, files, locking
from widedeep.runtime.interruption import STOPPED
from widedeep.runtime.units import duration
from widedeep.study import places

# Snakemake's locks of this folder; those of a Snakemake that was killed remain.
LOCKS = Path(".snakemake", "locks")
# Failed jobs whose logs are printed, and lines of each log.
FAILURES_TOLD, LINES_TOLD = 5, 20


def main(argv=None):
    parser = command.parser(__doc__)
    parser.add_argument("--configfile", default=places.DEMO, help="config of the study (default: the demo)")
    parser.add_argument("--profile", default=places.PROFILE, help="profile of the machine (default: one machine)")
    args, rest = parser.parse_known_args(argv)
    refuse_options(rest)
    environment.find_cache()
    snakemake = [sys.executable, "-m", "snakemake", *places.snakemake_options(args.configfile, args.profile)]
    configfile = configfile_of(snakemake)
    from widedeep.study import checks

    # Before Snakemake, which runs the code in a config that asks for it (__use_yte__).
    study = checks.read(configfile)
    log = log_of(study)
    # The log stands for the study: another run waits.
    with locking.only_writer([log]):
        return run(snakemake, rest, configfile, log, study)


def refuse_options(options):
    """Refuse options of Snakemake after which it would make another study than the one that is followed here.

    Args:
        options: words for Snakemake.

    Raises:
        UserError: one of them changes the config or the folder.
    """
    from widedeep.runtime.errors import UserError

    for word in options:
        # Snakemake takes shortened options too, as --conf and --dir.
        if word.startswith(("--conf", "-C")):
            raise UserError(f"{word}: a study is what its config file says; change a copy and give it to --configfile.")
        if word.startswith(("--dir", "-d")):
            raise UserError(f"{word}: start this program in the folder that shall hold data and results instead.")


def run(snakemake, options, configfile, log, study):
    """Run Snakemake to its end; for a finished study make the report and print the findings.

    Args:
        snakemake: words that start Snakemake for this study.
        options: further words for this run, which do not apply to the report.
        configfile: path of the config.
        log: path of the file for Snakemake's output.
        study: config.Study.

    Returns:
        exit status
    """
    results = Path(study.places.results)
    status, something_ran = follow([*snakemake, *options], log, study)
    if status:
        return status
    findings, report = results / "findings.csv", results / "report.html"
    if not findings.exists():  # after a dry run, or a run to some target
        print(f"Snakemake ended without errors, and the study is not finished. The output of Snakemake: {log}")
        return 0
    if is_stale(report, results, configfile):
        make_report(snakemake, report, log, results)
    print("Finished." if something_ran else "Nothing to do: everything is up to date.")
    print_findings(findings)
    print(f"Report:  {report}\nExplorer: {results / 'explorer.html'}\nFigures: {results / 'figures'}")
    print(f"Tables:  {results / 'summary.csv'}, {results / 'findings.md'}")
    return 0


def log_of(study):
    """Make the file for Snakemake's output, with its folder, and return its path.

    Raises:
        UserError: it cannot be written there.
    """
    log = Path(study.places.log("snakemake"))
    with files.explaining_os_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    return log


def print_findings(path):
    """Print the verdict on each claim of the paper."""
    import csv

    with open(path, newline="") as file:
        for finding in csv.DictReader(file):
            print(f"{finding['verdict']:>15}: {finding['claim']} ({finding['result']})")


def follow(snakemake, log, study, until=None):
    """Run Snakemake with its output in `log`, show the progress, and print the logs of jobs that failed.

    Args:
        snakemake: words of the command.
        log: path.
        study: config.Study.
        until: moment of time.monotonic() at which trainings are told to stop; None lets them run to their end.

    Returns:
        (exit status, whether a job ran); the status is STOPPED after `until`, and command.INTERRUPTED after Ctrl-C
    """
    started, began = time.monotonic(), time.time()
    with open(log, "w") as written:
        # With a process group of their own, Snakemake and its jobs can be told to stop without this process.
        group = None if until is None else 0
        process = subprocess.Popen(snakemake, stdout=written, stderr=subprocess.STDOUT, process_group=group)
        line, told, interrupted, watched = StatusLine(), 0, False, Watched(study.places.events, began)
        while True:
            try:
                ended = process.poll() is not None
                seen = watched.run()
                line.show(describe(seen, Path(study.places.results), time.monotonic() - started))
                if ended:
                    break
                if until is not None and time.monotonic() > until and seen and seen.jobs:
                    told += 1
                    tell_to_stop(process, told)
                time.sleep(1)
            except KeyboardInterrupt:
                interrupted = True
                if group is not None:  # else Snakemake receives the signal too, and ends its jobs
                    os.killpg(process.pid, signal.SIGINT)
                line.show("stopping: trainings write their checkpoints")
        line.end()
    something_ran = bool(seen and seen.done)
    if process.returncode and told and not interrupted:
        tell_failures(study, configfile_of(snakemake))
        return STOPPED, something_ran
    if process.returncode:
        no_room = without_room(Path(), Path(".snakemake"), Path(study.places.results))
        if not tell_failures(study, configfile_of(snakemake)) and not no_room:
            sys.stderr.write(Path(log).read_text(errors="replace"))
        sys.stderr.write(f"\nThe output of Snakemake: {log}. Finished files are kept; {how_to_go_on(snakemake)}\n")
        if no_room:
            raise no_room
    return command.INTERRUPTED if process.returncode and interrupted else process.returncode, something_ran


class Watched:
    """The events of the Snakemake that is followed; those of earlier runs in the file do not count.

    Args:
        path: of the file of events.
        began: seconds since the epoch, before Snakemake was started.
    """

    def __init__(self, path, began):
        self._path, self._began, self._read, self._run = path, began, None, None

    def run(self):
        """The events.Run of this Snakemake; None as long as it has started no job."""
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        if (status.st_mtime_ns, status.st_size) != self._read:
            self._read = status.st_mtime_ns, status.st_size
            self._run = events.newest_run(self._path)
        return self._run if self._run and self._run.started >= self._began else None


def tell_to_stop(snakemake, seconds):
    """Tell Snakemake, and two seconds later its jobs, to stop.

    Snakemake is told first, so that it starts no job after the signal to jobs. Each is told once, since a second signal
    would kill a training that is just ending.

    Args:
        snakemake: subprocess.Popen, in a process group of its own.
        seconds: since the end of the time; the caller counts them from 1.
    """
    if seconds == 1:
        snakemake.terminate()
    elif seconds == 3:
        os.killpg(snakemake.pid, signal.SIGTERM)


def tell_failures(study, configfile):
    """Print the failed jobs, the first ones with the ends of their logs.

    Returns:
        whether a job failed
    """
    from widedeep.planning import progress

    failed = [state for state in progress.states(study) if state.name == "failed"]
    for state in failed[:FAILURES_TOLD]:
        sys.stderr.write(f"\nfailed: {state.job.name}\n")
        if state.log:
            lines = Path(state.log).read_text(errors="replace").rstrip().splitlines()
            what = f"the last {LINES_TOLD} lines of" if len(lines) > LINES_TOLD else "its log:"
            sys.stderr.write("\n".join([*lines[-LINES_TOLD:], f"({what} {state.log})\n"]))
        if not endings.read_log(state.log).has_error:
            sys.stderr.write("It tells no error: it was killed, perhaps for its memory or its time.\n")
    if len(failed) > FAILURES_TOLD:
        script = places.from_here(places.WORKFLOW / "scripts/progress.py")
        listing = shlex.join(["python", script, "--configfile", str(configfile)])
        sys.stderr.write(f"\nand {len(failed) - FAILURES_TOLD} more. To see all of them: {listing}\n")
    return bool(failed)


def without_room(*folders):
    """The UserError of the first folder that cannot be written to, as on a full disk; None if all can.

    On a full disk neither jobs nor Snakemake can write why they failed.
    """
    from widedeep.runtime.errors import UserError

    try:
        for folder in filter(Path.is_dir, folders):
            with files.explaining_os_errors(folder.absolute()), tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(2**16))
    except UserError as error:
        return error
    return None


def configfile_of(snakemake):
    """The path of the config in the words that start Snakemake."""
    return snakemake[snakemake.index("--configfile") + 1]


def how_to_go_on(snakemake):
    """Advice on the next step; a Snakemake that was killed leaves its lock, and on a cluster its jobs."""
    if not (LOCKS.is_dir() and any(LOCKS.iterdir())):
        return "run the same command to go on."
    unlock = shlex.join(["snakemake", *snakemake[3:], "--unlock"])
    return (
        "another Snakemake runs in this folder, or one was killed here. If none runs, unlock the folder and go on:\n"
        f"  {unlock}\n"
        "On a cluster, cancel the jobs of a Snakemake that was killed first: scancel --name RUN_ID, where "
        ".snakemake/log says 'SLURM run ID: RUN_ID'."
    )


def describe(seen, results, seconds):
    """The line of progress: jobs done and left, time, and the position of each training.

    Args:
        seen: events.Run; None before its first job.
        results: pathlib.Path of the study's folder.
        seconds: since the start.
    """
    if not seen:
        return "looking for what there is to do"
    parts = [f"{seen.done} of {seen.total} jobs, {seen.total - seen.done} left, {duration(seconds)}"]
    return " | ".join(parts + [training for training in map(position_of, trainings(results)) if training])


def trainings(results):
    """Paths of the reports of running trainings, oldest first; old reports are of trainings that were killed."""
    from widedeep.planning.progress import FRESH
    from widedeep.study.places import PROGRESS

    reports = [(path.stat().st_ctime, path) for path in results.glob(f"models/*/seed*/{PROGRESS}")]
    return [path for changed, path in sorted(reports) if changed > time.time() - FRESH]


def position_of(path):
    """Text on the position of a training, from its report; empty if it has just ended."""
    try:
        now = json.loads(path.read_text())
    except (OSError, ValueError):
        return ""
    name = "-".join(now["name"].split("-")[-3:])  # without the data set
    return f"{name} epoch {now['epoch']}/{now['epochs']} loss {now['loss']:.3f} accuracy {now['accuracy']:.1%}"


class StatusLine:
    """A line that is overwritten on a terminal; elsewhere, a new line every ten seconds."""

    def __init__(self):
        self._terminal = sys.stdout.isatty()
        self._last = 0.0

    def show(self, text):
        if self._terminal:
            import shutil

            sys.stdout.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
        elif time.monotonic() - self._last >= 10:
            self._last = time.monotonic()
            sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def end(self):
        if self._terminal:
            sys.stdout.write("\r\x1b[K")


def is_stale(report, results, configfile):
    """Whether a figure, table, caption, the style or the config is newer than the report."""
    if not report.exists():
        return True
    captions = (places.WORKFLOW / "workflow/report").iterdir()
    sources = [configfile, *results.glob("figures/*"), *results.glob("*.csv"), *captions]
    return max(Path(source).stat().st_mtime for source in sources) > report.stat().st_mtime


def make_report(snakemake, report, log, results):
    """Make Snakemake's own report of a finished study, which no rule can make.

    Raises:
        UserError: Snakemake failed, or the disk is full.
    """
    from widedeep.runtime.errors import UserError

    print("Making the report")
    with files.replacing(report) as unfinished, open(log, "a") as written:
        style = places.from_here(places.WORKFLOW / "workflow/report/style.css")
        words = [*snakemake, "--report", str(unfinished), "--report-stylesheet", style]
        made = subprocess.run(words, stdout=written, stderr=subprocess.STDOUT)
        if made.returncode:
            sentence = f"{report}: was not made; the reason is at the end of {log}."
            raise without_room(results) or UserError(sentence)


if __name__ == "__main__":
    command.run(main)
