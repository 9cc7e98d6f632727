"""What is recorded of a run: code, versions, machine, times and checksums."""

import hashlib
import shutil
import subprocess
import sys

import pytest
import small
from small_provenance import attempt_of

from widedeep.runtime import provenance
from widedeep.runtime.errors import UserError
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
    monkeypatch.setattr(provenance.time, "monotonic", lambda: attempt._clock + 61.5)
    facts = attempt.so_far()
    assert facts["slurm_job"] == "123"
    assert facts["started"].endswith("Z")
    assert facts["seconds"] == 61.5
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
    ("change", "found"),
    [
        (lambda text: text[:-20], "provenance file.*JSONDecodeError"),
        (lambda _: "[]", "provenance file.*TypeError"),
        (lambda text: text.replace('"kind": "provenance"', '"kind": "x"'), " x .*provenance "),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 9'), " 9 .* 1 "),
        (lambda text: text.replace('"outputs"', '"others"'), " outputs"),
        (lambda text: text.replace('"commit"', '"comit"'), " commit"),
        (
            lambda text: text.replace('"settings": {', '"settings": 1, "x": {'),
            " int .*settings",
        ),
        (lambda text: text.replace('"versions": {', '"versions": [], "x": {'), " list .*versions"),
        (lambda _: "[" * 100_000, "provenance file.*RecursionError"),
    ],
)
def test_other_files_are_refused(tmp_path, change, found):
    path = tmp_path / "provenance.json"
    provenance.write(path, "train", ("m", 1), SETTINGS, [attempt_of()], [])
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=rf"provenance\.json: .*{found}"):
        provenance.read(path)
    path.unlink()
    with pytest.raises(UserError, match=r"provenance\.json: no such file"):
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
