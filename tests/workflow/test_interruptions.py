"""Jobs and Snakemake killed at random moments: the study ends with the same bits as one that ran undisturbed.

Why this is so, whatever is killed when: every file appears by a rename, so it is absent or whole. Snakemake marks a job
as incomplete before it starts it, and deletes its outputs, so that what a killed job has or has not written is made
again from inputs that are whole. After `kill -9` of Snakemake its jobs go on; the next Snakemake starts the same jobs
beside them. Each job locks what it writes, so the second one waits and writes last, after the outputs that Snakemake
had deleted came back by the first one; both write the same bits, or, when the config was changed between, the second
one the right ones. Readers of a file that is replaced go on with the old one, which is whole as well.
"""

import contextlib
import importlib
import json
import os
import random
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import study

from widedeep.study import checks
from widedeep.study.jobs import jobs_of

JOB_KILLS = [signal.SIGKILL] * 7 + [signal.SIGTERM] * 4
SNAKEMAKE_KILLS = [signal.SIGKILL] * 4 + [signal.SIGTERM] * 1
GROUP_KILLS = [signal.SIGINT] * 2 + [signal.SIGKILL] * 2
SEED = 5
# Of 48 jobs of the study, after so many no kill waits any longer.
LAST_KILL_AFTER = 28
# Seconds to wait for a job to kill, and for Snakemake to end.
PATIENCE = 60
# Of the kills, those that wait for a job in its work; the others take jobs that start as well.
IN_WORK = 14
# Processor seconds that a job has used at most when it is killed, if there is one that has.
LONGEST = 1.6

# What may differ from the undisturbed run: files that hold times.
TIMES = {"provenance.json", "dump_provenance.json", "probe_provenance.json", "provenance.csv", "provenance.html"}
TIMES |= {"report.html"}


class Disturbed:
    """A study that is run and killed, with the history of it."""

    def __init__(self, folder):
        self.study = study.Study.new(folder)
        self.history = []
        self._runner = None

    def start(self):
        """Run the study; after a killed Snakemake unlock it first, while its jobs may still run."""
        if self.is_running():
            return
        if list(self.study.folder.glob(".snakemake/locks/*")):
            self.study.snakemake("--unlock")
        self._note("started")
        self._runner = self.study.start(
            *("scripts/run_study.py", "--configfile", study.CONFIG, "--cores", "2"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def is_running(self):
        return self._runner is not None and self._runner.poll() is None

    def finished_jobs(self):
        return len(list(self.study.results.glob("timings/**/*.tsv")))

    def wait_for_job(self, rng, finished_jobs, in_work):
        """A job that has used some processor seconds, once so many jobs have finished; fewer if none lasts so long."""
        wanted, began = rng.uniform(0, LONGEST), time.monotonic()
        while time.monotonic() < began + PATIENCE:
            self.start()
            if self.finished_jobs() >= finished_jobs:
                ripe = [job for job in self.study.stages() if _processor_seconds(job) >= wanted]
                ripe = [job for job in ripe if not in_work or _is_in_work(job)]
                if ripe:
                    return rng.choice(ripe)
                wanted *= 0.98
            time.sleep(0.05)
        raise AssertionError("\n".join(["no job to kill", *self.history]))

    def kill(self, whom, number, job):
        stage = _stage(job)
        self._note(f"{number.name} to {whom}; {stage} had used {_processor_seconds(job):.1f} s")
        if whom == "group":
            os.killpg(self._runner.pid, number)
            self._wait_until_stopped()
        elif whom == "job":
            with contextlib.suppress(psutil.NoSuchProcess):  # it may just have ended
                job.send_signal(number)
        elif number == signal.SIGKILL:
            self._replace_killed_snakemake()
        else:
            self._snakemake().send_signal(number)
            self._wait_until_stopped()
        return stage

    def _wait_until_stopped(self):
        """Snakemake does not always end when it is told to while one of its jobs dies: then it is killed."""
        try:
            self._runner.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._note("Snakemake did not end and is killed")
            os.killpg(self._runner.pid, signal.SIGKILL)
            self._runner.wait()

    def _replace_killed_snakemake(self):
        """Its jobs sleep until they have been started a second time: two writers."""
        orphans = self.study.stages()
        for job in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                job.suspend()
        self._snakemake().kill()
        self._runner.wait()
        self.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            now = self.study.stages().items()
            again = [job for job, words in now if job not in orphans and words in orphans.values()]
            if again or not self.is_running():
                break
            time.sleep(0.05)
        self._note(f"{len(orphans)} jobs of the killed Snakemake wake up beside {[_stage(job) for job in again]}")
        for orphan in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.resume()

    def finish(self):
        """Run until the study is finished, and all orphans have ended."""
        for _ in range(3):
            self.start()
            if self._runner.wait() == 0:
                break
        psutil.wait_procs(self.study.stages())
        assert self._runner.returncode == 0, (self.study.results / "logs/snakemake.log").read_text()

    def _snakemake(self):
        """That of the run, once it has started: a job that is there may be one of before."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.start()
            for process, words in self.study.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if words[1:3] == ["-m", "snakemake"] and process.ppid() == self._runner.pid:
                        return process
            time.sleep(0.05)
        raise AssertionError("\n".join(["no Snakemake", *self.history]))

    def _note(self, what):
        self.history.append(f"{time.strftime('%H:%M:%S')} after {self.finished_jobs()} jobs: {what}")


def _processor_seconds(process):
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0


def _is_in_work(process):
    """Whether a job holds the lock of what it writes: from before it looks at its files to its end."""
    try:
        return any(file.path.endswith(".lock") for file in process.open_files())
    except psutil.NoSuchProcess:
        return False


def _stage(process):
    try:
        return Path(process.cmdline()[1]).stem
    except (psutil.NoSuchProcess, IndexError):
        return "ended"


@pytest.mark.whole
def test_killed_twenty_times_it_ends_like_an_undisturbed_run(finished, tmp_path):
    rng = random.Random(SEED)
    kills = [("job", number) for number in JOB_KILLS]
    kills += [("Snakemake", number) for number in SNAKEMAKE_KILLS] + [("group", number) for number in GROUP_KILLS]
    rng.shuffle(kills)
    in_work = rng.sample([True] * IN_WORK + [False] * (len(kills) - IN_WORK), len(kills))
    disturbed = Disturbed(tmp_path)
    hit = set()
    moments = sorted(rng.uniform(0, LAST_KILL_AFTER) for _ in kills)
    for moment, (whom, number), where in zip(moments, kills, in_work, strict=True):
        stage = disturbed.kill(whom, number, disturbed.wait_for_job(rng, moment, where))
        if where:
            hit.add(stage)
    disturbed.finish()
    story = "\n".join([f"seed {SEED}", *disturbed.history])
    print(story)
    assert differences(disturbed.study, finished) == [], story
    # Else the test would say little.
    assert len(kills) == 20
    assert len(hit - {"ended"}) >= 4, story
    checked = disturbed.study._run("scripts/verify.py", "results/tiny", "--configfile", study.CONFIG, check=False)
    assert "All is well." in checked.stdout, checked.stdout + story


def test_every_job_locks_all_files_that_it_writes(tmp_path, monkeypatch):
    """Else two writers could meet, and what a killed job left of a file would stay."""

    class Locked(Exception):
        pass

    locked = set()

    def only_writer(paths, _stop=None):
        locked.update(map(str, paths))
        raise Locked

    monkeypatch.setattr("widedeep.runtime.locking.only_writer", only_writer)
    monkeypatch.setattr("widedeep.runtime.interruption.StopSignal", lambda: None)
    # Trainings need its name and its checksum to know which results would be theirs.
    digits = SimpleNamespace(name="digits", train_checksum="")
    monkeypatch.setattr("widedeep.formats.dataset.describe", lambda _path: digits)
    monkeypatch.syspath_prepend(study.ROOT / "scripts")
    made = study.Study.new(tmp_path)
    said = made.snakemake("-n", "--printshellcmds").stdout
    commands = re.findall(r"python scripts/(\w+)\.py (.*?) >", said)
    for script, words in commands:
        with pytest.raises(Locked):
            importlib.import_module(script).main(shlex.split(words))
    jobs = jobs_of(checks.read(made.folder / study.CONFIG))
    assert len(commands) == len(jobs)
    assert {output for job in jobs for output in job.writes} <= locked


def differences(one, other):
    """What the files of two studies differ in, apart from times: a list of words."""
    found, expected = (files_of(each) for each in (one, other))
    wrong = [f"only in one: {path}" for path in sorted(found ^ expected)]
    for path in sorted(found & expected):
        first, second = one.folder / path, other.folder / path
        if path.name in TIMES:
            same = without_times(first) == without_times(second)
        else:
            same = path.parts[2] in ("logs", "timings") or first.read_bytes() == second.read_bytes()
        if not same:
            wrong.append(f"differs: {path}")
    return wrong


def files_of(made):
    """Paths of all files of data and results, hidden ones too; of logs the names are free."""
    places = [made.results, made.folder / "data"]
    paths = {path.relative_to(made.folder) for place in places for path in place.rglob("*") if path.is_file()}
    return {path for path in paths if path.parts[2] != "logs"}


def without_times(path):
    """What a file that holds times says beside them."""
    if path.suffix == ".html":
        return path.exists()
    if path.suffix == ".csv":
        return pd.read_csv(path).drop(columns=["started", "seconds", "attempts", "dump_seconds"]).to_csv()
    content = json.loads(path.read_text())
    attempts = content.pop("attempts")
    content["epochs"] = len(content.pop("epoch_seconds", []))
    for attempt in attempts:
        del attempt["started"], attempt["seconds"]
    assert all(attempt == attempts[0] for attempt in attempts)
    return {key: value for key, value in content.items() if key not in ("started", "seconds")} | attempts[0]
