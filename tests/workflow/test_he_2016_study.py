"""The study of He et al.'s networks on few images on the CPU: interrupted, gone on with, to their table."""

import json
import os
import signal
import subprocess

import pytest
import study
import yaml

from widedeep.study import checks

CONFIG = "config/he-2016.yaml"
RESULTS = "results/he-2016"
DEPTHS = (20, 32, 44, 56, 110)
# Seconds to wait for the first checkpoint, and for Snakemake to end.
PATIENCE = 300


@pytest.fixture
def small(tmp_path):
    """The workflow with the study's config for a CPU: three epochs of 48 images."""
    made = study.Study.new(tmp_path)
    content = checks.read(CONFIG).dump()
    content["training"] |= {"epochs": 2, "batch_size": 16, "mixed_precision": False}
    content["dumps"] |= {"batch_size": 16, "examples": 32}
    (tmp_path / study.CONFIG).write_text(yaml.safe_dump(content))
    study.write_cifar10(tmp_path / "data/cifar10/dataset.h5", train=48)
    return made


def folders(made):
    return {depth: made.folder / RESULTS / f"models/cifar10-resnet{depth}-w1-f100/seed1" for depth in DEPTHS}


def interrupt_when_held(made, target):
    """Start the study towards a target, and send its process group SIGINT once a training is held, as timeout does."""
    words = ["scripts/run_study.py", "--configfile", study.CONFIG, "--cores", "1", target]
    running = made.start(*words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        made.wait_until_training_is_held()
    finally:
        os.killpg(running.pid, signal.SIGINT)
    return running.wait(PATIENCE)


@pytest.mark.whole
def test_an_interrupted_study_goes_on_from_its_checkpoint_to_the_table(small):
    table = f"{RESULTS}/figures/B.md"
    deepest = folders(small)[110]
    small.hold_trainings("resnet110")  # the last one of the grid
    assert interrupt_when_held(small, table) != 0
    small.release_trainings()
    assert (deepest / "checkpoint.pt").exists()
    assert not (deepest / "model.safetensors").exists()
    small.run_study("--cores", "1", table)
    attempts = {
        depth: len(json.loads((folder / "provenance.json").read_text())["attempts"])
        for depth, folder in folders(small).items()
    }
    assert attempts == {**dict.fromkeys(DEPTHS, 1), 110: 2}
    lines = (small.folder / table).read_text().splitlines()
    assert "| depth | 1x | 1x, He et al. | 1x, difference |" in lines
    theirs = [line.split(" | ")[2] for line in lines if line.startswith(tuple(f"| {depth} |" for depth in DEPTHS))]
    assert theirs == ["91.25", "92.49", "92.83", "93.03", "93.57"]
