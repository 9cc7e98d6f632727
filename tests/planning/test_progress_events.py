"""How far a study is: what the events of its newest run add to the files of its jobs."""

import pytest
from made_results import DUMP, EIGHT, ERRORS, EVENTS, LOGS


def test_a_job_that_was_killed_without_a_word_has_failed(results):
    results.write(LOGS / f"{DUMP}.log", age=60)
    results.events(("started", DUMP), ("failed", DUMP))
    state = results.state(DUMP)
    assert (state.name, state.log, state.last_line) == ("failed", str(LOGS / f"{DUMP}.log"), "")


def test_one_that_left_no_log_at_all_too(results):
    results.events(("started", DUMP), ("failed", DUMP))
    state = results.state(DUMP)
    assert (state.name, state.log) == ("failed", None)


def test_a_job_that_is_tried_again_runs(results):
    results.write(LOGS / f"{DUMP}.log", age=60)
    results.events(("started", DUMP), ("failed", DUMP), ("started", DUMP))
    assert results.state(DUMP).name == "running"


@pytest.mark.parametrize("other", ["digits-resnet8-w1-f100/seed2/dump_activations", EIGHT])
def test_events_of_another_job_say_nothing_of_this_one(results, other):
    results.write(LOGS / f"{DUMP}.log", age=60)
    results.events(("started", DUMP), ("failed", DUMP), ("started", other), ("finished", other))
    assert results.state(DUMP).name == "failed"
    results.events(("started", DUMP), ("started", other), ("failed", other))
    assert results.state(DUMP).name == "running"


def test_jobs_of_pairs_are_told_apart_by_all_their_wildcards(results):
    first = "pairs/digits-resnet8-w1-f100--digits-resnet14-w1-f100/seed2"
    second = "pairs/digits-resnet8-w1-f100--digits-resnet8-w1-f100/seed2"
    results.events(("started", first), ("failed", first))
    assert [results.state(name).name for name in (first, second)] == ["failed", "waiting"]


def test_the_newest_run_counts(results):
    results.events(("started", DUMP), ("failed", DUMP), began=4000)
    before = EVENTS.read_text()
    results.events(began=100)
    EVENTS.write_text(before + EVENTS.read_text())
    assert results.state(DUMP).name == "waiting"


def test_an_error_of_an_earlier_run_waits_for_its_turn(results):
    results.write(LOGS / f"{DUMP}.log", "error: x\n", age=1000)
    results.events(began=500)
    assert results.state(DUMP).name == "waiting"
    results.events(("end", None), began=500)  # it never came to that job
    assert results.state(DUMP).name == "failed"


def test_nothing_that_began_before_the_end_of_a_run_runs_after_it(results):
    results.write(LOGS / f"{DUMP}.log", age=100)
    results.write(ERRORS, age=100)
    results.report(age=12)
    assert {results.state(name).name for name in (DUMP, EIGHT)} == {"running"}
    results.events(("end", None), age=10)
    assert {results.state(name).name for name in (DUMP, EIGHT)} == {"waiting"}
    results.report(age=1)  # started by hand since
    assert results.state().name == "running"
