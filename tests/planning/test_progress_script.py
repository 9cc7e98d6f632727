"""What scripts/progress.py prints."""

import subprocess
import sys

import progress as script
from made_results import DUMP, EIGHT, ERRORS, LOGS, SCRIPTS, TINY


def line_of(said, stage):
    """The words of a stage's line in the table."""
    return next(line.split(maxsplit=5) for line in said.splitlines() if line.split(" ")[0] == stage)


def said_of(capsys):
    script.main(["--configfile", str(TINY)])
    return capsys.readouterr().out


def test_of_a_study_that_has_not_begun_everything_waits_and_nothing_is_written(results, tmp_path, capsys):
    assert {state.name for state in results.states()} == {"waiting"}
    said = said_of(capsys)
    assert line_of(said, "train") == ["train", "0", "0", "0", "6", "not known yet"]
    assert "left: not known yet" in said
    assert not list(tmp_path.iterdir())


def test_a_finished_study_says_so(results, capsys):
    for name in results.jobs:
        results.finish(name)
    said = said_of(capsys)
    assert said.endswith("Finished: all jobs are done.\n")
    assert line_of(said, "all") == ["all", "48", "0", "0", "0"]


def test_what_is_printed_while_a_study_runs(results, capsys):
    results.finish(EIGHT.replace("seed1", "seed2"), seconds=7200)
    results.write(ERRORS, age=500)
    results.report(age=1)
    results.write(LOGS / f"{DUMP}.log", "error: a.h5: is damaged\n")
    said = said_of(capsys)
    assert line_of(said, "train") == ["train", "1", "1", "0", "4", "25.60"]
    # In columns, whatever the length of a rule's name.
    assert (
        len({len(line) for line in said.splitlines()[2:] if line.split(" ")[0] in ("stage", "download", "train")}) == 1
    )
    assert "  digits-resnet8-w1-f100/seed1/train                 3/10       0.500     25.0%" in said
    assert f"failed\n  {DUMP}\n    {LOGS / DUMP}.log\n    error: a.h5: is damaged\n" in said
    assert "of work, 1 at a time" in said
    assert "Of 5 jobs, 1 take as long as finished ones of the same configuration, 4 are scaled by operations." in said
    assert "1 download, 6 dump_activations" in said


def test_it_starts_without_what_takes_seconds():
    code = "import progress, sys; from widedeep.planning import progress, remaining; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SCRIPTS)}
    )
    assert "widedeep.planning.remaining" in said.stdout
    assert not {"torch", "numpy", "pandas", "h5py"} & set(said.stdout.split())
