"""scripts/progress.py beside a study that really runs, is stopped, and has a job that fails."""

import os
import re
import signal
import subprocess
import sys
import time

import study

from widedeep.training.checkpoint import Checkpoint

TRAINING = "digits-resnet8-w1-f100/seed{}/train"


def progress_of(made):
    words = [sys.executable, "scripts/progress.py", "--configfile", study.CONFIG]
    result = subprocess.run(words, cwd=made.folder, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def line_of(said, stage):
    """done, running, failed, waiting of a stage."""
    return [int(number) for number in re.search(rf"^{stage} +(\d+) +(\d+) +(\d+) +(\d+)", said, re.MULTILINE).groups()]


def wait_until(condition):
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_of_a_finished_study_all_is_done(finished):
    said = progress_of(finished)
    assert line_of(said, "all") == [48, 0, 0, 0]
    assert said.endswith("Finished: all jobs are done.\n")


def test_running_failed_and_stopped_are_told_apart(tmp_path):
    """Snakemake is started by hand, so that its own log is all there is; seed 2 has the checkpoint of another study."""
    made = study.Study.new(tmp_path)

    def long_trainings(config):
        config["grid"] = [{"depths": [8], "widths": [1], "seeds": [1, 2, 3]}]
        config["training"]["epochs"] = 5000
        del config["figures"], config["measures"]

    made.edit_config(long_trainings)
    models = made.results / "models/digits-resnet8-w1-f100"
    (models / "seed2").mkdir(parents=True)
    Checkpoint(models / "seed2/checkpoint.pt", {"seed": 5}).save({})
    words = ["-m", "snakemake", "--configfile", study.CONFIG, "--cores", "2", "--keep-going"]
    with made.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        wait_until(lambda: all((models / f"seed{seed}/progress.json").exists() for seed in (1, 3)))
        said = progress_of(made)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(120)
    assert line_of(said, "download") == [1, 0, 0, 0]
    assert line_of(said, "train") == [0, 2, 1, 0]
    assert line_of(said, "dump_activations") == [0, 0, 0, 3]
    assert re.search(rf"^  {TRAINING.format(1)} +\d+/5000 +\d+\.\d+ +\d+\.\d% +[\d:]+ ago$", said, re.MULTILINE)
    log = f"results/tiny/logs/{TRAINING.format(2)}.errors.log"
    named = "models/digits-resnet8-w1-f100/seed2/checkpoint.pt"
    assert re.search(rf"^failed\n  {TRAINING.format(2)}\n    {log}\n    error: .*{named}", said, re.MULTILINE)
    assert "left: " in said
    said = progress_of(made)
    assert line_of(said, "train") == [0, 0, 1, 2]
    for seed in (1, 3):
        assert re.search(rf"^  {TRAINING.format(seed)} from epoch \d+$", said, re.MULTILINE)
