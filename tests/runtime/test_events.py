"""The file of events: what the handler of Snakemake's logger writes, and what is read of it."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from widedeep.runtime import events

SCRIPTS = Path(__file__).parents[2] / "scripts"
TRAIN_1, TRAIN_2 = (events.key("train", {"seed": seed}) for seed in (1, 2))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs/events.jsonl"


def say(handler, event, **more):
    """A record as Snakemake's logger makes it."""
    handler.emit(logging.makeLogRecord({"event": event, **more}))


def started(handler, number, rule="train", **wildcards):
    say(handler, LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards=wildcards)


def begun(path, total=2):
    """The handler of a run that has so many jobs to do."""
    handler = events.Handler(path)
    say(handler, LogEvent.RUN_INFO, stats={"train": total, "total": total})
    return handler


def test_a_run_is_read_as_it_was_written(path):
    handler = begun(path)
    started(handler, 5, seed="1")
    started(handler, 6, seed="2")
    assert events.newest_run(path).jobs == {TRAIN_1: "started", TRAIN_2: "started"}
    say(handler, LogEvent.JOB_FINISHED, job_id=5)
    say(handler, LogEvent.PROGRESS, done=1, total=2)
    say(handler, LogEvent.JOB_ERROR, jobid=6)
    run = events.newest_run(path)
    assert (run.done, run.total, run.ended) == (1, 2, False)
    assert run.jobs == {TRAIN_1: "finished", TRAIN_2: "failed"}
    handler.close()
    run = events.newest_run(path)
    assert run.ended
    assert run.started <= run.changed


def test_a_job_that_failed_may_start_again(path):
    handler = begun(path, 1)
    started(handler, 5, seed="1")
    say(handler, LogEvent.JOB_ERROR, jobid=5)
    started(handler, 5, seed="1")
    assert events.newest_run(path).jobs == {TRAIN_1: "started"}
    handler.close()


def test_times_are_those_of_the_first_and_the_last_event(path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(events.time, "time", lambda: now[0])
    handler = begun(path)
    now[0] = 103.5
    started(handler, 5)
    run = events.newest_run(path)
    assert (run.started, run.changed) == (100.0, 103.5)
    handler.close()


def test_the_newest_of_two_runs_counts(path):
    first = begun(path)
    started(first, 5, seed="1")
    first.close()
    second = begun(path, 7)
    started(second, 5, seed="2")
    run = events.newest_run(path)
    assert (run.total, run.ended, run.jobs) == (7, False, {TRAIN_2: "started"})
    second.close()


def test_a_run_that_was_killed_has_no_end_and_its_torn_line_is_left_out(path):
    handler = begun(path)
    started(handler, 5, seed="1")
    path.write_text(path.read_text() + '{"event": "finished", "time": 17')
    run = events.newest_run(path)
    assert not run.ended
    assert run.jobs == {TRAIN_1: "started"}
    begun(path, 9).close()
    assert events.newest_run(path).total == 9
    handler.close()


@pytest.mark.parametrize(
    "line",
    ["", "null", "[]", "1", '"run"', "{}", '{"event": []}', '{"event": "run"}', '{"event": "x", "time": 1}', "\0"],
)
def test_anything_else_in_the_file_is_left_out(path, line):
    begun(path, 3).close()
    path.write_text(f"{line}\n{path.read_text()}{line}\n")
    run = events.newest_run(path)
    assert (run.total, run.ended) == (3, True)


def test_no_file_and_events_before_any_run_are_no_run(path):
    assert events.newest_run(path) is None
    handler = events.Handler(path)
    started(handler, 5)
    handler.close()
    assert [event["event"] for event in events.events_in(path)] == ["started", "end"]
    assert events.newest_run(path) is None


def test_a_run_without_events_makes_no_file(path):
    handler = events.Handler(path)
    say(handler, None)
    say(handler, LogEvent.SHELLCMD, cmd="true")
    say(handler, LogEvent.JOB_FINISHED, job_id=17)  # of a job that never started
    handler.emit(logging.makeLogRecord({"msg": "Nothing to be done"}))
    handler.close()
    assert not path.parent.exists()


def test_a_place_that_cannot_be_written_stops_no_run(tmp_path):
    (tmp_path / "logs").write_text("a file")
    begun(tmp_path / "logs/events.jsonl").close()
    assert (tmp_path / "logs").read_text() == "a file"


def test_the_total_of_a_run_counts_each_job_once(path):
    handler = events.Handler(path)
    say(handler, LogEvent.RUN_INFO, stats={"train": 4, "compute_cka": 4, "total": 8})
    handler.close()
    assert events.newest_run(path).total == 8


def test_the_key_of_a_job_does_not_depend_on_order_or_types():
    key = events.key("train", {"model": "m", "seed": 1})
    assert key == events.key("train", {"seed": "1", "model": "m"})
    assert key != events.key("dump_activations", {"model": "m", "seed": 1})
    assert key != events.key("train", {"model": "m", "seed": 2})


def test_the_environment_may_name_another_place(monkeypatch):
    monkeypatch.delenv(events.ELSEWHERE, raising=False)
    assert events.path_from_environment("here") == "here"
    monkeypatch.setenv(events.ELSEWHERE, "there")
    assert events.path_from_environment("here") == "there"


SNAKEFILE = """
from snakemake.logging import logger
from widedeep.runtime import events

logger.addHandler(events.Handler("events.jsonl"))

rule all:
    input: "made1", "made2"

rule make:
    output: "made{number}"
    shell: "test {wildcards.number} = 1 && touch {output}"
"""


def test_snakemake_s_own_records_are_understood(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); from snakemake.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, "--cores", "1", "--keep-going"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 1
    run = events.newest_run(tmp_path / "events.jsonl")
    made = {number: run.jobs[events.key("make", {"number": number})] for number in (1, 2)}
    assert made == {1: "finished", 2: "failed"}
    assert (run.done, run.total, run.ended) == (1, 3, True)
    assert all(json.loads(line)["time"] > 0 for line in (tmp_path / "events.jsonl").read_text().splitlines())
