"""Every stage as a command line: help, examples, and one sentence for a mistake."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted(Path("scripts").glob("*.py"))
# The stages of a network and its figures, in the order in which their examples can be run.
PIPELINE = (
    "download",
    "train",
    "dump_activations",
    "compute_cka",
    "plot_heatmaps",
    "plot_components",
    "probe_residual_blocks",
    "plot_residual_blocks",
    "converge_cka",
    "summarise",
    "tabulate_accuracy",
    "tabulate_provenance",
)
DEMO, NO_YAML = Path("config/demo.yaml").resolve(), Path("requirements.in").resolve()


def run(*words, **options):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, **options)


def docstring(script):
    return ast.get_docstring(ast.parse(script.read_text()))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_reads_like_documentation_and_is_quick(script):
    """The description and an example, without importing what takes seconds."""
    result = run("-X", "importtime", script, "--help")
    assert result.returncode == 0
    doc = docstring(script)
    assert doc.splitlines()[0] in result.stdout
    assert f"python scripts/{script.name}" in doc.split("Example")[1]
    heavy = {"torch", "pandas", "h5py", "matplotlib", "sklearn", "numpy"}
    assert not heavy & {line.split("|")[-1].strip() for line in result.stderr.splitlines()}


def test_the_examples_of_the_stages_run_one_after_the_other(tmp_path):
    """As printed, but for the number of epochs."""
    for name in ("scripts", "config"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    for stage in PIPELINE:
        examples = re.sub(r"\\\n", " ", docstring(Path(f"scripts/{stage}.py")).split("Example")[1])
        example = re.search(rf"python scripts/{stage}\.py .*", examples)[0]
        result = run(*re.sub(r"--epochs \d+", "--epochs 1", example).split()[1:], cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    drawn = {f"{figure}.{end}" for figure in ("fig", "fig3", "fig4", "A", "B") for end in ("pdf", "png", "csv")}
    tables = {"B.md", "summary.csv", "provenance.csv", "provenance.html"}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == drawn | tables


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            ["train.py", "--data", "no.h5", "--depth", "8", "--seed", "1", "--out", "o"],
            r"no\.h5: no such file; .*scripts/download\.py",
        ),
        (
            ["dump_activations.py", "no.st", "--data", "no.h5", "--out", "o"],
            r"no\.st: no such file; .*scripts/train\.py",
        ),
        (["tabulate_provenance.py", "no", "--out", "o.csv"], r"no/provenance\.json: no such file; "),
        (["compute_cka.py", "no.h5", "--out", "o"], r"no\.h5: no such file; .*scripts/dump_activations\.py"),
        (
            ["plot_heatmaps.py", "--panel", "a", "no.h5", "--out", "o.png"],
            r"no\.h5: no such file; .*scripts/compute_cka\.py",
        ),
        (["summarise.py", "no", "--out", "o"], r"no/cka\.h5: no such file; .*scripts/compute_cka\.py"),
        (
            ["probe_residual_blocks.py", "no.st", "--data", "no.h5", "--probes", "p", "--deletion", "d"],
            r"no\.st: no such file; .*scripts/train\.py",
        ),
        (
            ["converge_cka.py", "--weights", "no.st", "--data", "no.h5", "--out", "o.png"],
            r"no\.st: no such file; .*scripts/train\.py",
        ),
        (["plan.py", "--configfile", "no.yaml"], r"no\.yaml: .*No such file or directory"),
        (
            ["compare_predictions.py", "--predictions", "no.h5", "--out", "o.png"],
            r"no\.h5: no such file; .*scripts/dump_activations\.py",
        ),
        (["download.py", "--dataset", "x", "--out", "o"], r"config key dataset\.name 'x' .*digits.*dataset\.folder"),
        (["verify.py", "no", "--configfile", "no.yaml"], r"no\.yaml: .*No such file or directory"),
        (["verify.py", "no", "--configfile", DEMO], "no: no such folder; .*results/"),
        (["run_within.py", "--minutes", "1", "--configfile", "no.yaml"], r"no\.yaml: .*No such file or directory"),
        (["run_study.py", "--configfile", "no.yaml"], r"no\.yaml: .*No such file or directory"),
        (["run_study.py", "--configfile", NO_YAML], rf"{NO_YAML}: .*YAML.*config/demo\.yaml"),
    ],
)
def test_mistakes_give_one_sentence_and_status_1(words, named, tmp_path):
    script, *rest = words
    result = run(Path("scripts", script).resolve(), *rest, cwd=tmp_path)
    assert result.returncode == 1
    assert re.match(f"error: {named}", result.stderr)
    assert result.stderr.endswith(".\n")
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["run_study.py"],
        ["run_within.py", "--minutes", "1", "--configfile", DEMO],
        ["check_config.py", DEMO],
        ["plan.py", "--configfile", DEMO],
        ["progress.py", "--configfile", DEMO],
        ["verify.py", "results/demo", "--configfile", DEMO],
    ],
    ids=lambda words: words[0],
)
def test_at_a_terminal_a_python_without_the_packages_is_one_sentence(words, tmp_path):
    script, *rest = words
    without_packages = "-S"
    result = run(without_packages, Path("scripts", script).resolve(), *rest, cwd=tmp_path)
    assert result.returncode == 1
    assert re.fullmatch(rf"error: {sys.executable}: .* no package \w+; .*\.venv/bin.*\n", result.stderr)
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
    text = DEMO.read_text()
    assert old in text
    (folder / "x.yaml").write_text(text.replace(old, new))
    result = run(Path("scripts/run_study.py").resolve(), "--configfile", "x.yaml", cwd=folder)
    assert result.returncode == 1
    assert result.stderr.startswith("error: x.yaml: ")
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.yaml"]
    assert len(list(tmp_path.rglob("*"))) == 4
