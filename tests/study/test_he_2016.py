"""The study of He et al.'s networks: table B has a published accuracy for each, and its opening tells what it costs."""

import re
from pathlib import Path

import plan
import pytest

from widedeep.analysis import published
from widedeep.study import checks
from widedeep.study.jobs import jobs_of

PATH = "config/he-2016.yaml"
STUDY = checks.read(PATH)
OPENING = Path(PATH).read_text().split("study:")[0]


def test_each_network_has_a_published_accuracy_and_the_opening_tells_it():
    assert [(one.depth, one.width) for one in STUDY.configurations] == [(depth, 1) for depth in (20, 32, 44, 56, 110)]
    theirs = [
        published.test_accuracy(one.dataset, one.family, one.depth, one.width, one.fraction)
        for one in STUDY.configurations
    ]
    *first, last = (f"{100 * accuracy:.2f}" for accuracy in theirs)
    assert f"{', '.join(first)} and {last} %" in " ".join(OPENING.replace("#", " ").split())
    # Published accuracies are of images in full size.
    assert STUDY.dataset.image_size is None


def test_the_recipe_is_that_of_the_papers_grid_in_bfloat16():
    grid = checks.read("config/cifar10.yaml").training.recipe
    assert STUDY.training.recipe == grid.model_copy(update={"mixed_precision": True})
    steps = STUDY.training.epochs * (50_000 // STUDY.training.batch_size)
    assert f"300 epochs, {steps:,} steps" in OPENING


def test_the_opening_tells_the_jobs_the_training_and_the_disk_of_the_plan(capsys):
    assert f"jobs:   {len(jobs_of(STUDY))} ({len(STUDY.networks)} networks)" in OPENING
    plan.main(["--configfile", PATH, "--throughput", "17000"])
    said = capsys.readouterr().out
    (everything,) = re.findall(r"  training  .* ([\d.]+)PFLOP\n", said)
    assert f" {float(everything):.0f} PFLOP of training" in OPENING
    minutes = re.search(r"(\d+):\d\d of training", said)[1]
    assert f": {minutes} minutes at 17 TFLOP/s" in OPENING
    kept, least, most, unit = re.search(
        r"([\d.]+)MB, and for a while ([\d.]+)MB to ([\d.]+)(.B) of dumps", said
    ).groups()
    assert unit == "GB"
    assert f"disk:   {float(kept):.0f} MB, and for a while {float(least) / 1000:.1f} to " in OPENING
    assert float(re.search(r"([\d.]+) GB of dumps", OPENING)[1]) == pytest.approx(float(most), abs=0.06)
