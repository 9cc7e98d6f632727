"""How long the rest of a study takes, from the durations of its finished jobs."""

import pytest
from made_results import DUMP, EIGHT, ERRORS, FOLDER, checkpoint

from widedeep.planning import remaining

SEED_2 = EIGHT.replace("seed1", "seed2")
FOURTEEN, WIDE = (f"digits-resnet{size}-f100/seed1/train" for size in ("14-w1", "8-w2"))


def estimates(results):
    """dict from the name of each unfinished job to its Estimate."""
    return {state.job.name: found for state, found in remaining.estimates(results.study, results.states())}


def test_networks_are_estimated_from_their_own_configuration_or_by_operations(results):
    results.finish(EIGHT, seconds=10)
    left = estimates(results)
    assert left[SEED_2] == remaining.Estimate(10)
    # Twelve layers in residual blocks instead of six, and twice the width of them.
    assert left[FOURTEEN] == remaining.Estimate(pytest.approx(20), scaled=True)
    assert left[WIDE] == remaining.Estimate(pytest.approx(40), scaled=True)
    assert left[DUMP] == remaining.Estimate(None)
    results.finish(FOURTEEN, seconds=14)
    assert estimates(results)[WIDE].seconds == pytest.approx(6 + 4 * 4)


def test_what_a_training_has_behind_it_is_not_left(results):
    results.finish(SEED_2, seconds=100)
    results.write(ERRORS, age=500)
    results.report(age=1, epoch=4)
    results.change("training", epochs=10)
    assert estimates(results)[EIGHT].seconds == pytest.approx(70)
    results.report(age=100)
    checkpoint(FOLDER / "checkpoint.pt", epoch=6)
    assert estimates(results)[EIGHT] == remaining.Estimate(pytest.approx(40))


def test_a_job_without_a_position_has_its_age_behind_it(results):
    results.finish(DUMP.replace("seed1", "seed2"), seconds=100)
    results.write(results.jobs[DUMP].log, age=30)
    assert estimates(results)[DUMP].seconds == pytest.approx(70, abs=0.1)


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
