"""How far a study is whose files are half-written, damaged, hostile, or folders."""

import pickle
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from made_results import DUMP, EIGHT, ERRORS, EVENTS, FOLDER, LOGS

from widedeep.planning import progress, remaining


class Hostile:
    """A pickle that would leave a file behind when it is opened."""

    def __reduce__(self):
        return open, ("trace", "w")


@pytest.mark.usefixtures("results")
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


@pytest.mark.parametrize("content", ["", '{"epoch": 3', "[]", '{"epoch": 3}', "\0\0"])
def test_half_written_files_are_no_news(results, content):
    results.write(FOLDER / "progress.json", content)
    results.write(ERRORS, age=5)
    results.write(FOLDER / "checkpoint.pt", content)
    results.write(LOGS / f"{DUMP}.log", content)
    results.write(EVENTS, content)
    other = EIGHT.replace("seed1", "seed2")
    results.finish(other)
    job = results.jobs[other]
    results.write(job.timing, content)
    results.write(job.outputs["provenance"], content)
    states = results.states()
    assert {state.job.name for state in states if state.name == "done"} == {other}
    assert all(estimate.seconds is None for _, estimate in remaining.estimates(results.study, states))


def test_a_line_of_events_that_is_cut_off_is_left_out(results):
    results.write(LOGS / f"{DUMP}.log", age=60)
    results.events(("started", DUMP), ("failed", DUMP), ("started", DUMP))
    EVENTS.write_text(EVENTS.read_text()[:-20])
    assert results.state(DUMP).name == "failed"


def test_files_that_are_folders_are_no_news(results):
    for path in (
        FOLDER / "progress.json",
        FOLDER / "checkpoint.pt",
        FOLDER / ".model.safetensors.lock",
        ERRORS,
        EVENTS,
    ):
        path.mkdir(parents=True)
    assert results.state().name == "waiting"
