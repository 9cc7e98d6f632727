"""What is recorded of a run, and the page that shows it."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import small
import tabulate_provenance

from widedeep.runtime import provenance
from widedeep.runtime.errors import UserError
from widedeep.training import loop
from widedeep.training.checkpoint import Checkpoint

SETTINGS = {"model": "blobs-resnet8-w0.5-f100", "seed": 1, "epochs": 3}


def git(folder, *words):
    identity = ["-c", "user.name=A", "-c", "user.email=a@b"]
    return subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    """A folder with one commit that has the workflow's file."""
    file = tmp_path / "scripts/widedeep/runtime/provenance.py"
    file.parent.mkdir(parents=True)
    file.write_text("one\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "One")
    return tmp_path


def test_the_commit_is_that_of_the_folder_and_changed_files_make_it_dirty(repository):
    commit = git(repository, "rev-parse", "HEAD").strip()
    assert provenance.commit_of(repository) == {"commit": commit, "dirty": False}
    (repository / "results.csv").write_text("not tracked\n")
    assert provenance.commit_of(repository) == {"commit": commit, "dirty": False}
    (repository / "scripts/widedeep/runtime/provenance.py").write_text("two\n")
    assert provenance.commit_of(repository) == {"commit": commit, "dirty": True}


def test_a_copied_folder_has_no_commit_even_inside_another_repository(repository, tmp_path_factory):
    unknown = {"commit": None, "dirty": None}
    copied = shutil.copytree(repository / "scripts", repository / "copied/scripts").parent
    assert provenance.commit_of(copied) == unknown
    assert provenance.commit_of(tmp_path_factory.mktemp("bare")) == unknown


def test_without_git_nothing_fails(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit_of(repository) == {"commit": None, "dirty": None}


def test_an_attempt_says_with_what_where_and_when(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    attempt = provenance.Attempt()
    attempt.device = provenance.device_name(small.CPU)
    time.sleep(0.05)
    facts = attempt.so_far()
    assert facts["slurm_job"] == "123"
    assert facts["started"].endswith("Z")
    assert 0.05 <= facts["seconds"] < 5
    assert facts["versions"].keys() == {"python", *provenance.PACKAGES}
    assert all(facts["versions"].values())
    assert facts["device"]
    monkeypatch.delenv("SLURM_JOB_ID")
    assert provenance.Attempt().so_far()["slurm_job"] is None


def test_several_processes_are_counted():
    one = provenance.device_name(small.CPU)
    assert provenance.device_name(small.CPU, 2) == f"2 x {one}"


def test_the_module_is_quick_to_import():
    heavy = "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'h5py')))"
    code = f"import sys; sys.path.insert(0, 'scripts'); from widedeep.runtime import provenance; {heavy}"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def attempt_of(commit="a" * 40, started="2030-01-01T00:00:00Z", seconds=1.5, **changes):
    versions = {"python": "3.12", **dict.fromkeys(provenance.PACKAGES, "1.0")}
    facts = {"started": started, "seconds": seconds, "host": "one", "slurm_job": None, "device": "CPU"}
    return {**facts, "commit": commit, "dirty": False, "versions": versions, **changes}


def test_the_file_sums_attempts_and_holds_checksums(tmp_path):
    (tmp_path / "out.csv").write_text("a\n1\n")
    attempts = [attempt_of(seconds=1.5), attempt_of(seconds=2.25, started="2030-01-02T00:00:00Z")]
    path = tmp_path / "provenance.json"
    provenance.write(path, "train", ("m", 1), SETTINGS, attempts, [tmp_path / "out.csv"], epoch_seconds=[1.0])
    content = provenance.read(path)
    assert (content["started"], content["seconds"]) == ("2030-01-01T00:00:00Z", 3.75)
    assert content["attempts"] == attempts
    assert content["outputs"] == {"out.csv": hashlib.sha256(b"a\n1\n").hexdigest()}
    assert content["epoch_seconds"] == [1.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-20], "is not a provenance file"),
        (lambda _: "[]", "is not a provenance file"),
        (lambda text: text.replace('"kind": "provenance"', '"kind": "x"'), "holds x where provenance is expected"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 9'), "schema version 9 where 1"),
        (lambda text: text.replace('"outputs"', '"others"'), "lacks outputs"),
        (lambda text: text.replace('"commit"', '"comit"'), "lacks commit"),
        (
            lambda text: text.replace('"settings": {', '"settings": 1, "x": {'),
            "a value of type int for settings, which is",
        ),
        (lambda text: text.replace('"versions": {', '"versions": [], "x": {'), "a value of type list for versions"),
        (lambda _: "[" * 100_000, "is not a provenance file"),
    ],
)
def test_other_files_are_refused(tmp_path, change, words):
    path = tmp_path / "provenance.json"
    provenance.write(path, "train", ("m", 1), SETTINGS, [attempt_of()], [])
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=words):
        provenance.read(path)


def test_attempts_survive_in_the_checkpoint(tmp_path):
    path, settings = tmp_path / "checkpoint.pt", {"a": 1}
    first = Checkpoint(path, settings)
    first.save({"x": 1}, attempt_of(seconds=1.0))
    first.save({"x": 2}, attempt_of(seconds=2.0))  # of the same process, so it replaces the other
    second = Checkpoint(path, settings)
    assert second.load() == {"x": 2}
    second.save({"x": 3}, attempt_of(seconds=5.0))
    third = Checkpoint(path, settings)
    third.load()
    assert [attempt["seconds"] for attempt in third.attempts] == [2.0, 5.0]


def network(folder, seed, **changes):
    """The provenance of a training and its dump, and metrics, in a folder."""
    name = {"model": "blobs-resnet8-w0.5-f100", "seed": seed}
    settings = loop.settings(small.MODEL, seed, small.recipe(), "sum")
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({**name, "test_accuracy": 0.5}))
    attempts = [attempt_of(**changes)]
    provenance.write(folder / "provenance.json", "train", tuple(name.values()), settings, attempts, [])
    provenance.write(folder / "dump_provenance.json", "dump", tuple(name.values()), {}, [attempt_of(seconds=61)], [])
    return str(folder)


def tabulate(tmp_path, *folders):
    tabulate_provenance.main([*folders, "--out", f"{tmp_path}/p.csv", f"{tmp_path}/p.html"])
    return pd.read_csv(tmp_path / "p.csv"), (tmp_path / "p.html").read_text()


def test_a_line_a_network_and_the_recipe_once(tmp_path):
    folders = [network(tmp_path / f"seed{seed}", seed) for seed in (1, 2)]
    table, page = tabulate(tmp_path, *folders)
    assert table.seed.tolist() == [1, 2]
    assert table.commit.tolist() == ["a" * 12] * 2
    assert table.dump_seconds.tolist() == [61, 61]
    assert "Attention" not in page
    assert page.count("learning_rate 0.1") == 1
    assert f"Code: commit {'a' * 12}." in page
    assert "torch 1.0" in page
    assert "0:01:01" in page


def test_several_commits_or_versions_are_said_on_top(tmp_path):
    folders = [network(tmp_path / "a", 1), network(tmp_path / "b", 2, commit="b" * 40, dirty=True)]
    table, page = tabulate(tmp_path, *folders)
    assert table.commit.tolist() == ["a" * 12, f"{'b' * 12} (changed)"]
    assert "Attention: these results were made by 2 states of the code" in page
    assert "sets of versions" not in page
    versions = {**attempt_of()["versions"], "torch": "2.0"}
    _, page = tabulate(tmp_path, folders[0], network(tmp_path / "c", 3, versions=versions))
    assert "Attention: these results were made by 2 sets of versions" in page


def test_files_of_different_networks_are_refused(tmp_path):
    one, two = (Path(network(tmp_path / name, seed)) for name, seed in (("a", 1), ("b", 2)))
    shutil.copy(one / "dump_provenance.json", two)
    with pytest.raises(UserError, match=r"its provenance of the dump of .*/seed1; make them again"):
        tabulate(tmp_path, str(two))
