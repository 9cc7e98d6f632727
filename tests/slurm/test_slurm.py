"""The tiny study on a real Slurm, and a training that is cut short in every way that clusters know: the same bits.

One file, since `make test` gives a file to one process, and a machine has one place for a cluster's configuration.
"""

import contextlib
import re
import signal

import cluster as slurm
import held
import pytest

# Each takes one to three minutes, so CI runs the first four alone; `make test-slurm` runs all.
long = pytest.mark.long


@pytest.fixture(scope="module")
def undisturbed(cluster, tmp_path_factory):  # noqa: ARG001 (no cluster, no reason to run it)
    """The study as it ends without a cluster, and without waiting."""
    made = held.HeldStudy.new(tmp_path_factory.mktemp("undisturbed"))
    made.run_study()
    return made


@pytest.fixture
def start(cluster, tmp_path):  # noqa: ARG001
    """Start the study on the cluster, to be held: changes of its profile and its code, keys of `training`."""
    running = []

    def started(change=lambda _: None, prepare=lambda _: None, seeds=(1,), **training):
        made = held.HeldStudy.new(tmp_path, seeds, **training)
        made.hold_trainings()
        made.edit_profile(change)
        prepare(made)
        running.append(made.start(*trained(seeds)))
        return made, running[0]

    yield started
    for process in running:
        process.kill()
        process.wait()
    numbers = [number for number, _, _ in slurm.jobs()]
    if numbers:
        slurm.run("scancel", *numbers, check=False)
        slurm.wait_until(lambda: not slurm.jobs(), 30, "all jobs are gone")


def test_a_study_runs_to_its_report(cluster, on_cluster):
    """Through the profile that users get."""
    before = len(cluster.ended())
    on_cluster.run_study("--profile", held.PROFILE)
    assert (on_cluster.results / "report.html").exists()
    ended = cluster.ended()[before:]
    assert all("JobState=COMPLETED" in line for line in ended)
    log = (on_cluster.results / "logs/snakemake.log").read_text()
    submitted = re.findall(r"Job \d+ has been submitted with SLURM jobid (\d+)", log)
    assert len(submitted) == len(ended)
    assert on_cluster.jobs_of_dry_run() == {}


def test_time_limit(cluster, undisturbed, start):
    def one_minute_more_each_attempt(profile):
        profile["set-resources"]["train"] |= {"runtime": "attempt", "slurm_extra": "'--signal=TERM@10'"}

    study, process = start(one_minute_more_each_attempt)
    study.wait_until_training_is_held(study.said)
    (first,) = study.training_jobs()
    slurm.wait_until(lambda: first not in {number for number, _, _ in slurm.jobs()}, 180, "the job has ended")
    study.release_trainings()
    study.finish(process)
    first, second = study.training_jobs()
    assert "JobState=FAILED" in cluster.ended_as(first)  # told in time: not TIMEOUT
    assert "JobState=COMPLETED" in cluster.ended_as(second)
    assert "stopped: SIGTERM" in study.story()  # the log of both attempts
    assert [attempt["slurm_job"] for attempt in study.attempts()] == [first, second]
    held.assert_one_after_the_other(study.attempts())
    held.assert_equal_results(study, undisturbed)


def test_snakemake_is_killed_and_its_jobs_go_on(undisturbed, start):
    study, process = start()
    study.wait_until_training_is_held(study.said)
    process.kill()
    process.wait()
    locked = study.run_study("--profile", held.PROFILE, check=False)
    assert locked.returncode == 1
    assert "scancel --name" in locked.stderr
    unlock = next(line for line in locked.stderr.splitlines() if line.endswith("--unlock"))
    study.snakemake(*unlock.split()[1:])
    # Without scancel: the training of before still runs when the new Snakemake submits it again.
    process = study.start()
    waits = "another process writes this; waiting until it has ended."
    slurm.wait_until(lambda: waits in study.story(), 180, f"the second training waits; {study.said()}")
    study.release_trainings()
    study.finish(process)
    first, _ = study.training_jobs()
    assert ": is trained already." in study.story()
    assert [attempt["slurm_job"] for attempt in study.attempts()] == [first]
    held.assert_equal_results(study, undisturbed)
    held.assert_equal_results(study, undisturbed, ["activations.h5", "pca.h5", "predictions.h5", "cka.h5"])
    assert study.jobs_of_dry_run() == {}


def test_seeds_share_a_job_whose_node_dies(cluster, start, tmp_path_factory):
    """The other jobs wait in the queue and not on GPUs, and each network learns what it learns alone."""
    seeds = (1, 2, 3)

    def share(study):
        study.edit("scripts/widedeep/training/companions.py", 'SHARED = ("cuda",)', 'SHARED = ("cpu",)')

    study, process = start(prepare=share, seeds=seeds, checkpoint_minutes=0)
    slurm.wait_until(lambda: len(behind_others()) == 2, 180, "two jobs wait in the queue for the third")
    (shared,) = set(behind_others().values())
    assert {shared, *behind_others()} == set(study.training_jobs())
    study.wait_until_training_is_held(study.said)
    with died(cluster, slurm.run("squeue", "-h", "-j", shared, "-o", "%N").strip()):
        study.release_trainings()
        release_until_running(shared)
        slurm.wait_until(lambda: slurm.release() or process.poll() is not None, 400, "the study has ended")
    study.finish(process)
    assert len(study.training_jobs()) == 3  # Snakemake noticed nothing
    stories = [study.story(seed) for seed in seeds]
    assert sorted(story.count("test accuracy") for story in stories) == [0, 0, 3]
    assert sorted("is trained already" in story for story in stories) == [False, True, True]
    alone = held.HeldStudy.new(tmp_path_factory.mktemp("alone"), seeds)
    alone.snakemake(*trained(seeds))
    for seed in seeds:
        assert [attempt["slurm_job"] for attempt in study.attempts(seed)] == [shared, shared]
        held.assert_equal_results(study, alone, seed=seed)


@long
def test_scancel(cluster, undisturbed, start):
    study, process = start()
    study.wait_until_training_is_held(study.said)
    (number,) = study.training_jobs()
    slurm.run("scancel", number)
    study.release_trainings()
    study.finish(process)
    assert "stopped: SIGTERM" in study.story()
    assert "'CANCELLED'" in study.log.read_text()
    assert [attempt["slurm_job"] for attempt in study.attempts()] == study.training_jobs()
    limits = [re.search(r"TimeLimit=(\d+)", cluster.ended_as(number))[1] for number in study.training_jobs()]
    assert int(limits[1]) == 2 * int(limits[0])  # as the workflow asks for a second attempt
    held.assert_one_after_the_other(study.attempts())
    held.assert_equal_results(study, undisturbed)


@long
def test_preemption(undisturbed, start):
    def in_spot(profile):
        profile["default-resources"]["slurm_partition"] = "spot"

    study, process = start(in_spot)
    study.wait_until_training_is_held(study.said)
    (number,) = study.training_jobs()
    other = slurm.run(
        "sbatch", "--parsable", "-p", "main", "-N", 2, "--exclusive", "-o", "/dev/null", "--wrap", "sleep 5"
    )
    slurm.wait_until(lambda: (number, "PENDING") in states(), 60, f"job {number} is back in the queue for {other}")
    slurm.wait_until(lambda: other.strip() not in {job for job, _ in states()}, 60, f"job {other} has ended")
    study.release_trainings()
    release_until_running(number)
    study.finish(process)
    assert study.training_jobs() == [number]  # Snakemake noticed nothing
    assert "stopped: SIGTERM" in study.story()
    assert [attempt["slurm_job"] for attempt in study.attempts()] == [number, number]
    held.assert_one_after_the_other(study.attempts())
    held.assert_equal_results(study, undisturbed)


@long
def test_a_node_dies(cluster, undisturbed, start):
    study, process = start(checkpoint_minutes=0)
    study.wait_until_training_is_held(study.said)
    (number,) = study.training_jobs()
    with died(cluster, slurm.run("squeue", "-h", "-j", number, "-o", "%N").strip()):
        study.release_trainings()
        release_until_running(number)
        study.finish(process)
    assert study.training_jobs() == [number]
    assert "stopped by" not in study.story()  # it had no time to say anything
    assert len(study.attempts()) == 2
    held.assert_equal_results(study, undisturbed)


@long
def test_interrupting_snakemake_stops_its_jobs_and_loses_nothing(undisturbed, start):
    study, process = start()
    study.wait_until_training_is_held(study.said)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 1
    slurm.wait_until(lambda: not slurm.jobs(), 30, "the training has ended")
    assert "stopped: SIGTERM" in study.story()
    study.release_trainings()
    study.finish(study.start(held.TRAINED))
    assert len(study.attempts()) == 2
    held.assert_equal_results(study, undisturbed)


def trained(seeds):
    return [held.TRAINED.replace("seed1", f"seed{seed}") for seed in seeds]


@contextlib.contextmanager
def died(cluster, node):
    """A node is dead, and Slurm knows, until the block ends."""
    cluster.kill_node(node)
    try:
        slurm.wait_until(lambda: cluster.state_of(node) == "down", 120, f"{node} is down")
        yield
    finally:
        cluster.start_node(node)
        slurm.wait_until(lambda: cluster.state_of(node) in ("idle", "mix", "alloc"), 60, f"{node} is back")


def behind_others():
    """dict from each job that waits until another one has ended to that one."""
    lines = slurm.run("squeue", "-h", "-t", "PENDING", "-o", "%A %E", check=False)
    return dict(re.findall(r"(\d+) afterany:(\d+)", lines))


def states():
    return {(number, state) for number, state, _ in slurm.jobs()}


def release_until_running(number, seconds=60):
    """Start a requeued job now, for Slurm would let it wait for two minutes."""

    def is_running():
        slurm.release()
        return (number, "RUNNING") in states()

    slurm.wait_until(is_running, seconds, f"job {number} runs again")
