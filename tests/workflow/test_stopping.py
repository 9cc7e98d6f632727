"""Ctrl-C ends a run even if Snakemake loses the signal, as Python's asyncio does with one that comes as a task ends."""

import json
import sys
import time
from pathlib import Path

import pytest
import run_study
import study

from widedeep.runtime import command
from widedeep.study import checks

# Starts a job, and ends by SIGTERM alone; then it goes on without a further job, as Snakemake does.
DEAF = """
import json, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
job = {"event": "started", "time": time.time(), "rule": "train", "wildcards": {}}
with open(EVENTS, "a") as file:
    for event in ({"event": "run", "time": time.time(), "total": 2}, job):
        file.write(json.dumps(event) + "\\n")
signal.pause()
"""


@pytest.fixture
def interrupting(monkeypatch):
    """The first second of waiting ends with Ctrl-C, and the others are short."""
    sleep, slept = time.sleep, []

    def once(_seconds):
        slept.append(1)
        if len(slept) == 1:
            raise KeyboardInterrupt
        sleep(0.05)

    monkeypatch.setattr(run_study.time, "sleep", once)


@pytest.mark.usefixtures("interrupting")
def test_a_snakemake_that_did_not_hear_ctrl_c_is_told_again(tmp_path, monkeypatch):
    made = study.Study.new(tmp_path)
    monkeypatch.chdir(made.folder)
    read = checks.read(study.CONFIG)
    Path(read.places.events).parent.mkdir(parents=True, exist_ok=True)
    Path("deaf.py").write_text(DEAF.replace("EVENTS", json.dumps(str(read.places.events))))
    words = [sys.executable, "deaf.py", "--configfile", study.CONFIG]
    assert run_study.follow(words, tmp_path / "log", read) == (command.INTERRUPTED, False)
