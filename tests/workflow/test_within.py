"""What a number of minutes pays for, from the plan to the report, on a small grid and an invented machine."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import run_study
import run_within
import study
import yaml

from widedeep.planning import budget, throughput
from widedeep.runtime import command
from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import STOPPED
from widedeep.study import places

CONFIG = {
    "study": "mini",
    "dataset": {"name": "digits"},
    "grid": [{"depths": [8, 14], "widths": [1], "seeds": [1]}],
    "training": {"epochs": 1, "batch_size": 128, "learning_rate": 0.05, "batchnorm_momentum": 0.1, "flip": False},
    "dumps": {"batch_size": 64, "passes": 1, "keep": False},
    "figures": {
        "fig1": {
            "depth_row": {"depths": [8, 14], "width": 1},
            "width_row": {"depth": 8, "widths": [1]},
            "seed": 1,
        }
    },
}
SMALL, MIDDLE, DEEP = (Path(f"results/mini-gpu/models/digits-resnet{depth}-w1-f100/seed1") for depth in (8, 14, 20))
STUDY = Path("results/mini-gpu/study.yaml")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the workflow, the current folder; its machine trains one network at a time, in no time."""
    made = study.Study.new(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "WORKFLOW", tmp_path)  # else jobs would run the code of this repository
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setattr(
        throughput, "side_by_side", lambda *_, **_how: throughput.Measured(1e18, 0.0, "an invented device")
    )
    monkeypatch.setattr(budget, "fastest_number", lambda throughput_of, _most: bool(throughput_of(1)) * 1)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield made
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run(depths=(8, 14), minutes=10):
    grid = [{**CONFIG["grid"][0], "depths": list(depths)}]
    figures = {"fig1": {**CONFIG["figures"]["fig1"], "depth_row": {"depths": list(depths), "width": 1}}}
    Path("mini.yaml").write_text(yaml.safe_dump({**CONFIG, "grid": grid, "figures": figures}))
    return run_within.main(["--configfile", "mini.yaml", "--minutes", str(minutes)])


def depths_of(path):
    return [entry["depths"] for entry in yaml.safe_load(path.read_text())["grid"]]


@pytest.mark.whole
def test_it_trains_in_the_plans_order_is_cut_goes_on_and_ends_with_a_report(folder, monkeypatch, capsys):
    follow, analysed = run_study.follow, []
    folder.hold_trainings("resnet20")

    def cut_at_once(snakemake, log, study, until=None):
        return follow(snakemake, log, study, until and time.monotonic())

    with monkeypatch.context() as without_analysis:
        without_analysis.setattr(run_study, "main", lambda _: analysed.append(depths_of(STUDY)) or 0)
        assert run(depths=[8]) == 0
        assert analysed == [[[8]]]
        weights = (SMALL / "model.safetensors").stat().st_mtime_ns
        # A larger grid, whose new training is told to stop as soon as it has begun: what is finished stays a study.
        without_analysis.setattr(run_study, "follow", cut_at_once)
        assert run(depths=[8, 14, 20]) == 0
        assert analysed == [[[8]], [[8]]]
    folder.release_trainings()
    assert (DEEP / "checkpoint.pt").exists()
    assert not (DEEP / "model.safetensors").exists()
    # One at a time, the deepest first.
    assert not MIDDLE.exists()
    said = capsys.readouterr().out
    assert re.search(r"\n  ResNet-20 1x +1 .*\n  ResNet-14 1x +1 .*\n1 at a time, then", said)
    assert "Trained networks: 1 (results/mini-gpu/study.yaml)" in said
    assert run(depths=[8, 20]) == 0
    said = capsys.readouterr().out
    assert "Trained networks: 2 " in said
    assert "Report:  results/mini-gpu/report.html" in said
    assert depths_of(STUDY) == [[8], [20]]
    # From its checkpoint, and nothing twice.
    attempts = json.loads((DEEP / "provenance.json").read_text())["attempts"]
    assert len(attempts) == 2
    assert (SMALL / "model.safetensors").stat().st_mtime_ns == weights
    assert len(json.loads((SMALL / "provenance.json").read_text())["attempts"]) == 1
    figures = {path.stem for path in Path("results/mini-gpu/figures").iterdir()}
    assert figures == {"fig1", "B"}
    # All is there: nothing is measured, and nothing runs.
    monkeypatch.setattr(throughput, "side_by_side", None)
    assert run(depths=[8, 20]) == 0
    said = capsys.readouterr().out
    assert "Nothing to do: everything is up to date." in said


def with_data(folder):
    """Something where the data set is made."""
    (folder / "data/digits").mkdir(parents=True)
    (folder / "data/digits/dataset.h5").touch()


def test_where_no_training_ends_in_time_there_is_one_sentence(folder, monkeypatch):
    with_data(folder.folder)
    monkeypatch.setattr(run_study, "follow", lambda *_: (STOPPED, False))
    with pytest.raises(UserError, match=r"^results/mini-gpu: .*checkpoints"):
        run()
    assert not STUDY.exists()


def test_where_all_trainings_fail_that_is_the_exit_status(folder, monkeypatch):
    with_data(folder.folder)
    monkeypatch.setattr(run_study, "follow", lambda *_: (1, False))
    assert run() == 1
    assert not STUDY.exists()


def test_after_ctrl_c_nothing_is_analysed(folder, monkeypatch):
    with_data(folder.folder)
    monkeypatch.setattr(run_study, "follow", lambda *_: (command.INTERRUPTED, True))
    assert run() == command.INTERRUPTED
    assert not STUDY.exists()


def test_too_few_minutes_are_one_sentence_with_those_that_are_needed(folder, monkeypatch, capsys):
    monkeypatch.setattr(throughput, "side_by_side", lambda *_, **_how: throughput.Measured(1e7, 0.0, "a slow device"))
    with_data(folder.folder)
    with pytest.raises(UserError, match=r"^--minutes: .* 2\d:\d\d "):
        run(minutes=10)
    said = capsys.readouterr().out
    assert re.search(r"left out\n  ResNet-14 1x +1 seed +3\d:\d\d\n  ResNet-8 1x ", said)
    assert not list(folder.folder.glob("results/*/models"))
