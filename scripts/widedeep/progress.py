"""How far a study is, from its results folder and logs alone: no process is asked, so any machine that sees the files
can tell.

done       all files of the job are there.
running    a training holds the lock of its folder (locking.py), or reported its position a moment ago; another job has
           begun its log, and neither ended it with an error nor wrote its files.
failed     the log of its last attempt ends with an error, or Snakemake's log says so, and it has not begun again.
waiting    all others: not begun, told to stop (its checkpoint is there), killed, or put back into the queue.

Every file may be missing, half-written or just replaced: a study runs meanwhile. What a change of config or code makes
outdated is not seen here; Snakemake knows (`snakemake -n`).
"""

import fcntl
import io
import json
import os
import pickle
import re
import struct
import sys
import time
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from widedeep import expected, locking

# Seconds after which the last word of a training is no sign of life any more, where nobody holds its lock, and where
# the file system has no locks: a step or an evaluation of a large network takes minutes on a slow machine.
_FRESH, _FRESH_WITHOUT_LOCKS = 30, 600
# How long a training may take to import torch, on a file system that is slow, before it holds the lock.
_STARTING = 300
# No other job takes longer; one that was killed without a word counts as running for so long at most.
_LONGEST = 86_400
# Seconds by which the clocks of the nodes and of the file server may differ.
_SKEW = 60
_TAIL = 20_000
# Bytes that the structure of a checkpoint may have, unpacked: all but its tensors, far less than a megabyte.
_LARGEST = 1 << 24
_ERROR = re.compile(r"^(?:Traceback \(most recent call last\)|(?:\S+\.py: )?error: )", re.MULTILINE)
# Exit status 75: train.py and probe_blocks.py were told to stop.
_STOPPED = "stopped by SIG"
_RUN_ENDED = re.compile(r"^(?:Complete log|Nothing to be done)", re.MULTILINE)


@dataclass(frozen=True)
class State:
    """What is known of one job.

    Attributes:
        job: expected.Job.
        name: state, one of `done`, `running`, `failed`, `waiting`.
        age: seconds since the last word of a running job; None for others.
        position: of a training the dict with epoch, epochs, loss, accuracy that it last reported; None if unknown.
        checkpoint: epoch in which a job that waits goes on; None if from its beginning.
        log: path of the log that tells of a failed job; None for others.
        last_line: of this log; empty if it says nothing.
    """

    job: expected.Job
    name: str
    age: float | None = None
    position: dict | None = None
    checkpoint: int | None = None
    log: str | None = None
    last_line: str = ""


def states(config, now=None):
    """The State of each job of a checked config, in the order of the pipeline; paths are relative to this folder.

    Args:
        config: checked.
        now: seconds since the epoch, for tests.
    """
    return _Study(config, time.time() if now is None else now).states()


class _Study:
    def __init__(self, config, now):
        self._jobs = expected.jobs(config)
        self._keeps_dumps = config["dumps"]["keep"]
        self._run = newest_run(config["study"])
        self._listings, self._now = {}, now

    def states(self):
        made = [self._is_made(job) for job in self._jobs]
        self._read_again = self._dumps_to_be_read(made) if not self._keeps_dumps else set()
        return [
            State(job, "done") if whole and self._is_kept(job) else self._unfinished(job)
            for job, whole in zip(self._jobs, made, strict=True)
        ]

    def _is_there(self, path):
        """Whether a file exists; a folder is listed once, for a study has thousands of files."""
        folder, name = os.path.split(path)
        if folder not in self._listings:
            try:
                self._listings[folder] = set(os.listdir(folder))
            except OSError:
                self._listings[folder] = set()
        return name in self._listings[folder]

    def _is_made(self, job):
        """Whether all that a finished job leaves is there."""
        return all(self._is_there(path) for path in job.outputs if self._keeps_dumps or not _is_dump(path))

    def _is_kept(self, job):
        """Whether no job that is to come needs a dump that was thrown away."""
        dumps = [path for path in job.outputs if _is_dump(path)]
        return all(path not in self._read_again or self._is_there(path) for path in dumps)

    def _dumps_to_be_read(self, made):
        """Paths of the dumps that unfinished jobs read: CKA one, a file of pairs those up to its seed."""
        seeds = {}
        for job in self._jobs:
            if job.rule == "dump_activations":
                ((model, seed),) = job.networks
                seeds.setdefault(model, {})[seed] = job.outputs[0]
        wanted = set()
        for job, whole in zip(self._jobs, made, strict=True):
            if whole or job.rule not in ("compute_cka", "compute_pairs"):
                continue
            for model, largest in job.networks:
                exact = job.rule == "compute_cka"
                wanted |= {p for seed, p in seeds[model].items() if (seed == largest if exact else seed <= largest)}
        return wanted

    def _unfinished(self, job):
        log = _Log(self._log_of(job, "errors.log" if job.rule == "train" else "log"))
        if self._is_of_an_earlier_run(log):
            log = _Log(None)
        return self._training(job, log) if job.rule == "train" else self._other(job, log)

    def _log_of(self, job, suffix):
        """Path of a job's log: logs and timings mirror each other."""
        path = Path(job.timing.replace("/timings/", "/logs/", 1)).with_suffix(f".{suffix}")
        return path if self._is_there(path) else None

    def _is_of_an_earlier_run(self, log):
        """Whether a log was written before the Snakemake began that works now: the job waits to be tried again."""
        run = self._run
        return bool(run and not run.ended and log.changed and log.changed < run.started - _SKEW)

    def _training(self, job, errors):
        folder = Path(job.outputs[0]).parent
        story = _Log(self._log_of(job, "log"))
        position, reported = _position(folder / "progress.json")
        lock = locking.path_of(job.outputs[0])
        held = _is_held(lock) if self._is_there(lock) else False
        began = errors.changed or 0
        words = [moment for moment in (reported, errors.changed) if moment]
        running = State(
            job, "running", self._age(max(words, default=self._now)), position if reported > began else None
        )
        if held:
            return running
        # The story is of all attempts: what was said before this one began is not of this one.
        stopped = errors.was_stopped or (story.was_stopped and story.changed >= max(began, reported - _SKEW))
        if errors.has_error or (self._run_says_failed(job) and not stopped):
            return _failed(job, errors if errors.has_error or not story.path else story)
        fresh = _FRESH_WITHOUT_LOCKS if held is None else _FRESH
        alive = self._is_alive(reported, fresh) if reported > began else self._is_alive(began, _STARTING)
        if alive and not stopped:
            return running
        return State(job, "waiting", checkpoint=_checkpoint_epoch(folder / "checkpoint.pt"))

    def _other(self, job, log):
        saved = Path(job.outputs[0]).with_suffix(".checkpoint.pt")  # of probes
        checkpoint = _checkpoint_epoch(saved) if self._is_there(saved) else None
        if log.was_stopped:
            return State(job, "waiting", checkpoint=checkpoint)
        if log.has_error or self._run_says_failed(job):
            return _failed(job, log)
        word = max(log.changed, _changed(saved) or 0) if log.path else 0
        if self._is_alive(word, _LONGEST):
            return State(job, "running", self._age(word))
        return State(job, "waiting", checkpoint=checkpoint)

    def _run_says_failed(self, job):
        return bool(self._run and not self._run.failed.isdisjoint(job.outputs))

    def _is_alive(self, word, limit):
        """Whether a last word is not older than `limit` seconds, nor than the end of Snakemake, which ends its jobs."""
        survived = not (self._run and self._run.ended and word <= self._run.changed)
        return bool(word) and self._age(word) < limit and survived

    def _age(self, moment):
        # The file server's clock may be ahead of ours.
        return max(0.0, self._now - moment)


class _Log:
    """The end of a job's log.

    Attributes:
        path: None if there is none.
        changed: seconds since the epoch, or None.
        last_line: that is not empty.
        was_stopped: whether the job was told to stop, and ended for that reason.
        has_error: whether it tells of an error.
    """

    def __init__(self, path):
        text, self.changed = _tail(path) if path else ("", None)
        self.path = path if self.changed is not None else None
        lines = text.split("\n")
        self.last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        # The second is what a Python writes that was interrupted before it listened to signals.
        self.was_stopped = self.last_line.startswith(_STOPPED) or self.last_line == "KeyboardInterrupt"
        self.has_error = not self.was_stopped and bool(_ERROR.search(text))


@dataclass(frozen=True)
class Run:
    """What Snakemake's log tells of its run.

    Attributes:
        started, changed: seconds since the epoch.
        ended: whether the run is over.
        failed: set of the outputs of jobs that failed, and were not tried again.
    """

    started: float
    changed: float
    ended: bool
    failed: frozenset


def newest_run(study):
    """The newest Run of a study: of the log that run_study.py writes, or Snakemake's own. None if there is none."""
    logs = [Path("results", study, "logs", "snakemake.log"), *Path(".snakemake", "log").glob("*.snakemake.log")]
    by_age = sorted((changed, path) for path in logs if (changed := _changed(path)))
    for changed, path in reversed(by_age):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        # Another study of this folder, or nothing but a plan.
        if f"results/{study}/" in text and "This was a dry-run" not in text:
            return Run(_started(text, changed), changed, bool(_RUN_ENDED.search(text)), _failed_outputs(text))
    return None


def _started(text, changed):
    """When a run began, as its log says."""
    found = re.search(r"^  Date: (.+)$", text, re.MULTILINE)
    try:
        return datetime.fromisoformat(found[1]).timestamp() if found else changed
    except ValueError:
        return changed


def _failed_outputs(text):
    """Outputs of the jobs that a log of Snakemake calls failed, but for those that began again later."""
    failed, block = {}, None
    for line in text.splitlines():
        if line.startswith("Error in "):
            block = {}
        elif block is not None and line.startswith("    ") and ": " in line:
            key, value = line.strip().split(": ", 1)
            block[key] = value
            if "jobid" in block and "output" in block:
                failed[block["jobid"]] = block["output"].split(", ")
        elif line and not line.startswith(" "):
            block = None
            again = re.match(r"(?:Job (\d+): |Trying to restart job (\d+)|Finished jobid: (\d+))", line)
            if again:
                failed.pop(again[1] or again[2] or again[3], None)
    return frozenset(path for outputs in failed.values() for path in outputs)


def _failed(job, log):
    return State(job, "failed", log=str(log.path) if log.path else None, last_line=log.last_line)


def _is_dump(path):
    return path.endswith("/activations.h5")


def _position(path):
    """(what a training reported, when in seconds since the epoch); (None, 0) if nothing whole is there."""
    try:
        with open(path) as file:
            position, changed = json.load(file), os.fstat(file.fileno()).st_mtime
            return {key: position[key] for key in ("epoch", "epochs", "loss", "accuracy")}, changed
    except (OSError, ValueError, KeyError, TypeError):
        return None, 0.0


class _WithoutCode(pickle.Unpickler):
    """Reads the structure of a checkpoint: whatever it names is replaced by something empty, so nothing can run."""

    class _Empty(dict):
        def __init__(self, *_):
            super().__init__()

    def find_class(self, _module, _name):
        return self._Empty

    def persistent_load(self, _identity):
        return None


def _is_held(lock):
    """Whether a process, on this or another node, holds a lock file now; nothing is locked or written.

    Returns:
        bool, or None where that cannot be known: no such file, no locks in the file system, not Linux.
    """
    if sys.platform != "linux":
        return None
    # struct flock of fcntl(2): type, whence, start, length, process.
    question = struct.pack("hhlli", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with open(lock, "rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, question)
    except OSError:
        return None
    return struct.unpack("hhlli", answer)[0] != fcntl.F_UNLCK


def _checkpoint_epoch(path):
    """The epoch, counted from 1, in which a checkpoint goes on; None if it is not there or cannot be read.

    Without torch, which takes seconds to import.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (part,) = (part for part in archive.infolist() if part.filename.endswith("/data.pkl"))
            if part.file_size > _LARGEST:
                return None
            return _WithoutCode(io.BytesIO(archive.read(part))).load()["state"]["epoch"] + 1
    except Exception:  # half-written, just removed, or damaged in one of many ways
        return None


def _tail(path):
    """(the last part of a file's text, when it was changed); ("", None) if it cannot be read."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            file.seek(max(0, status.st_size - _TAIL))
            return file.read().decode(errors="replace"), status.st_mtime
    except OSError:
        return "", None


def _changed(path):
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None
