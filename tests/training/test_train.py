"""scripts/train.py as a process: told to stop, resumed, and what it refuses."""

import os
import re
import subprocess
import sys

import small

from widedeep.training.checkpoint import Checkpoint

# train.py that is told to stop by the system after its first step.
STOPPED_AT_ONCE = """
import os, signal, sys
sys.path.insert(0, "scripts")
import train
from widedeep.runtime import command
train.Clock.is_due = lambda clock: clock.seconds == 1  # of the progress, not of checkpoints
train.report_progress = lambda path, state: os.kill(os.getpid(), signal.SIGTERM)
command.run(train.main)
"""


# The same, told to stop when all steps are taken.
STOPPED_LATE = """
import os, signal, sys
sys.path.insert(0, "scripts")
import train
from widedeep.runtime import command
original = train.write_results
train.write_results = lambda *args: os.kill(os.getpid(), signal.SIGTERM) or original(*args)
command.run(train.main)
"""


def words(folder, out, *more):
    """The arguments of a small training in a folder."""
    if not (folder / "dataset.h5").exists():
        small.write_dataset(folder / "dataset.h5", examples=200)
    network = ["--depth", "8", "--width", "0.5", "--seed", "1"]
    recipe = ["--batch-size", "16", "--learning-rate", "0.1", "--device", "cpu"]
    files = ["--data", folder / "dataset.h5", "--out", folder / out]
    return [*map(str, [*files, *network, *recipe, *more])]


def train(folder, out, *more, program=("scripts/train.py",)):
    command = [sys.executable, *program, *words(folder, out, *more)]
    return subprocess.run(command, capture_output=True, text=True)


def test_told_to_stop_it_saves_and_goes_on_to_the_same_bits(tmp_path):
    whole = train(tmp_path, "whole", "--epochs", "3")
    assert whole.returncode == 0, whole.stderr
    progress = tmp_path / "progress.json"
    more = ("--epochs", "3", "--progress", progress)
    stopped = train(tmp_path, "stopped", *more, program=("-c", STOPPED_AT_ONCE))
    checkpoint = tmp_path / "stopped/checkpoint.pt"
    assert stopped.returncode == 75, stopped.stderr
    assert re.search(f"^stopped: SIGTERM.*{checkpoint}", stopped.stdout.splitlines()[-1])
    assert checkpoint.exists()
    assert not (tmp_path / "stopped/model.safetensors").exists()
    again = train(tmp_path, "stopped", *more)
    assert again.returncode == 0, again.stderr
    for name in ("model.safetensors", "metrics.json", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()
    files = {path.name for path in (tmp_path / "stopped").iterdir()}
    assert files == {"model.safetensors", "metrics.json", "history.csv", "provenance.json"}
    assert not progress.exists()


def test_told_to_stop_when_all_steps_are_taken_it_keeps_the_results_for_the_next_start(tmp_path):
    """Snakemake, which is about to end, deletes the files of a job that it has not seen ending."""
    assert train(tmp_path, "whole", "--epochs", "1").returncode == 0
    stopped = train(tmp_path, "stopped", "--epochs", "1", program=("-c", STOPPED_LATE))
    assert stopped.returncode == 75, stopped.stderr
    assert re.search("^stopped: SIGTERM.*stopped/trained has the results", stopped.stdout.splitlines()[-1])
    assert os.listdir(tmp_path / "stopped") == ["trained"]
    again = train(tmp_path, "stopped", "--epochs", "1")
    assert (again.returncode, again.stdout) == (0, f"{tmp_path}/stopped: is trained already.\n")
    for name in ("model.safetensors", "metrics.json", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()
    assert len(os.listdir(tmp_path / "stopped")) == 4


def test_a_training_that_diverges_leaves_no_weights(tmp_path):
    result = train(tmp_path, "out", "--epochs", "2", "--learning-rate", "1000", "--l2", "1000")
    assert result.returncode == 1
    assert re.match(r"error: blobs-resnet8-w0\.5-f100/seed1: .*epoch 1 of 2.*training\.learning_rate", result.stderr)
    assert not (tmp_path / "out/model.safetensors").exists()


def test_an_option_out_of_bounds_is_named_before_anything_is_read(tmp_path):
    result = train(tmp_path, "out", "--learning-rate", "1e30")
    assert result.returncode == 1
    assert re.match(r"error: --learning-rate: .*1000.* 1e\+30\.$", result.stderr)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path):
    Checkpoint(tmp_path / "out/checkpoint.pt", {"seed": 5}).save({})
    result = train(tmp_path, "out", "--epochs", "1")
    assert result.returncode == 1
    assert re.search(r"^error: .*out/checkpoint\.pt: .*seed=5.*seed=1.*; move it away", result.stderr)
    assert os.listdir(tmp_path / "out") == ["checkpoint.pt"]


def test_weights_of_other_data_are_refused(tmp_path):
    assert train(tmp_path, "out", "--epochs", "1").returncode == 0
    weights, other = tmp_path / "out/model.safetensors", small.write_dataset(tmp_path / "other.h5", seed=8)
    dump = ["scripts/dump_activations.py", weights, "--data", other, "--batch-size", "16", "--out", tmp_path / "a.h5"]
    result = subprocess.run([sys.executable, *map(str, dump)], capture_output=True, text=True)
    assert result.returncode == 1
    assert re.match(f"error: {weights}: .*{other}", result.stderr)
    assert not (tmp_path / "a.h5").exists()
