"""How far a study is, from what its jobs leave: outputs, logs, locks and checkpoints."""

from pathlib import Path

import pytest
from made_results import DUMP, EIGHT, ERRORS, FOLDER, LOGS, STORY, checkpoint, held_lock

from widedeep.planning import progress
from widedeep.runtime import endings

STOPPED = endings.stopped_line("SIGTERM; it holds the state, start it again to go on.")


def test_a_job_is_done_when_the_last_of_its_files_is_there(results):
    results.finish(EIGHT)
    assert results.state().name == "done"
    Path(results.jobs[EIGHT].writes[0]).unlink()
    assert results.state().name == "waiting"


def test_a_dump_that_was_thrown_away_counts_until_something_new_must_read_it(results):
    results.change("dumps", keep=False)
    for name in results.jobs:
        results.finish(name)
    Path(results.jobs[DUMP].outputs["dump"]).unlink()
    assert results.state(DUMP).name == "done"
    # The pairs of both seeds read the first one's dump, those of another configuration do not.
    pair = "pairs/digits-resnet{0}-w1-f100--digits-resnet{0}-w1-f100/seed2"
    Path(results.jobs[pair.format(14)].outputs["pairs"]).unlink()
    assert results.state(DUMP).name == "done"
    Path(results.jobs[pair.format(8)].outputs["pairs"]).unlink()
    assert results.state(DUMP).name == "waiting"


def test_a_training_that_reports_is_running_and_one_that_fell_silent_waits(results):
    results.write(ERRORS, age=500)
    results.report(age=2)
    state = results.state()
    assert (state.name, state.age, state.position["epoch"]) == ("running", pytest.approx(2, abs=0.1), 3)
    results.report(age=400)
    assert results.state().name == "waiting"


def test_a_clock_that_is_ahead_does_not_stop_a_training(results):
    results.write(ERRORS, age=500)
    results.report(age=-300)
    assert (results.state().name, results.state().age) == ("running", 0)


def test_a_training_that_holds_its_lock_is_running_however_old_its_news_is(results):
    results.write(ERRORS, age=9000)
    results.report(age=4000)
    with held_lock(FOLDER):
        state = results.state()
        assert (state.name, state.age) == ("running", pytest.approx(4000, abs=0.1))
    assert results.state().name == "waiting"


def test_a_file_system_without_locks_leaves_more_time_to_report(results, monkeypatch):
    results.write(ERRORS, age=500)
    results.write(FOLDER / ".model.safetensors.lock")
    results.report(age=100)
    assert results.state().name == "waiting"
    monkeypatch.setattr(progress, "_is_held", lambda _: None)
    assert results.state().name == "running"
    results.report(age=700)
    assert results.state().name == "waiting"


def test_what_a_killed_attempt_left_is_not_the_position_of_the_next(results):
    results.report(age=20)
    results.write(ERRORS, age=5)
    state = results.state()
    assert (state.name, state.position) == ("running", None)
    results.write(ERRORS, age=310)
    results.report(age=320)
    assert results.state().name == "waiting"


def test_a_training_that_was_told_to_stop_waits_with_its_checkpoint(results):
    results.write(ERRORS, age=100)
    results.report(age=3)
    results.write(STORY, f"{STOPPED}\n", age=3)
    checkpoint(FOLDER / "checkpoint.pt", epoch=6)
    results.events(("started", EIGHT), ("failed", EIGHT))  # Snakemake calls every exit status but 0 a failure
    state = results.state()
    assert (state.name, state.checkpoint) == ("waiting", 7)


def test_a_training_that_was_stopped_once_and_then_killed_has_failed(results):
    results.write(STORY, f"{STOPPED}\n", age=300)
    results.write(ERRORS, age=200)
    results.events(("started", EIGHT), ("failed", EIGHT))
    assert results.state().name == "failed"


def test_an_error_in_the_log_is_a_failure_until_the_job_begins_again(results):
    results.write(ERRORS, "Traceback (most recent call last):\n  File x\nRuntimeError: out of memory\n\n", age=7)
    results.report(age=8)
    state = results.state()
    assert (state.name, state.log, state.last_line) == ("failed", str(ERRORS), "RuntimeError: out of memory")
    results.write(ERRORS, age=1)  # the shell empties it when the job begins
    assert results.state().name == "running"


def test_a_training_that_was_interrupted_before_it_began_waits(results):
    results.write(ERRORS, "Traceback (most recent call last):\n  File x\nKeyboardInterrupt\n", age=7)
    results.events(("started", EIGHT), ("failed", EIGHT))
    assert results.state().name == "waiting"


def test_a_warning_is_no_failure(results):
    results.write(ERRORS, "UserWarning: this error: nothing\n", age=7)
    results.report(age=1)
    assert results.state().name == "running"


def test_another_job_runs_from_the_beginning_of_its_log_to_its_files_or_error(results):
    assert results.state(DUMP).name == "waiting"
    log, sentence = LOGS / f"{DUMP}.log", endings.error_line("a.h5: is damaged")
    results.write(log, age=3000)
    assert (results.state(DUMP).name, results.state(DUMP).age) == ("running", pytest.approx(3000, abs=0.1))
    results.write(log, f"{sentence}\n")
    state = results.state(DUMP)
    assert (state.name, state.log, state.last_line) == ("failed", str(log), sentence)
    results.write(log, "Traceback (most recent call last):\n  x\nKeyboardInterrupt\n")
    assert results.state(DUMP).name == "waiting"
    results.write(log, age=100_000)
    assert results.state(DUMP).name == "waiting"


def test_probes_that_were_told_to_stop_wait_with_their_checkpoint(results):
    name = "digits-resnet14-w1-f100/seed1/probe_residual_blocks"
    results.write(LOGS / f"{name}.log", f"{STOPPED}\n")
    checkpoint("results/tiny/models/digits-resnet14-w1-f100/seed1/probes.checkpoint.pt", epoch=0)
    state = results.state(name)
    assert (state.name, state.checkpoint) == ("waiting", 1)


def test_each_folder_is_listed_once(results, monkeypatch):
    listed = []
    monkeypatch.setattr(progress.os, "listdir", lambda folder: listed.append(folder) or [])
    results.states()
    assert len(listed) == len(set(listed)) > 20
