"""Every stage as a command line: help, examples, errors, threads."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import small
import yaml

SCRIPTS = sorted(Path("scripts").glob("*.py"))


def run(*words, **options):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, **options)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_reads_like_documentation_and_is_quick(script):
    """The description and an example, without importing what takes seconds."""
    result = run("-X", "importtime", script, "--help")
    assert result.returncode == 0
    doc = ast.get_docstring(ast.parse(script.read_text()))
    assert doc.splitlines()[0] in result.stdout
    assert f"python scripts/{script.name}" in doc.split("Example")[1]
    heavy = {"torch", "pandas", "h5py", "matplotlib", "sklearn", "numpy"}
    assert not heavy & {line.split("|")[-1].strip() for line in result.stderr.splitlines()}


def test_the_examples_of_the_stages_run_one_after_the_other(tmp_path):
    """As printed, in the order of the pipeline, but for the number of epochs."""
    for name in ("scripts", "config"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    for stage in (
        "download",
        "train",
        "dump_activations",
        "compute_cka",
        "plot_heatmaps",
        "plot_components",
        "probe_blocks",
        "plot_blocks",
        "converge_cka",
        "summarise",
        "tabulate_accuracy",
        "tabulate_provenance",
    ):
        doc = ast.get_docstring(ast.parse(Path(f"scripts/{stage}.py").read_text()))
        example = (
            re.sub(r"\\\n", " ", doc.split("Example")[1])
            .replace("--epochs 10", "--epochs 1")
            .replace("--epochs 5", "--epochs 1")
        )
        command = re.search(rf"python scripts/{stage}\.py .*", example)[0]
        if stage == "download":
            assert "--dataset digits" in command
        result = run(*command.split()[1:], cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    drawn = {f"{figure}.{end}" for figure in ("fig", "fig3", "fig4", "A", "B") for end in ("pdf", "png", "csv")}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        *drawn,
        "B.md",
        "summary.csv",
        "provenance.csv",
        "provenance.html",
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train.py", "--data", "no.h5", "--depth", "8", "--seed", "1", "--out", "o"], "no.h5: no such file; "),
        (["dump_activations.py", "no.st", "--data", "no.h5", "--out", "o"], "no.st: no such file; train the network"),
        (["tabulate_provenance.py", "no", "--out", "o.csv"], "no/provenance.json: no such file; make it again"),
        (["compute_cka.py", "no.h5", "--out", "o"], "no.h5: no such file; dump the activations again"),
        (["plot_heatmaps.py", "--panel", "a", "no.h5", "--out", "o.png"], "no.h5: no such file; compute it again"),
        (["summarise.py", "no", "--out", "o"], "no/cka.h5: no such file; compute it again"),
        (
            ["probe_blocks.py", "no.st", "--data", "no.h5", "--probes", "p", "--deletion", "d"],
            "no.st: no such file; train",
        ),
        (["converge_cka.py", "no.st", "--data", "no.h5", "--out", "o.png"], "no.st: no such file; train the network"),
        (["plan.py", "--configfile", "no.yaml"], "no.yaml: cannot be read (No such file or directory)"),
        (
            ["compare_predictions.py", "--predictions", "no.h5", "--out", "o.png"],
            "no.h5: no such file; compute it again",
        ),
        (["download.py", "--dataset", "x", "--out", "o"], "config key dataset.name 'x' is not one of digits"),
        (["verify.py", "no", "--configfile", "no.yaml"], "no.yaml: cannot be read (No such file or directory)"),
        (
            ["verify.py", "no", "--configfile", Path("config/demo.yaml").resolve()],
            "no: no such folder; give the folder of a study, as results/demo",
        ),
        (
            ["run_within.py", "--minutes", "1", "--configfile", "no.yaml"],
            "no.yaml: cannot be read (No such file or directory)",
        ),
        (["run_study.py", "--configfile", "no.yaml"], "no.yaml: cannot be read (No such file or directory)"),
        (
            ["run_study.py", "--configfile", Path("requirements.in").resolve()],
            f"{Path('requirements.in').resolve()}: is not YAML (expected '<document start>'",
        ),
    ],
)
def test_mistakes_give_one_sentence_and_status_1(words, sentence, tmp_path):
    script, *rest = words
    result = run(Path("scripts", script).resolve(), *rest, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("study: demo", "study: ../../elsewhere"),
        ("study: demo", "__use_yte__: true\nstudy:\n  ?open('trace', 'w').name\n"),  # Snakemake would run it
        ("study: demo", "study: !!python/object/apply:os.mkdir [trace]"),
    ],
)
def test_a_hostile_config_is_refused_before_anything_is_written(old, new, tmp_path):
    folder = tmp_path / "a/b/c"
    folder.mkdir(parents=True)
    text = Path("config/demo.yaml").read_text()
    assert old in text
    (folder / "x.yaml").write_text(text.replace(old, new))
    result = run(Path("scripts/run_study.py").resolve(), "--configfile", "x.yaml", cwd=folder)
    assert result.returncode == 1
    assert result.stderr.startswith("error: x.yaml: ")
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.yaml"]
    assert len(list(tmp_path.rglob("*"))) == 4


@pytest.mark.parametrize("threads", {1, min(2, os.cpu_count())})
def test_threads_reach_every_library(threads):
    code = f"""
import sys; sys.path.insert(0, "scripts")
from widedeep.runtime import command
command.start(command.parser("x"), ["--threads", "{threads}"])
import torch, os
print(torch.get_num_threads(), os.environ["OPENBLAS_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
"""
    assert run("-c", code).stdout.split() == [str(threads)] * 3


def train(folder, out, *words):
    small.write_dataset(folder / "dataset.h5", examples=200)
    network = ["--depth", "8", "--width", "0.5", "--seed", "1"]
    recipe = ["--batch-size", "16", "--learning-rate", "0.1", "--device", "cpu"]
    files = ["--data", folder / "dataset.h5", "--out", folder / out]
    return [sys.executable, "scripts/train.py", *files, *network, *recipe, *words]


def test_train_told_to_stop_saves_and_goes_on_to_the_same_bits(tmp_path):
    whole = subprocess.run(train(tmp_path, "whole", "--epochs", "30"), capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    progress = tmp_path / "progress.json"
    command = train(tmp_path, "stopped", "--epochs", "30", "--progress", progress)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        import time

        while not progress.exists() and process.poll() is None:
            time.sleep(0.02)
        process.terminate()
        said = process.stdout.read()
    assert process.returncode == 75, said
    assert "stopped by SIGTERM" in said
    assert (tmp_path / "stopped/checkpoint.pt").exists()
    assert not (tmp_path / "stopped/model.safetensors").exists()
    assert subprocess.run(command, capture_output=True).returncode == 0
    for name in ("model.safetensors", "metrics.json", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()
    files = {path.name for path in (tmp_path / "stopped").iterdir()}
    assert files == {"model.safetensors", "metrics.json", "history.csv", "provenance.json"}
    assert not progress.exists()


def test_a_training_that_diverges_leaves_no_model(tmp_path):
    result = subprocess.run(
        train(tmp_path, "out", "--epochs", "2", "--learning-rate", "1e30"), capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "the training loss became" in result.stderr
    assert not (tmp_path / "out/model.safetensors").exists()


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path):
    from widedeep.training.checkpoint import Checkpoint

    Checkpoint(tmp_path / "out/checkpoint.pt", {"seed": 5}).save({})
    result = subprocess.run(train(tmp_path, "out", "--epochs", "1"), capture_output=True, text=True)
    assert result.returncode == 1
    assert "checkpoint.pt: is the checkpoint of another configuration" in result.stderr
    assert os.listdir(tmp_path / "out") == ["checkpoint.pt"]


def test_weights_of_other_data_are_refused(tmp_path):
    assert subprocess.run(train(tmp_path, "out", "--epochs", "1"), capture_output=True).returncode == 0
    small.write_dataset(tmp_path / "other.h5", seed=8)
    dump = ["scripts/dump_activations.py", tmp_path / "out/model.safetensors", "--data", tmp_path / "other.h5"]
    result = run(*dump, "--batch-size", "16", "--out", tmp_path / "a.h5")
    assert result.returncode == 1
    assert "was trained on data with checksum" in result.stderr
    assert not (tmp_path / "a.h5").exists()


def test_a_job_notes_its_own_time_and_memory_and_not_those_of_who_started_it(tmp_path):
    timing = tmp_path / "timings/job.tsv"
    held = bytearray(b"\1" * 300 * 2**20)
    job = "from widedeep.runtime import command as c; c.start(c.parser(''), ['--timing', {!r}]); {}\nc.write_timing()"
    for work, least, most in (("pass", 5, 100), ("held = b'1' * (150 * 2**20)", 155, 250)):
        result = run("-c", job.format(str(timing), work), env={**os.environ, "PYTHONPATH": "scripts"})
        assert result.returncode == 0, result.stderr
        header, values = timing.read_text().splitlines()
        assert header.split("\t") == ["s", "cpu_time", "max_rss"]
        assert least < float(values.split("\t")[2]) < most
    assert len(held) > 2**20


def test_the_pins_of_conda_are_those_of_the_lock():
    def pins(lines):
        return {match[1] for line in lines if (match := re.match(r"\s*(?:- )?([a-z0-9-]+==[\w.]+)", line))}

    direct = pins(Path("requirements.in").read_text().splitlines())
    lock = pins(Path("requirements.txt").read_text().splitlines())
    environment = yaml.safe_load(Path("environment.yml").read_text())
    conda = pins(next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)))
    assert conda == direct
    assert direct <= lock
