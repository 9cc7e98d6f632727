"""The live line of a study: what it reads off Snakemake's log."""

import run_study

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
