"""events.jsonl: what Snakemake does with the jobs of a study, a line an event, for those who follow a run.

    run         a run began that has jobs to do: total
    started     a job began: rule, wildcards
    finished, failed    it ended: rule, wildcards; a job that failed may start again
    progress    done and total, numbers of jobs
    end         the run ended; a killed one has no such line

Every line has its event and its time in seconds since the epoch. The Snakefile attaches the handler to Snakemake's
logger, so that the file is written however Snakemake was started. Its records are those of Snakemake's interface for
logger plugins, which name the event and its job: nothing is read from printed words.
"""

import contextlib
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

# Another place for the events, as of a dry run, which writes none otherwise.
ELSEWHERE = "WIDEDEEP_EVENTS"
# Values of snakemake_interface_logger_plugins.common.LogEvent, and what is written for them.
_OF_JOBS = {"job_info": "started", "job_finished": "finished", "job_error": "failed"}


class Handler(logging.Handler):
    """A handler of Snakemake's logger that appends events to a file; what cannot be written is left out.

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
            self._file.write(json.dumps({"event": event, "time": time.time(), **more}) + "\n")
            self._file.flush()


@dataclass(frozen=True)
class Run:
    """The newest run in a file of events.

    Attributes:
        started, changed: seconds since the epoch: its beginning, and its newest event.
        ended: whether the run is over.
        done, total: numbers of jobs.
        jobs: dict from the key of each job that began (`key`) to its last event.
    """

    started: float
    changed: float
    ended: bool
    done: int
    total: int
    jobs: dict


def key(rule, wildcards):
    """What identifies a job: its rule and wildcards."""
    return rule, tuple(sorted((name, str(value)) for name, value in wildcards.items()))


def newest_run(path):
    """The newest Run in a file of events; None if there is none, or nothing whole."""
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
    """The events of a file in their order; a line that is cut off, or anything else, is left out."""
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
    """Where a run writes its events: `path`, unless the environment names another place."""
    return os.environ.get(ELSEWHERE, path)
