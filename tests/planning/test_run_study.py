"""The live line of a study, read off Snakemake's log, and its report."""

import os
import sys

import pytest
import run_study

from widedeep.runtime import command
from widedeep.runtime.errors import UserError

LOG = """\
Job stats:
job      count
-----  -------
all          1
train        3
total        4

[Thu Nov 26 12:00:00 2026]
Finished jobid: 3 (Rule: train)
1 of 4 steps (25%) done
Finished jobid: 2 (Rule: train)
2 of 4 steps (50%) done
total        9
"""


def test_steps_of_a_log_that_is_read_while_it_grows(tmp_path):
    steps, seen = (0, 0), []
    for line in LOG.splitlines(keepends=True):
        steps = run_study.steps_in(line, steps)
        if not seen or seen[-1] != steps:
            seen.append(steps)
    assert seen == [(0, 0), (0, 4), (1, 4), (2, 4)]
    assert run_study.steps_in(LOG, (0, 0)) == (2, 4)
    assert run_study.describe(0, 0, tmp_path, 5) == "looking for what there is to do"
    assert run_study.describe(2, 4, tmp_path, 65) == "2 of 4 jobs, 2 left, 1:05"


def test_a_report_that_cannot_be_made_is_one_sentence_and_the_old_one_stays(tmp_path):
    report, log = tmp_path / "report.html", tmp_path / "snakemake.log"
    report.write_text("old")
    failing = [sys.executable, "-c", "import sys; print('why'); sys.exit(1)"]
    with pytest.raises(
        UserError, match=r"report\.html: could not be made; the reason is at the end of .*snakemake\.log"
    ):
        run_study.make_report(failing, report, log, tmp_path)
    assert log.read_text() == "why\n"
    assert report.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "snakemake.log"}


def test_jobs_fork_on_one_machine_and_keep_to_the_limits_of_a_cluster():
    for profile, forks in ((run_study.PROFILE, True), ("workflow/profiles/slurm", False), ("/home/me/lsf", False)):
        with run_study.forks(profile):
            assert (command.FORK_SERVER in os.environ) == forks
    assert command.FORK_SERVER not in os.environ
