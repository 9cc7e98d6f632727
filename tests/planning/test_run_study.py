"""The live line of a study, what is told of failed jobs, and the report."""

import sys

import made_results
import pytest
import run_study
from made_results import DUMP, EIGHT, EVENTS

from widedeep.runtime.errors import UserError
from widedeep.study import places

CONFIG = "config/mine.yaml"


def test_the_line_follows_the_events_of_this_run(results, tmp_path):
    watched = run_study.Watched(EVENTS, results.now - 100)
    assert watched.run() is None
    assert "looking" in run_study.describe(watched.run(), tmp_path, 5)
    results.events(("started", EIGHT), began=500)  # of an earlier run
    assert watched.run() is None
    lines = EVENTS.read_text()
    results.events(("started", EIGHT), began=50)
    lines += EVENTS.read_text()
    EVENTS.write_text(lines)
    assert (watched.run().done, watched.run().total) == (0, 9)
    EVENTS.write_text(lines + '{"event": "progress", "time": 5, "done": 2, "total": 4}\n')
    assert run_study.describe(watched.run(), tmp_path, 65) == "2 of 4 jobs, 2 left, 01:05"


def test_the_line_names_running_trainings(results, tmp_path):
    results.report(age=0, epoch=3)
    results.events(("started", EIGHT))
    seen = run_study.Watched(EVENTS, 0).run()
    said = run_study.describe(seen, tmp_path / "results/tiny", 0)
    assert said.endswith(" | n epoch 3/10 loss 0.500 accuracy 25.0%")


def failed(results, number, lines=3):
    """So many of the study's jobs that left a log with an error; their names in the order of the pipeline."""
    chosen = [name for name, job in results.jobs.items() if job.rule == "dump_activations"][:number]
    for name in chosen:
        log = [f"line {index} of {name}" for index in range(1, lines)]
        results.write(results.jobs[name].log, "\n".join([*log, f"error: {name} went wrong."]) + "\n")
    return chosen


def test_each_failed_job_is_told_with_its_log(results, capsys):
    first, second = failed(results, 2)
    results.events(("started", EIGHT), ("failed", EIGHT))
    assert run_study.tell_failures(results.study, CONFIG)
    said = capsys.readouterr().err
    parts = said.split("\nfailed: ")
    assert [part.splitlines()[0] for part in parts[1:]] == [EIGHT, first, second]
    assert "killed" in parts[1]
    for name, part in zip((first, second), parts[2:], strict=True):
        assert part.splitlines()[1:] == [
            f"line 1 of {name}",
            f"line 2 of {name}",
            f"error: {name} went wrong.",
            f"(its log: {results.jobs[name].log})",
        ]


def test_of_a_job_that_was_killed_it_is_said_though_it_left_a_log(results, capsys):
    """As where memory ran out: the log ends with what went well."""
    log = results.jobs[EIGHT].log
    results.write(log, "epoch 1 of 10\n")
    results.events(("started", EIGHT), ("failed", EIGHT))
    assert run_study.tell_failures(results.study, CONFIG)
    told = capsys.readouterr().err.splitlines()[1:]
    assert told[:3] == [f"failed: {EIGHT}", "epoch 1 of 10", f"(its log: {log})"]
    assert "killed" in told[3]


def test_of_a_long_log_the_end_is_told(results, capsys):
    (name,) = failed(results, 1, lines=1000)
    run_study.tell_failures(results.study, CONFIG)
    lines = capsys.readouterr().err.splitlines()
    assert lines[2] == f"line 981 of {name}"
    assert lines[-2:] == [f"error: {name} went wrong.", f"(the last 20 lines of {results.jobs[name].log})"]


def test_of_many_failed_jobs_five_are_told_and_the_others_counted(results, capsys):
    chosen = failed(results, 6)
    run_study.tell_failures(results.study, CONFIG)
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if line.startswith("failed: ")] == [f"failed: {n}" for n in chosen[:5]]
    assert said.splitlines()[-1].startswith("and 1 more")
    script = places.WORKFLOW / "scripts/progress.py"  # these results lie in another folder
    assert said.endswith(f"python {script} --configfile config/mine.yaml\n")


def test_a_study_without_failures_says_nothing(results, capsys):
    results.finish(DUMP)
    assert not run_study.tell_failures(results.study, CONFIG)
    assert capsys.readouterr().err == ""


def test_a_report_that_cannot_be_made_is_one_sentence_and_the_old_one_stays(tmp_path):
    report, log = tmp_path / "report.html", tmp_path / "snakemake.log"
    report.write_text("old")
    failing = [sys.executable, "-c", "import sys; print('why'); sys.exit(1)"]
    with pytest.raises(UserError, match=r"^.*report\.html: .*snakemake\.log\.$"):
        run_study.make_report(failing, report, log, tmp_path)
    assert log.read_text() == "why\n"
    assert report.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "snakemake.log"}


def test_the_config_is_that_of_the_command():
    words = ["python", "-m", "snakemake", "--configfile", str(made_results.TINY), "--profile", places.PROFILE]
    assert run_study.configfile_of(words) == str(made_results.TINY)


@pytest.mark.parametrize("word", ["--config", "--config=study=x", "--configfiles", "-C", "--directory=x", "-d"])
def test_options_that_make_another_study_are_refused(word, monkeypatch):
    monkeypatch.setattr(run_study.subprocess, "Popen", None)
    with pytest.raises(UserError, match=rf"^{word}: "):
        run_study.main(["--configfile", str(made_results.TINY), word, "training={epochs: 2}"])
