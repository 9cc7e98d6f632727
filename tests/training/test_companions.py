"""Several seeds trained in the process of one of them: real processes, which share the CPU as if it were a GPU."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import small

from widedeep.training import companions

# train.py as on a GPU; with PAUSING, it says when it has taken its first step, and goes on when its input ends.
SHARING = """
import sys
sys.path.insert(0, "scripts")
import train
from widedeep.runtime import command
from widedeep.training import companions
companions.SHARED = ("cpu",)
"""
RUN = "command.run(train.main)\n"
# The position is reported after each step.
REPORTING = "train.Clock.is_due = lambda clock: clock.seconds == 1\n"
PAUSING = """
paused = []
def pause(path, state):
    if not paused:
        paused.append(print("working", flush=True))
        sys.stdin.read()
train.Clock.is_due = lambda clock: clock.seconds == 1  # of the progress, not of checkpoints
train.report_progress = pause
"""
# The second seed fails at the end of its first epoch.
FAILING = """
from widedeep.runtime.errors import UserError
from widedeep.training import loop
original = loop.Training.finish_epoch
def finish_epoch(self):
    if self.name.endswith("seed2"):
        raise UserError(f"{self.name}: diverges")
    original(self)
loop.Training.finish_epoch = finish_epoch
"""
# It says whether torch was imported, which takes seconds.
TELLING = "import atexit\natexit.register(lambda: print('torch' in sys.modules))\n"
FILES = {"history.csv", "metrics.json", "model.safetensors", "provenance.json"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small.write_dataset(tmp_path_factory.mktemp("data") / "dataset.h5")


def words(data, folder, seed, beside, *more):
    network = ["--depth", "8", "--width", "0.5", "--seed", str(seed)]
    recipe = ["--epochs", "2", "--batch-size", "16", "--learning-rate", "0.1", "--device", "cpu"]
    places = ["--data", data, "--out", folder / f"seed{seed}", "--progress", folder / f"seed{seed}/progress.json"]
    others = ["--beside", *(folder / f"seed{other}" for other in beside)] if beside else []
    return [*map(str, [*places, *network, *recipe, *others, *more])]


def start(data, folder, seed, beside, *more, code="", **variables):
    command = [sys.executable, "-c", SHARING + code + RUN, *words(data, folder, seed, beside, *more)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env={**os.environ, **variables}, **pipes)


def train(*args, **options):
    process = start(*args, **options)
    said, errors = process.communicate()
    return process.returncode, said, errors


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """The folder in which seeds 1, 2 and 3 were trained one by one."""
    folder = tmp_path_factory.mktemp("alone")
    for seed in (1, 2, 3):
        status, _, errors = train(data, folder, seed, [])
        assert status == 0, errors
    return folder


def names(folder):
    return {path.name for path in Path(folder).iterdir()} if Path(folder).exists() else set()


def assert_same(folder, alone, *seeds):
    """The folder has the files of these seeds, with the bits of a training alone, and nothing else."""
    for seed in seeds:
        assert names(folder / f"seed{seed}") == FILES
        for name in FILES - {"provenance.json"}:
            assert (folder / f"seed{seed}" / name).read_bytes() == (alone / f"seed{seed}" / name).read_bytes()


def provenance_of(folder):
    return json.loads((folder / "provenance.json").read_text())


def test_the_first_job_trains_all_and_each_other_takes_its_own(data, alone, tmp_path):
    status, said, errors = train(data, tmp_path, 1, [2, 3], code=REPORTING)
    assert status == 0, errors
    assert_same(tmp_path, alone, 1)
    assert names(tmp_path / "seed2") == names(tmp_path / "seed3") == {"trained"}
    assert names(tmp_path / "seed3/trained") == FILES
    for seed, beside in ((2, [1, 3]), (3, [1, 2])):
        status, said, errors = train(data, tmp_path, seed, beside, code=TELLING)
        assert status == 0, errors
        assert said == f"{tmp_path}/seed{seed}: is trained already.\nFalse\n"
    assert_same(tmp_path, alone, 1, 2, 3)
    assert names(tmp_path) == {"seed1", "seed2", "seed3"}
    model = "blobs-resnet8-w0.5-f100"
    assert provenance_of(tmp_path / "seed2")["beside"] == [f"{model}/seed1", f"{model}/seed3"]
    assert provenance_of(tmp_path / "seed2")["seed"] == 2


def test_what_is_there_is_not_trained_again(data, alone, tmp_path):
    """One seed more, and one that was deleted."""
    for seed in (1, 3):
        shutil.copytree(alone / f"seed{seed}", tmp_path / f"seed{seed}")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    status, said, errors = train(data, tmp_path, 2, [1, 3])
    assert status == 0, errors
    assert said.count("test accuracy") == 1
    assert_same(tmp_path, alone, 1, 2, 3)
    assert all(path.stat().st_mtime_ns == moment for path, moment in before.items())
    assert provenance_of(tmp_path / "seed2")["beside"] == []


def test_those_of_other_settings_are_trained_too(data, alone, tmp_path):
    """Their jobs will run as well, since their recipe has changed."""
    shutil.copytree(alone / "seed2", tmp_path / "seed2")
    status, said, _ = train(data, tmp_path, 1, [2], "--momentum", "0.5")
    assert status == 0
    assert said.count("test accuracy") == 2
    assert names(tmp_path / "seed2") == {*FILES, "trained"}


def test_no_more_than_at_once(data, tmp_path):
    status, said, _ = train(data, tmp_path, 1, [2, 3], "--at-once", "2")
    assert status == 0
    assert said.count("test accuracy") == 2
    assert names(tmp_path) == {"seed1", "seed2"}


def test_two_jobs_that_start_together_train_all_once(data, alone, tmp_path):
    with start(data, tmp_path, 1, [2], code=PAUSING) as first:
        assert first.stdout.readline() == "working\n"
        with start(data, tmp_path, 2, [1]) as second:
            assert "seed2/model.safetensors: another process writes this" in second.stdout.readline()
            first.communicate()
            said, _ = second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert said == f"{tmp_path}/seed2: is trained already.\n"
    assert_same(tmp_path, alone, 1, 2)


@pytest.fixture
def scontrol(tmp_path):
    """PATH with a program of this name, which notes what it is told, and the file of its notes."""
    program, told = tmp_path / "bin/scontrol", tmp_path / "told"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {told}\n[ ! -e {tmp_path}/refuses ] || {{ echo no >&2; exit 1; }}\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}", told


def test_a_slurm_job_waits_in_the_queue_for_one_that_trains_its_network(data, alone, tmp_path, scontrol):
    path, told = scontrol
    with start(data, tmp_path, 1, [2], code=PAUSING, SLURM_JOB_ID="11") as first:
        assert first.stdout.readline() == "working\n"
        with start(data, tmp_path, 2, [1], "--wait-in-queue", SLURM_JOB_ID="12", PATH=path) as second:
            assert second.stdout.readline() == (
                "Slurm job 11 does this work too: job 12 goes back to the queue until it has ended.\n"
            )
            assert "another process writes this" in second.stdout.readline()
            second.send_signal(signal.SIGTERM)  # as Slurm does
            said, _ = second.communicate()
        first.communicate()
    assert told.read_text() == "requeue 12\nupdate JobId=12 Dependency=afterany:11\n"
    assert (first.returncode, second.returncode) == (0, 75)
    assert said == "stopped: SIGTERM, before the training began; start it again.\n"
    status, said, _ = train(data, tmp_path, 2, [1], "--wait-in-queue", SLURM_JOB_ID="12", PATH=path)
    assert (status, said) == (0, f"{tmp_path}/seed2: is trained already.\n")
    assert_same(tmp_path, alone, 1, 2)


def test_a_slurm_job_that_is_not_taken_back_waits_where_it_is(data, alone, tmp_path, scontrol):
    path, told = scontrol
    (tmp_path / "refuses").touch()
    with start(data, tmp_path, 1, [2], code=PAUSING, SLURM_JOB_ID="11") as first:
        assert first.stdout.readline() == "working\n"
        with start(data, tmp_path, 2, [1], "--wait-in-queue", SLURM_JOB_ID="12", PATH=path) as second:
            second.stdout.readline()
            assert second.stdout.readline() == "Slurm refuses (no): waiting here until it has ended.\n"
            assert "another process writes this" in second.stdout.readline()
            first.communicate()
            said, _ = second.communicate()
    assert told.read_text() == "requeue 12\n"
    assert (first.returncode, second.returncode, said) == (0, 0, f"{tmp_path}/seed2: is trained already.\n")
    assert_same(tmp_path, alone, 1, 2)


@pytest.mark.parametrize(("first_job", "second_job"), [("11", "11"), ("", "12"), ("11", "")])
def test_only_another_slurm_job_is_followed_in_the_queue(data, tmp_path, scontrol, first_job, second_job):
    """Not the own one, as where a whole study runs in one."""
    path, told = scontrol
    with start(data, tmp_path, 1, [2], code=PAUSING, SLURM_JOB_ID=first_job) as first:
        assert first.stdout.readline() == "working\n"
        with start(data, tmp_path, 2, [1], "--wait-in-queue", SLURM_JOB_ID=second_job, PATH=path) as second:
            assert "another process writes this" in second.stdout.readline()
            first.communicate()
            second.communicate()
    assert second.returncode == 0
    assert not told.exists()


def test_one_that_fails_harms_no_other(data, alone, tmp_path):
    status, said, errors = train(data, tmp_path, 1, [2, 3], code=FAILING)
    assert (status, errors) == (0, "")
    assert "blobs-resnet8-w0.5-f100/seed2: failed: " in said
    assert_same(tmp_path, alone, 1)
    assert names(tmp_path / "seed3/trained") == FILES
    assert names(tmp_path / "seed2") == set()


def test_a_job_whose_own_training_fails_leaves_the_others(data, tmp_path):
    status, _, errors = train(data, tmp_path, 2, [1, 3], code=FAILING)
    assert status == 1
    assert errors == "error: blobs-resnet8-w0.5-f100/seed2: diverges\n"
    assert names(tmp_path / "seed1/trained") == names(tmp_path / "seed3/trained") == FILES
    assert names(tmp_path / "seed2") == set()


def test_a_checkpoint_that_is_refused_is_left_to_its_own_job(data, alone, tmp_path):
    (tmp_path / "seed2").mkdir()
    (tmp_path / "seed2/checkpoint.pt").write_bytes(b"damaged")
    status, said, _ = train(data, tmp_path, 1, [2])
    assert status == 0
    assert "blobs-resnet8-w0.5-f100/seed2 is left to its own job: " in said
    assert_same(tmp_path, alone, 1)
    assert (tmp_path / "seed2/checkpoint.pt").read_bytes() == b"damaged"
    status, _, errors = train(data, tmp_path, 2, [1])
    assert status == 1
    assert errors.startswith(f"error: {tmp_path}/seed2/checkpoint.pt: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_all_go_on_from_their_checkpoints(data, alone, tmp_path, number):
    with start(data, tmp_path, 1, [2], "--checkpoint-minutes", "0", code=PAUSING) as process:
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        said, _ = process.communicate()
    if number == signal.SIGTERM:
        assert process.returncode == 75
        assert said.startswith("stopped: SIGTERM")
        assert (tmp_path / "seed1/checkpoint.pt").exists()
        assert (tmp_path / "seed2/checkpoint.pt").exists()
    for seed, beside in ((2, [1]), (1, [2])):
        status, _, errors = train(data, tmp_path, seed, beside)
        assert status == 0, errors
    assert_same(tmp_path, alone, 1, 2)
    attempts = [len(provenance_of(tmp_path / f"seed{seed}")["attempts"]) for seed in (1, 2)]
    assert attempts == ([2, 2] if number == signal.SIGTERM else [1, 1])


def test_results_of_other_code_or_settings_are_not_taken(data, alone, tmp_path):
    for change in ({"code": "other"}, {"settings": {"epochs": 7}}, {"outputs": {"history.csv": "other"}}):
        folder = tmp_path / next(iter(change))
        shutil.copytree(alone / "seed1", folder / "seed1/trained")
        record = folder / "seed1/trained/provenance.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
        status, said, errors = train(data, folder, 1, [])
        assert status == 0, errors
        assert "test accuracy" in said
        assert_same(folder, alone, 1)


def test_a_device_that_gains_nothing_trains_each_alone(data, alone, tmp_path):
    command = [sys.executable, "scripts/train.py", *words(data, tmp_path, 1, [2])]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert names(tmp_path) == {"seed1"}
    assert_same(tmp_path, alone, 1)


def test_a_folder_that_is_not_named_after_its_seed_is_refused(data, tmp_path):
    status, _, errors = train(data, tmp_path, 1, [], "--beside", str(tmp_path / "second"))
    assert status == 1
    assert errors.startswith(f"error: --beside: the folder {tmp_path}/second is not named after its seed; ")
    assert names(tmp_path) == set()


def test_the_weights_are_put_in_place_last():
    assert companions.OUTPUTS[-1] == "model.safetensors"
