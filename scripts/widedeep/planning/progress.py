"""Progress of a study, from its results folder and logs alone, on any machine that sees the files.

done       all files of the job are there.
running    a training: holds the lock of its folder (locking.py), or has just reported its position. Another job: has
           begun its log, which holds no error, and not written its files yet.
failed     the log of its last attempt ends with an error, or Snakemake's events report a failure, and it has not begun
           again.
waiting    all others: not begun, told to stop (its checkpoint is there), killed, or back in the queue.

The study may be running meanwhile, so every file may be missing, half-written or just replaced. Files that a change of
config or code has made outdated count as done; only Snakemake knows of them (`snakemake -n`).
"""

import fcntl
import io
import json
import os
import pickle
import struct
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from widedeep.runtime import endings, events, locking
from widedeep.study import places
from widedeep.study.jobs import Job, jobs_of

# Seconds after which the last report of a training is no sign of life any more: where nobody holds its lock, and where
# the file system has no locks. A step or an evaluation of a large network takes minutes on a slow machine.
FRESH, _FRESH_WITHOUT_LOCKS = 30, 600
# Seconds that a training may take, on a slow file system, to import torch before it holds the lock.
_STARTING = 300
# Seconds after which a job other than a training no longer counts as running: it was killed without a message.
_LONGEST = 86_400
# Seconds by which the clocks of the nodes and of the file server may differ.
_SKEW = 60
# Most bytes of the unpacked structure of a checkpoint, which is all but its tensors; real ones have far less than a MB.
_LARGEST = 1 << 24


@dataclass(frozen=True)
class State:
    """State of one job.

    Attributes:
        job: jobs.Job.
        name: `done`, `running`, `failed` or `waiting`.
        age: seconds since the last sign of life of a running job; None for others.
        position: last report of a running training, a dict with epoch, epochs, loss, accuracy; None if unknown.
        checkpoint: epoch in which a waiting job goes on; None if it starts from the beginning.
        log: path of the log of a failed job; None if there is none, and for others.
        last_line: last line of this log; empty if it has none.
    """

    job: Job
    name: str
    age: float | None = None
    position: dict | None = None
    checkpoint: int | None = None
    log: str | None = None
    last_line: str = ""


def states(study, now=None):
    """list of the State of each job of a study, in the order of the pipeline.

    Args:
        study: config.Study; its paths are relative to the current folder.
        now: seconds since the epoch; None stands for the present. Tests set it.
    """
    return _Observed(study, time.time() if now is None else now).states()


class _Observed:
    """The jobs of a study and what its files say of them.

    Args:
        study: config.Study.
        now: seconds since the epoch.
    """

    def __init__(self, study, now):
        self._jobs = jobs_of(study)
        self._keeps_dumps = study.dumps.keep
        self._run = events.newest_run(study.places.events)
        self._listings, self._now = {}, now

    def states(self):
        made = [self._is_made(job) for job in self._jobs]
        self._read_again = self._dumps_to_be_read(made) if not self._keeps_dumps else set()
        return [
            State(job, "done") if whole and self._is_kept(job) else self._unfinished(job)
            for job, whole in zip(self._jobs, made, strict=True)
        ]

    def _is_there(self, path):
        """Whether a file exists; each folder is listed once, since a study has thousands of files."""
        folder, name = os.path.split(path)
        if folder not in self._listings:
            try:
                self._listings[folder] = set(os.listdir(folder))
            except OSError:
                self._listings[folder] = set()
        return name in self._listings[folder]

    def _is_made(self, job):
        """Whether all outputs of a job are there, without dumps if the study deletes them."""
        return all(self._is_there(path) for path in job.writes if self._keeps_dumps or not _is_dump(path))

    def _is_kept(self, job):
        """Whether no unfinished job needs a dump of this job that was deleted."""
        dumps = [path for path in job.writes if _is_dump(path)]
        return all(path not in self._read_again or self._is_there(path) for path in dumps)

    def _dumps_to_be_read(self, made):
        """Paths of the dumps that unfinished jobs read."""
        unfinished = (job for job, whole in zip(self._jobs, made, strict=True) if not whole)
        return {path for job in unfinished for path in job.reads if _is_dump(path)}

    def _unfinished(self, job):
        log = self._read(job.log)
        if self._is_of_an_earlier_run(log):
            log = endings.Log()
        return self._training(job, log) if job.rule == "train" else self._other(job, log)

    def _read(self, log):
        """The endings.Log at a path, empty if there is no file."""
        return endings.read_log(log) if self._is_there(log) else endings.Log()

    def _is_of_an_earlier_run(self, log):
        """Whether a log is older than the run that is going on, in which the job waits to be tried again."""
        run = self._run
        return bool(run and not run.ended and log.changed and log.changed < run.started - _SKEW)

    def _training(self, job, errors):
        folder = Path(job.outputs["model"]).parent
        all_attempts = self._read(log_of_all_attempts(job))
        position, reported = _position(folder / places.PROGRESS)
        lock = locking.path_of(job.outputs["model"])
        held = _is_held(lock) if self._is_there(lock) else False
        began = errors.changed or 0
        signs = [moment for moment in (reported, errors.changed) if moment]
        running = State(
            job, "running", self._age(max(signs, default=self._now)), position if reported > began else None
        )
        if held:
            return running
        # train.log is of all attempts; what was written before this attempt began is of an earlier one.
        stopped = errors.was_stopped or (
            all_attempts.was_stopped and all_attempts.changed >= max(began, reported - _SKEW)
        )
        if errors.has_error or (self._run_says_failed(job) and not stopped):
            return _failed(job, errors if errors.has_error or not all_attempts.path else all_attempts)
        fresh = _FRESH_WITHOUT_LOCKS if held is None else FRESH
        alive = self._is_alive(reported, fresh) if reported > began else self._is_alive(began, _STARTING)
        if alive and not stopped:
            return running
        return State(job, "waiting", checkpoint=_checkpoint_epoch(_checkpoint_of(job)))

    def _other(self, job, log):
        saved = _checkpoint_of(job)
        checkpoint = _checkpoint_epoch(saved) if saved and self._is_there(saved) else None
        if log.was_stopped:
            return State(job, "waiting", checkpoint=checkpoint)
        if log.has_error or self._run_says_failed(job):
            return _failed(job, log)
        sign = max(log.changed, (saved and _changed(saved)) or 0) if log.path else 0
        if self._is_alive(sign, _LONGEST):
            return State(job, "running", self._age(sign))
        return State(job, "waiting", checkpoint=checkpoint)

    def _run_says_failed(self, job):
        return bool(self._run and self._run.jobs.get(events.key(job.rule, job.wildcards)) == "failed")

    def _is_alive(self, sign, limit):
        """Whether a sign of life is recent enough, and not older than the end of the run, which ends its jobs.

        Args:
            sign: moment of the last sign of life; 0 if there was none.
            limit: seconds.
        """
        survived = not (self._run and self._run.ended and sign <= self._run.changed)
        return bool(sign) and self._age(sign) < limit and survived

    def _age(self, moment):
        # The file server's clock may be ahead of ours.
        return max(0.0, self._now - moment)


def _failed(job, log):
    return State(job, "failed", log=str(log.path) if log.path else None, last_line=log.last_line)


def _checkpoint_of(job):
    """Path of the checkpoint of a job, beside its outputs; None for jobs that write none."""
    name = places.CHECKPOINTS.get(job.rule)
    return name and Path(job.writes[0]).with_name(name)


def log_of_all_attempts(job):
    """Path of the log of a training that holds all its attempts."""
    return job.log.replace(".errors.log", ".log")


def _is_dump(path):
    return path.endswith("/activations.h5")


def _position(path):
    """(last report of a training, its time in seconds since the epoch); (None, 0) if there is no whole report."""
    try:
        with open(path) as file:
            position, changed = json.load(file), os.fstat(file.fileno()).st_mtime
            return {key: position[key] for key in ("epoch", "epochs", "loss", "accuracy")}, changed
    except (OSError, ValueError, KeyError, TypeError):
        return None, 0.0


class _WithoutCode(pickle.Unpickler):
    """Reads the structure of a checkpoint, with empty objects in place of all it names, so that no code can run."""

    class _Empty(dict):
        def __init__(self, *_):
            super().__init__()

    def find_class(self, _module, _name):
        return self._Empty

    def persistent_load(self, _identity):
        return None


def _is_held(lock):
    """Whether a process, on this or another node, holds a lock file; asks without locking or writing.

    Returns:
        bool; None if that is unknown: the file is missing, the file system has no locks, or this is not Linux
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
    """Epoch, counted from 1, in which a checkpoint goes on; None if it is missing or cannot be read.

    It is read without torch, which takes seconds to import.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (part,) = (part for part in archive.infolist() if part.filename.endswith("/data.pkl"))
            if part.file_size > _LARGEST:
                return None
            return _WithoutCode(io.BytesIO(archive.read(part))).load()["state"]["epoch"] + 1
    except Exception:  # half-written, just removed, or damaged in one of many ways
        return None


def _changed(path):
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None
