"""The tiny study from nothing to its report, as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys

import pandas as pd
import pytest
import study

from widedeep.formats import similarities, weights
from widedeep.planning import requests
from widedeep.planning.costs import Costs
from widedeep.planning.images import expected_images
from widedeep.planning.sizes import estimated
from widedeep.study import checks
from widedeep.study.jobs import jobs_of

SIZES = ("8-w1", "14-w1", "8-w2")
NETWORKS = [f"digits-resnet{size}-f100/seed{seed}" for size in SIZES for seed in (1, 2)]


def test_everything_is_there_and_nothing_else(finished):
    for network in NETWORKS:
        files = {path.name for path in (finished.results / "models" / network).iterdir()}
        expected = {"model.safetensors", "history.csv", "metrics.json", "activations.h5", "cka.h5"}
        expected |= {"pca.h5", "predictions.h5", "provenance.json", "dump_provenance.json"}
        probed = {"probes.csv", "deletion.csv", "probe_provenance.json"}
        of_figure_1 = "-w1-" in network and network.endswith("seed1")
        expected |= {"measures"} if of_figure_1 else set()
        assert files == expected | (probed if "resnet14" in network else set())
        measures = {path.name for path in (finished.results / "models" / network).glob("measures/*")}
        assert measures == ({"rbf_cka.h5", "procrustes.h5"} if of_figure_1 else set())
    figures = {path.name for path in (finished.results / "figures").iterdir()}
    names = (
        "fig1",
        "fig1-measures",
        "fig1-seeds",
        "fig3",
        "D",
        "fig4-probes",
        "fig4-delete",
        "E",
        "fig5",
        "F",
        "B",
        "G",
        "A",
        "fig6-examples",
        "fig6-classes",
    )
    assert figures == {f"{name}.{end}" for name in names for end in ("pdf", "png", "csv")} | {
        "B.md",
        "fig6.csv",
        "G-pairs.csv",
    }
    pairs = {str(path.relative_to(finished.results / "pairs")) for path in finished.results.glob("pairs/*/*")}
    eight, fourteen = "digits-resnet8-w1-f100", "digits-resnet14-w1-f100"
    assert pairs == {
        f"{eight}--{eight}/seed2.h5",
        f"{fourteen}--{fourteen}/seed2.h5",
        f"{eight}--{fourteen}/seed1.h5",
        f"{eight}--{fourteen}/seed2.h5",
    }
    assert len(pd.read_csv(finished.results / "summary.csv")) == 6


def test_the_files_fit_each_other(finished):
    import torch

    for name in NETWORKS:
        folder = finished.results / "models" / name
        network, model, settings = weights.load(folder / "model.safetensors", torch.device("cpu"))
        metrics = json.loads((folder / "metrics.json").read_text())
        assert f"{model}/seed{settings['seed']}" == name
        assert metrics["parameters"] == sum(parameter.numel() for parameter in network.parameters())
        history = pd.read_csv(folder / "history.csv")
        assert history.test_accuracy.iloc[-1] == pytest.approx(metrics["test_accuracy"])
        assert similarities.read(folder / "cka.h5").first.label == name


def test_every_job_left_a_log_and_a_timing(finished):
    logs = {
        str(path.relative_to(finished.results / "logs").with_suffix(""))
        for path in finished.results.glob("logs/**/*.log")
    }
    timings = {
        str(path.relative_to(finished.results / "timings").with_suffix(""))
        for path in finished.results.glob("timings/**/*.tsv")
    }
    assert timings <= logs | {f"{network}/train" for network in NETWORKS}
    # Of each network, two probed ones, two measures of two networks, pairs, figures, download, tables.
    assert len(timings) == 3 * 6 + 2 + 4 + 4 + 14 + 1 + 5
    assert "test accuracy" in (finished.results / f"logs/{NETWORKS[0]}/train.log").read_text()


def test_the_user_is_told_where_the_results_are(finished):
    said = finished.first_run
    for path in ("report.html", "explorer.html", "figures", "summary.csv", "findings.md"):
        assert f"results/tiny/{path}" in said
    assert "not decidable: " in said  # with two seeds
    assert "of 49 jobs" in said


@pytest.mark.whole
def test_snakemake_looks_at_the_waiting_jobs_when_one_ends_and_not_all_the_time(copied):
    for path in copied.results.glob("figures/fig*"):
        path.unlink()
    result = copied.snakemake("--verbose")
    jobs = len(re.findall("^Finished jobid: ", result.stderr, re.MULTILINE))
    assert jobs >= 10
    assert len(re.findall("^Ready jobs: ", result.stderr, re.MULTILINE)) <= jobs + 1


def test_asking_again_runs_nothing_and_says_so(copied):
    before = (copied.results / "report.html").stat().st_mtime
    said = copied.run_study().stdout
    assert "Nothing to do: everything is up to date." in said
    assert "Making the report" not in said
    assert (copied.results / "report.html").stat().st_mtime == before


def test_a_wrong_config_is_one_sentence_before_anything_runs(copied):
    copied.edit_config(lambda config: config["grid"][0].update(depths=[8, 15]))
    result = copied.run_study(check=False)
    assert result.returncode == 1
    assert "tiny.yaml: config key grid[0].depths: depth 15 " in result.stderr
    assert "Traceback" not in result.stderr


def test_options_for_snakemake_are_passed_on_and_an_unfinished_study_has_no_report(tmp_path):
    made = study.Study.new(tmp_path)
    said = made.run_study("-n").stdout
    assert "results/tiny/logs/snakemake.log" in said
    assert "report.html" not in said
    assert "Training digits-resnet8-w1-f100" in (made.results / "logs/snakemake.log").read_text()
    assert not (made.results / "report.html").exists()


def test_a_results_folder_without_write_permission_is_one_sentence(tmp_path):
    made = study.Study.new(tmp_path)
    made.results.parent.mkdir()
    made.results.parent.chmod(0o555)
    # root may write anywhere, unless it gives that right away.
    obey = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    words = [*obey, sys.executable, "scripts/run_study.py", "--configfile", study.CONFIG]
    result = subprocess.run(words, cwd=made.folder, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: results/tiny/logs/snakemake.log: cannot be written: no permission")
    assert result.stderr.count("\n") == 1
    assert not list(made.results.parent.iterdir())


def test_an_error_in_one_network_is_shown_and_stops_no_other(copied):
    """A checkpoint of another configuration lies in the folder of a new network."""
    from widedeep.training.checkpoint import Checkpoint

    copied.edit_config(lambda config: config["grid"][0].update(seeds=[1, 2, 3]))
    folder = copied.results / "models/digits-resnet8-w1-f100/seed3"
    folder.mkdir()
    Checkpoint(folder / "checkpoint.pt", {"seed": 5}).save({})
    result = copied.run_study(check=False)
    assert result.returncode == 1
    assert f"{folder.relative_to(copied.folder)}/checkpoint.pt" in result.stderr
    assert "Traceback" not in result.stderr
    assert "run the same command to go on" in result.stderr
    assert (copied.results / "models/digits-resnet14-w1-f100/seed3/cka.h5").exists()
    assert (folder / "checkpoint.pt").exists()


@pytest.mark.whole
def test_interrupted_with_ctrl_c_it_goes_on_where_it_was(tmp_path):
    """The trainings save checkpoints, Snakemake unlocks the folder, the next run ends like an undisturbed one."""
    made = study.Study.new(tmp_path)

    def one_network(config):
        config["grid"] = [{"depths": [8], "widths": [1], "seeds": [1]}]
        config["dumps"]["keep"] = False
        del config["figures"], config["measures"]

    made.edit_config(one_network)
    made.hold_trainings()
    process = made.start(
        "scripts/run_study.py",
        "--configfile",
        study.CONFIG,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    folder = made.results / "models/digits-resnet8-w1-f100/seed1"
    try:
        made.wait_until_training_is_held()
    finally:
        os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode, said
    made.release_trainings()
    assert (folder / "checkpoint.pt").exists(), said
    assert made.run_study().returncode == 0
    kept = {"model.safetensors", "history.csv", "metrics.json", "cka.h5", "pca.h5", "predictions.h5"}
    kept |= {"provenance.json", "dump_provenance.json"}
    assert {path.name for path in folder.iterdir()} == kept
    attempts = json.loads((folder / "provenance.json").read_text())["attempts"]
    assert len(attempts) == 2
    assert made.jobs_of_dry_run() == {}
    log = (made.results / "logs/digits-resnet8-w1-f100/seed1/train.log").read_text()
    assert "stopped: SIGINT" in log
    assert "test accuracy" in log


def test_no_job_took_more_memory_than_jobs_at_a_time_are_counted_with(finished):
    made = checks.read(finished.folder / study.CONFIG)
    costs = Costs(made, expected_images(made), estimated)
    peaks = {
        job.name: (pd.read_csv(finished.folder / job.timing, sep="\t").max_rss[0] * 2**20 / 1e6, job)
        for job in jobs_of(made)
    }
    assert len(peaks) > 40
    assert {name: peak for name, (peak, job) in peaks.items() if peak > requests.likely_megabytes(costs, job)} == {}
