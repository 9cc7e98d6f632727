"""Studies in another folder than the code: by options of Snakemake, as a module, by the programs of the terminal."""

import os
import shutil
import subprocess
import sys

import pytest
import study

MODULE = """
configfile: "tiny.yaml"


module widedeep:
    snakefile:
        {snakefile}
    config:
        config


use rule * from widedeep
"""
# One that runs in a second.
DATA = "data/digits/dataset.h5"


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """A folder with the code alone, whose name needs quotes in a shell."""
    folder = tmp_path_factory.mktemp("code") / "a workflow's folder"
    folder.mkdir()
    study.Study.new(folder)
    (folder / study.CONFIG).unlink()
    return folder


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a config and nothing else."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy2(study.ROOT / "tests/workflow/tiny.yaml", folder / study.CONFIG)
    return folder


def run(folder, *words, **environment):
    said = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**study.environment(), **environment},
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout + said.stderr


def options_of(way, code, elsewhere):
    """(working folder, options of Snakemake) of a study whose files lie in `elsewhere`."""
    snakefile = ["--snakefile", code / "Snakefile"]
    if way == "module":
        (elsewhere / "workflow").mkdir(exist_ok=True)
        (elsewhere / "workflow/Snakefile").write_text(MODULE.format(snakefile=repr(str(code / "Snakefile"))))
        return elsewhere, []
    if way == "snakefile":
        return elsewhere, [*snakefile, "--configfile", study.CONFIG]
    return code, ["--directory", elsewhere, "--configfile", elsewhere / study.CONFIG]


@pytest.mark.parametrize("way", ["snakefile", "directory", "module"])
def test_data_and_results_lie_where_the_study_is(code, elsewhere, way):
    before = sorted(code.rglob("*.*"))
    folder, options = options_of(way, code, elsewhere)
    run(folder, "-m", "snakemake", "--cores", "2", DATA, *options)
    assert (elsewhere / DATA).exists()
    assert (elsewhere / "results/tiny/logs/events.jsonl").exists()
    written = {path for path in code.rglob("*.*") if "__pycache__" not in path.parts} - {*before}
    assert not written - {code / ".snakemake"}, written


@pytest.mark.parametrize("way", ["snakefile", "directory", "module"])
def test_a_finished_study_is_up_to_date_however_it_is_asked_for(finished, code, tmp_path, way):
    """Its code lay in its own folder, and now lies in another one."""
    moved = finished.linked_to(tmp_path / "moved")
    for name in study.SOURCES:
        path = moved.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    folder, options = options_of(way, code, moved.folder)
    status, said = study.SERVER.snakemake(folder, ["--cores", "2", "-n", *map(str, options)])
    assert status == 0, said
    assert study.jobs_in(said) == {}
    if way == "module":
        run(folder, "-m", "snakemake", "--report", "report.html")
        assert (folder / "report.html").exists()  # Snakemake fails where it finds no caption


def test_braces_in_the_path_of_the_code_are_one_sentence(elsewhere, tmp_path):
    """Snakemake itself takes them for wildcards, in the middle of its work."""
    folder = tmp_path / "{code}"
    folder.mkdir()
    study.Study.new(folder)
    options = ["--snakefile", str(folder / "Snakefile"), "--configfile", study.CONFIG, "--cores", "2", "-n"]
    status, said = study.SERVER.snakemake(elsewhere, options)
    assert status == 1
    assert f"{folder}: " in said
    assert "Traceback" not in said


def test_data_and_results_may_be_links_to_another_disk(code, elsewhere, tmp_path):
    for name in ("data", "results"):
        (tmp_path / name).mkdir()
        (elsewhere / name).symlink_to(tmp_path / name)
    study.write_one_network(elsewhere / study.CONFIG)
    words = [code / "scripts/run_study.py", "--configfile", study.CONFIG]
    run(elsewhere, *words)
    assert (elsewhere / "results").is_symlink()
    assert (tmp_path / "results/tiny/report.html").exists()
    assert "Nothing to do" in run(elsewhere, *words)


def test_the_default_is_the_demo_of_the_workflow(code, elsewhere):
    options = ["--snakefile", str(code / "Snakefile"), "--cores", "2", "-n", DATA]
    status, said = study.SERVER.snakemake(elsewhere, options)
    assert status == 0, said
    assert study.jobs_in(said) == {"download": 1}
    assert "results/demo/" in study.SERVER.snakemake(elsewhere, [*options, "-p"])[1]


def test_a_module_on_github_is_checked_out(elsewhere, tmp_path):
    """As snakedeploy writes it; Snakemake's clone of the repository is there already, so no network is needed."""
    source, cache = tmp_path / "source", tmp_path / "cache"
    source.mkdir()
    study.Study.new(source)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    for words in (["init"], ["add", "."], ["commit", "-m", "all"], ["tag", "v1"]):
        subprocess.run([*git, "-C", source, *words], check=True, capture_output=True)
    clone = cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/some/one"
    subprocess.run([*git, "clone", "--bare", source, clone], check=True, capture_output=True)
    shutil.rmtree(source)
    (elsewhere / "Snakefile").write_text(MODULE.format(snakefile='github("some/one", path="Snakefile", tag="v1")'))
    said = run(elsewhere, "-m", "snakemake", "--cores", "2", "-p", DATA, XDG_CACHE_HOME=str(cache))
    assert "python .snakemake/workflow/" in said
    assert (elsewhere / DATA).exists()


@pytest.mark.whole
def test_programs_of_the_terminal_start_anywhere(code, elsewhere):
    study.write_one_network(elsewhere / "one.yaml")
    said = run(elsewhere, code / "scripts/run_study.py", "--configfile", "one.yaml", "--cores", "2")
    assert "Finished." in said
    assert (elsewhere / "results/tiny/report.html").exists()
    assert "Nothing to do" in run(elsewhere, code / "scripts/run_study.py", "--configfile", "one.yaml")
    assert "all jobs are done" in run(elsewhere, code / "scripts/progress.py", "--configfile", "one.yaml")
    said = run(elsewhere, code / "scripts/verify.py", "results/tiny", "--configfile", "one.yaml")
    assert "All is well." in said
    # Configs and profiles that come with the workflow have the same names everywhere.
    assert "results/demo" in run(elsewhere, code / "scripts/progress.py", "--configfile", "config/demo.yaml")
    assert not os.path.exists(code / "results")
