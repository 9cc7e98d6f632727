"""How far a study is, on made-up results folders of the tiny study."""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import progress as script
import pytest
import torch

from widedeep.planning import progress, remaining
from widedeep.runtime import provenance
from widedeep.study import config as study_config
from widedeep.study import jobs as study_jobs
from widedeep.training.checkpoint import Checkpoint

TINY = Path("tests/workflow/tiny.yaml").resolve()
SCRIPTS = Path("scripts").resolve()
EIGHT = "digits-resnet8-w1-f100/seed1/train"
DUMP = "digits-resnet8-w1-f100/seed1/dump_activations"
FOLDER = Path("results/tiny/models/digits-resnet8-w1-f100/seed1")
LOGS = Path("results/tiny/logs")
ERRORS, STORY = LOGS / f"{EIGHT}.errors.log", LOGS / f"{EIGHT}.log"
NOW = time.time()  # of each test: see the fixture
ATTEMPT = {**dict.fromkeys(("slurm_job", "device", "commit", "dirty")), "started": "", "host": "", "versions": {}}


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """Ages are seconds before the test, not before all tests were collected."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", time.time())


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The checked config of the tiny study, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return study_config.read(TINY)


def write(path, text="", age=0.0):
    """A file that was last changed so many seconds ago."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    os.utime(path, (NOW - age, NOW - age))


def finish(job, seconds=10):
    """All that a finished job leaves."""
    for path in job.outputs:
        write(path)
    write(job.timing, f"s\th:m:s\n{seconds}\t0:00:10\n")
    if job.outputs[-1].endswith("provenance.json"):
        attempts = [{**ATTEMPT, "seconds": seconds}]
        provenance.write(job.outputs[-1], "train", ("m", 1), {}, attempts, [])


def report(age, epoch=3):
    position = {"name": "n", "epoch": epoch, "epochs": 10, "step": 1, "loss": 0.5, "accuracy": 0.25}
    write(FOLDER / "progress.json", json.dumps(position), age)


def checkpoint(epoch):
    FOLDER.mkdir(parents=True, exist_ok=True)
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "step": 5}
    history = {"sums": torch.zeros(2), "history": [{"epoch": 1}]}
    # The word epoch is in the settings too.
    Checkpoint(FOLDER / "checkpoint.pt", {"schedule": "epoch", "epochs": 10}).save({**state, **history}, {"started": 1})


def state_of(config, name=EIGHT):
    (found,) = (state for state in progress.states(config, NOW) if script.name_of(state.job) == name)
    return found


def snakemake_log(*lines, age=0.0, began=3600.0, study="tiny", path=LOGS / "snakemake.log"):
    date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOW - began))
    write(path, "\n".join([f"  Date: {date}", f"Reason: Missing output files: results/{study}/x", *lines, ""]), age)


def error_of(job, number=3):
    outputs = ", ".join(job.outputs)
    return (
        f"[Wed Nov 25]\nError in rule {job.rule}:\n    message: None\n    jobid: {number}\n    output: {outputs}\n"
        + ("    log: x (check log file(s) for error details)\nLogfile x:\n====\nanything\n====")
    )


@contextlib.contextmanager
def held_lock(folder):
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


class Hostile:
    """A pickle that would leave a file behind when it is opened."""

    def __reduce__(self):
        return open, ("trace", "w")


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("spaces", [0, 20 << 20])
def test_a_hostile_checkpoint_runs_no_code_and_takes_no_memory(spaces):
    """The second unpacks to a thousand times its size."""
    content = {"state": {"epoch": 6, "victim": Hostile()}, "padding": " " * spaces}
    with zipfile.ZipFile("checkpoint.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint/data.pkl", pickle.dumps(content))
    tracemalloc.start()
    assert progress._checkpoint_epoch("checkpoint.pt") == (None if spaces else 7)
    assert tracemalloc.get_traced_memory()[1] < 5 << 20
    tracemalloc.stop()
    assert not Path("trace").exists()


def test_of_a_study_that_has_not_begun_everything_waits_and_nothing_is_written(config, tmp_path, capsys):
    assert {state.name for state in progress.states(config)} == {"waiting"}
    script.main(["--configfile", str(TINY)])
    said = capsys.readouterr().out
    assert "train                       0        0        0        6  not known yet" in said
    assert "left: not known yet; no job of a stage that still has jobs to do has finished." in said
    assert not list(tmp_path.iterdir())


def test_a_finished_study_says_so(config, capsys):
    for job in study_jobs.jobs(config):
        finish(job)
    script.main(["--configfile", str(TINY)])
    said = capsys.readouterr().out
    assert said.endswith("Finished: all jobs are done.\n")
    assert "all                        43        0        0        0\n" in said


def test_a_job_is_done_when_the_last_of_its_files_is_there(config):
    job = state_of(config).job
    finish(job)
    assert state_of(config).name == "done"
    Path(job.outputs[0]).unlink()
    assert state_of(config).name == "waiting"


def test_a_dump_that_was_thrown_away_counts_until_something_new_must_read_it(config):
    config["dumps"]["keep"] = False
    jobs = {script.name_of(job): job for job in study_jobs.jobs(config)}
    for job in jobs.values():
        finish(job)
    Path(jobs[DUMP].outputs[0]).unlink()
    assert state_of(config, DUMP).name == "done"
    # The pairs of both seeds read the first one's dump, those of another configuration do not.
    pair = "pairs/digits-resnet14-w1-f100--digits-resnet14-w1-f100/seed2"
    Path(jobs[pair].outputs[0]).unlink()
    assert state_of(config, DUMP).name == "done"
    Path(jobs["pairs/digits-resnet8-w1-f100--digits-resnet8-w1-f100/seed2"].outputs[0]).unlink()
    assert state_of(config, DUMP).name == "waiting"


def test_a_training_that_reports_is_running_and_one_that_fell_silent_waits(config):
    write(ERRORS, age=500)
    report(age=2)
    state = state_of(config)
    assert (state.name, state.age, state.position["epoch"]) == ("running", pytest.approx(2, abs=0.1), 3)
    report(age=400)
    assert state_of(config).name == "waiting"


def test_a_clock_that_is_ahead_does_not_stop_a_training(config):
    write(ERRORS, age=500)
    report(age=-300)
    assert (state_of(config).name, state_of(config).age) == ("running", 0)


def test_a_training_that_holds_its_lock_is_running_however_old_its_news_is(config):
    write(ERRORS, age=9000)
    report(age=4000)
    with held_lock(FOLDER):
        state = state_of(config)
        assert (state.name, state.age) == ("running", pytest.approx(4000, abs=0.1))
    assert state_of(config).name == "waiting"


def test_a_file_system_without_locks_leaves_more_time_to_report(config, monkeypatch):
    write(ERRORS, age=500)
    write(FOLDER / ".model.safetensors.lock")
    report(age=100)
    assert state_of(config).name == "waiting"
    monkeypatch.setattr(progress, "_is_held", lambda _: None)
    assert state_of(config).name == "running"
    report(age=700)
    assert state_of(config).name == "waiting"


def test_what_a_killed_attempt_left_is_not_the_position_of_the_next(config):
    report(age=20)
    write(ERRORS, age=5)
    state = state_of(config)
    assert (state.name, state.position) == ("running", None)
    write(ERRORS, age=310)
    report(age=320)
    assert state_of(config).name == "waiting"


def test_a_training_that_was_told_to_stop_waits_with_its_checkpoint(config):
    write(ERRORS, age=100)
    report(age=3)
    write(STORY, "stopped by SIGTERM; checkpoint.pt holds the state, start again to go on.\n", age=3)
    checkpoint(epoch=6)
    snakemake_log(error_of(state_of(config).job))  # it calls every exit status but 0 an error
    state = state_of(config)
    assert (state.name, state.checkpoint) == ("waiting", 7)


def test_a_training_that_was_stopped_once_and_then_killed_has_failed(config):
    write(STORY, "stopped by SIGTERM; checkpoint.pt holds the state, start again to go on.\n", age=300)
    write(ERRORS, age=200)
    snakemake_log(error_of(state_of(config).job))
    state = state_of(config)
    assert state.name == "failed"


def test_an_error_in_the_log_is_a_failure_until_the_job_begins_again(config):
    write(ERRORS, "Traceback (most recent call last):\n  File x\nRuntimeError: out of memory\n\n", age=7)
    report(age=8)
    state = state_of(config)
    assert (state.name, state.log, state.last_line) == ("failed", str(ERRORS), "RuntimeError: out of memory")
    write(ERRORS, age=1)  # the shell empties it when the job begins
    assert state_of(config).name == "running"


def test_a_training_that_was_interrupted_before_it_began_waits(config):
    write(ERRORS, "Traceback (most recent call last):\n  File x\nKeyboardInterrupt\n", age=7)
    snakemake_log(error_of(state_of(config).job))
    assert state_of(config).name == "waiting"


def test_a_warning_is_no_failure(config):
    write(ERRORS, "UserWarning: this error: nothing\n", age=7)
    report(age=1)
    assert state_of(config).name == "running"


def test_another_job_runs_from_the_beginning_of_its_log_to_its_files_or_error(config):
    assert state_of(config, DUMP).name == "waiting"
    log = LOGS / f"{DUMP}.log"
    write(log, age=3000)
    assert (state_of(config, DUMP).name, state_of(config, DUMP).age) == ("running", pytest.approx(3000, abs=0.1))
    write(log, "error: a.h5: is damaged\n")
    state = state_of(config, DUMP)
    assert (state.name, state.log, state.last_line) == ("failed", str(log), "error: a.h5: is damaged")
    write(log, "Traceback (most recent call last):\n  x\nKeyboardInterrupt\n")
    assert state_of(config, DUMP).name == "waiting"
    write(log, age=100_000)
    assert state_of(config, DUMP).name == "waiting"


def test_probes_that_were_told_to_stop_wait_with_their_checkpoint(config):
    name = "digits-resnet14-w1-f100/seed1/probe_blocks"
    write(LOGS / f"{name}.log", "stopped by SIGINT; it holds the state, start again to go on.\n")
    checkpoint(epoch=0)
    folder = Path("results/tiny/models/digits-resnet14-w1-f100/seed1")
    folder.mkdir(parents=True)
    (FOLDER / "checkpoint.pt").rename(folder / "probes.checkpoint.pt")
    state = state_of(config, name)
    assert (state.name, state.checkpoint) == ("waiting", 1)


@pytest.mark.parametrize("path", [LOGS / "snakemake.log", Path(".snakemake/log/2026.snakemake.log")])
def test_snakemake_knows_of_a_job_that_was_killed_without_a_word(config, path):
    write(LOGS / f"{DUMP}.log", age=60)
    job = state_of(config, DUMP).job
    snakemake_log("Job 3: Dumping", error_of(job), path=path)
    state = state_of(config, DUMP)
    assert (state.name, state.last_line) == ("failed", "")
    for again in ("Trying to restart job 3.", "Job 3: Dumping"):
        snakemake_log("Job 3: Dumping", error_of(job), again, path=path)
        assert state_of(config, DUMP).name == "running"
    snakemake_log("Job 3: Dumping", error_of(job), "Job 33: Other", path=path)
    assert state_of(config, DUMP).name == "failed"


def test_plans_and_other_studies_say_nothing_of_this_one(config):
    job = state_of(config, DUMP).job
    snakemake_log(error_of(job), age=50)
    assert state_of(config, DUMP).name == "failed"
    snakemake_log("This was a dry-run (flag -n).", path=Path(".snakemake/log/1.snakemake.log"), age=20)
    snakemake_log("Complete log(s): x", path=Path(".snakemake/log/2.snakemake.log"), age=10, study="other")
    assert state_of(config, DUMP).name == "failed"
    snakemake_log(path=Path(".snakemake/log/3.snakemake.log"), age=5)
    assert state_of(config, DUMP).name == "waiting"


def test_an_error_of_an_earlier_run_waits_for_its_turn(config):
    write(LOGS / f"{DUMP}.log", "error: x\n", age=1000)
    snakemake_log(began=500)
    assert state_of(config, DUMP).name == "waiting"
    snakemake_log("Complete log(s): x", began=500)  # it never came to that job
    assert state_of(config, DUMP).name == "failed"


def test_nothing_that_began_before_the_end_of_snakemake_runs_after_it(config):
    write(LOGS / f"{DUMP}.log", age=100)
    write(ERRORS, age=100)
    report(age=12)
    assert {state_of(config, name).name for name in (DUMP, EIGHT)} == {"running"}
    snakemake_log("Complete log(s): x", age=10)
    assert {state_of(config, name).name for name in (DUMP, EIGHT)} == {"waiting"}
    report(age=1)  # started by hand since
    assert state_of(config).name == "running"


@pytest.mark.parametrize("content", ["", '{"epoch": 3', "[]", '{"epoch": 3}', "\0\0"])
def test_half_written_files_are_no_news(config, content):
    write(FOLDER / "progress.json", content)
    write(ERRORS, age=5)
    write(FOLDER / "checkpoint.pt", content)
    write(LOGS / f"{DUMP}.log", content)
    snakemake_log(content)
    for job in study_jobs.jobs(config)[1:3]:
        finish(job)
        write(job.timing, content)
        write(job.outputs[-1], content)
    remaining.estimates(config, progress.states(config, NOW))


def test_files_that_vanish_or_are_folders_are_no_news(config):
    for path in (
        FOLDER / "progress.json",
        FOLDER / "checkpoint.pt",
        FOLDER / ".model.safetensors.lock",
        ERRORS,
        LOGS / "snakemake.log",
    ):
        path.mkdir(parents=True)
    assert state_of(config).name == "waiting"


def test_each_folder_is_listed_once(config, monkeypatch):
    listed = []
    monkeypatch.setattr(progress.os, "listdir", lambda folder: listed.append(folder) or [])
    progress.states(config)
    assert len(listed) == len(set(listed)) > 20


def test_networks_are_estimated_from_their_own_configuration_or_by_operations(config):
    by_name = {script.name_of(job): job for job in study_jobs.jobs(config)}
    finish(by_name[EIGHT], seconds=10)
    left = {script.name_of(state.job): found for state, found in remaining.estimates(config, progress.states(config))}
    assert left[EIGHT.replace("seed1", "seed2")] == remaining.Estimate(10)
    # Twelve layers in blocks instead of six, and twice the width of them.
    assert left["digits-resnet14-w1-f100/seed1/train"] == remaining.Estimate(20, scaled=True)
    assert left["digits-resnet8-w2-f100/seed1/train"] == remaining.Estimate(40, scaled=True)
    assert left[DUMP] == remaining.Estimate(None)
    finish(by_name["digits-resnet14-w1-f100/seed1/train"], seconds=14)
    left = {script.name_of(state.job): found for state, found in remaining.estimates(config, progress.states(config))}
    assert left["digits-resnet8-w2-f100/seed1/train"].seconds == pytest.approx(6 + 4 * 4)


def test_what_a_training_has_behind_it_is_not_left(config):
    finish(state_of(config, EIGHT.replace("seed1", "seed2")).job, seconds=100)
    write(ERRORS, age=500)
    report(age=1, epoch=4)
    config["training"]["epochs"] = 10
    (left,) = (
        found for state, found in remaining.estimates(config, progress.states(config)) if state.name == "running"
    )
    assert left.seconds == pytest.approx(70)
    report(age=100)
    checkpoint(epoch=6)
    left = [found for state, found in remaining.estimates(config, progress.states(config)) if state.checkpoint]
    assert left == [remaining.Estimate(pytest.approx(40))]


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ([(2, 10)], (0, 5)),
        ([(2, 10), (2, 10)], (0, 5)),
        ([(1, 7), (3, 11), (5, 15)], (5, 2)),
        ([(1, 1), (2, 4)], (0, 1.2)),  # steeper than in proportion
        ([(1, 4), (2, 2)], (2.4, 0)),  # the larger one was faster
    ],
)
def test_line_through(known, line):
    assert remaining.line_through(known) == pytest.approx(line)


def test_jobs_side_by_side_take_no_less_than_the_longest():
    assert remaining.at_once([10, 2, 2], 2) == 10
    assert remaining.at_once([10, 10, 10], 2) == 15


def test_what_is_printed_while_a_study_runs(config, capsys):
    finish(state_of(config, EIGHT.replace("seed1", "seed2")).job, seconds=7200)
    write(ERRORS, age=500)
    report(age=1)
    write(LOGS / f"{DUMP}.log", "error: a.h5: is damaged\n")
    script.main(["--configfile", str(TINY)])
    said = capsys.readouterr().out
    assert "train                       1        1        0        4          25.60\n" in said
    assert "  digits-resnet8-w1-f100/seed1/train                 3/10       0.500     25.0%" in said
    assert f"failed\n  {DUMP}\n    {LOGS / DUMP}.log\n    error: a.h5: is damaged\n" in said
    assert "of work, 1 at a time, as many as run now." in said
    assert "Of 5 jobs, 1 take as long as finished ones of the same configuration, 4 are scaled by operations." in said
    assert "Without the stages of which no job has finished yet: 1 download, 6 dump_activations" in said


def test_it_starts_without_what_takes_seconds():
    code = "import progress, sys; from widedeep import progress, remaining; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SCRIPTS)}
    )
    assert not {"torch", "numpy", "pandas", "h5py"} & set(said.stdout.split())
