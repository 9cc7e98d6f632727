"""A results folder of the tiny study whose files a test makes up, each with its age."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from widedeep.planning import progress
from widedeep.runtime import provenance
from widedeep.study import checks
from widedeep.study.jobs import jobs_of
from widedeep.training.checkpoint import Checkpoint

TINY = Path("tests/workflow/tiny.yaml").resolve()
SCRIPTS = Path("scripts").resolve()
EIGHT = "digits-resnet8-w1-f100/seed1/train"
DUMP = "digits-resnet8-w1-f100/seed1/dump_activations"
FOLDER = Path("results/tiny/models/digits-resnet8-w1-f100/seed1")
LOGS = Path("results/tiny/logs")
ERRORS, STORY = LOGS / f"{EIGHT}.errors.log", LOGS / f"{EIGHT}.log"
EVENTS = LOGS / "events.jsonl"


class Results:
    """The results folder, below the current folder.

    Attributes:
        study: config.Study of the tiny study.
        now: seconds since the epoch, to which ages refer.
    """

    def __init__(self):
        self.study, self.now = checks.read(TINY), time.time()

    def change(self, section, **values):
        """Change some options of a section of the config."""
        changed = getattr(self.study, section).model_copy(update=values)
        self.study = self.study.model_copy(update={section: changed})

    @property
    def jobs(self):
        """dict from the name of each job to the jobs.Job."""
        return {job.name: job for job in jobs_of(self.study)}

    def state(self, name=EIGHT):
        """The progress.State of a job."""
        (found,) = (state for state in progress.states(self.study, self.now) if state.job.name == name)
        return found

    def states(self):
        return progress.states(self.study, self.now)

    def write(self, path, text="", age=0.0):
        """A file that was last changed so many seconds ago."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
        os.utime(path, (self.now - age, self.now - age))

    def finish(self, name, seconds=10):
        """All that a finished job leaves."""
        job = self.jobs[name]
        for path in job.writes:
            self.write(path)
        self.write(job.timing, f"s\tcpu_time\n{seconds}\t1\n")
        if "provenance" in job.outputs:
            attempts = [{**provenance.Attempt().so_far(), "seconds": seconds}]
            provenance.write(job.outputs["provenance"], "train", ("m", 1), {}, attempts, [])

    def report(self, age, epoch=3):
        """What a training reports of itself."""
        position = {"name": "n", "epoch": epoch, "epochs": 10, "step": 1, "loss": 0.5, "accuracy": 0.25}
        self.write(FOLDER / "progress.json", json.dumps(position), age)

    def events(self, *happened, began=3600.0, age=0.0):
        """The file of events of one run.

        Args:
            happened: (event, name of a job) each, as ("failed", DUMP), or ("end", None).
            began: seconds since the run began.
            age: seconds since the other events.
        """
        lines = [{"event": "run", "time": self.now - began, "total": 9}]
        for event, name in happened:
            job = self.jobs.get(name)
            of_job = {"rule": job.rule, "wildcards": {k: str(v) for k, v in job.wildcards.items()}} if job else {}
            lines.append({"event": event, "time": self.now - age, **of_job})
        self.write(EVENTS, "".join(json.dumps(line) + "\n" for line in lines))


def checkpoint(path, epoch):
    """A real checkpoint in some epoch, counted from 0."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "step": 5}
    history = {"sums": torch.zeros(2), "history": [{"epoch": 1}]}
    # The word epoch is in the settings too.
    Checkpoint(path, {"schedule": "epoch", "epochs": 10}).save({**state, **history}, {"started": 1})


@contextlib.contextmanager
def held_lock(folder):
    """Another process holds the lock of a training."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from widedeep.runtime import locking\n"
        "with locking.only_writer(sys.argv[2:]):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", code, SCRIPTS, folder / "model.safetensors"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield
        process.stdin.close()
