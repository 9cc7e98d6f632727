"""events.jsonl: the jobs of a study that Snakemake starts and ends, one event a line.

    run         a run with jobs to do began: total (number of jobs)
    started     a job began: rule, wildcards
    finished    a job ended: rule, wildcards
    failed      a job failed, and may start again: rule, wildcards
    progress    numbers of jobs: done, total
    end         the run ended; missing if the run was killed

Each line also has its time, in seconds since the epoch. The Snakefile attaches `Handler` to Snakemake's logger, so the
file is written however Snakemake was started. The handler reads the fields that Snakemake's records have for logger
plugins, not the printed text.
"""

import contextlib
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

# The environment variable that names another file for the events. A dry run writes events only if it is set.
ELSEWHERE = "WIDEDEEP_EVENTS"
# The event that is written for each value of snakemake_interface_logger_plugins.common.LogEvent.
_OF_JOBS = {"job_info": "started", "job_finished": "finished", "job_error": "failed"}


class Handler(logging.Handler):
    """A handler of Snakemake's logger that appends events to a file.

    Events that cannot be written, as on a full disk, are dropped: they must not stop the run.

    Args:
        path: of the file; its folder is made with the first event.
    """

    def __init__(self, path):
        super().__init__()
        self._path, self._file, self._jobs = Path(path), None, {}

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == "run_info":
            self._write("run", total=sum(count for rule, count in record.stats.items() if rule != "total"))
        elif event == "progress":
            self._write("progress", done=record.done, total=record.total)
        elif event in _OF_JOBS:
            number = record.job_id if event == "job_finished" else record.jobid
            if event == "job_info":
                self._jobs[number] = {"rule": record.rule_name, "wildcards": dict(record.wildcards)}
            if number in self._jobs:
                self._write(_OF_JOBS[event], **self._jobs[number])

    def close(self):
        if self._file:
            self._write("end")
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        super().close()

    def _write(self, event, **more):
        with contextlib.suppress(OSError):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(self._path, "a")  # noqa: SIM115 (closed in close)
                if self._file.tell():
                    self._file.write("\n")  # a run that was killed may have left half a line
            self._file.write(json.dumps({"event": event, "time": time.time(), **more}) + "\n")
            self._file.flush()


@dataclass(frozen=True)
class Run:
    """The newest run in a file of events.

    Attributes:
        started, changed: times of its first and its newest event, in seconds since the epoch.
        ended: whether the run is over.
        done, total: numbers of jobs.
        jobs: dict from the `key` of each job that began to its last event: started, finished or failed.
    """

    started: float
    changed: float
    ended: bool
    done: int
    total: int
    jobs: dict


def key(rule, wildcards):
    """Return the key of a job, from its rule and its dict of wildcards."""
    return rule, tuple(sorted((name, str(value)) for name, value in wildcards.items()))


def newest_run(path):
    """Read the newest Run from a file of events; None if there is no file, or no run in it."""
    run = None
    for event in events_in(path):
        if event["event"] == "run":
            run = {"started": event["time"], "ended": False, "done": 0, "total": event["total"], "jobs": {}}
        elif run is None:
            continue
        elif event["event"] == "progress":
            run["done"], run["total"] = event["done"], event["total"]
        elif event["event"] == "end":
            run["ended"] = True
        else:
            run["jobs"][key(event["rule"], event["wildcards"])] = event["event"]
        run["changed"] = event["time"]
    return run and Run(**run)


def events_in(path):
    """Yield the events of a file as dicts, in order; lines that are cut off or hold anything else are skipped."""
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            event = json.loads(line)
            needed = {"run": ("total",), "progress": ("done", "total"), "end": ()}.get(
                event["event"], ("rule", "wildcards")
            )
            if event["event"] in {*_OF_JOBS.values(), "run", "progress", "end"}:
                yield {"event": event["event"], "time": float(event["time"]), **{name: event[name] for name in needed}}


def path_from_environment(path):
    """Return the file for the events of a run: `path`, unless the environment names another one."""
    return os.environ.get(ELSEWHERE, path)
