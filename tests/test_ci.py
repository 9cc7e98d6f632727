"""What CI runs, with stand-ins for make and git's copy of this repository: the order, and the environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="CI is for Debian")

# Makes what the real one makes, notes how it was called, and in which environment and folder.
MAKE = """#!/bin/sh
echo "make $*" >> "$PIP_NOTES"
env > "$PIP_NOTES.environment"
mkdir -p .venv/bin results/demo/figures
echo "$PWD" > "$PIP_NOTES.folder"
printf '#!/bin/sh\\n' > .venv/bin/python
chmod 755 .venv/bin/python
[ "$*" ] || touch results/demo/report.html results/demo/figures/fig1.png
[ "$*" ] || echo {said}
[ "$*" != "{failing}" ]
"""
ALL = ["make .venv/installed", "make lint VENV=../lint", "make ", "make ", "make test", "make test-studies"]


@pytest.fixture
def repository(tmp_path):
    """A small repository."""
    repository = tmp_path / "a repository"
    (repository / ".ci").mkdir(parents=True)
    for name in (".ci/run", "README.md"):
        shutil.copy2(name, repository / name)
    git = ["git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    for words in (["init"], ["add", "."], ["commit", "-m", "all"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return repository


@pytest.fixture
def ci(tmp_path, repository):
    """A function that runs CI in the repository; it returns the exit status and the calls of make."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("chromedriver", "slurmctld", "cc"):  # nothing is to be installed
        (programs / name).symlink_to(shutil.which("true"))

    def run(said="Nothing to do", failing="nothing"):
        (programs / "make").write_text(MAKE.format(said=said, failing=failing))
        (programs / "make").chmod(0o755)
        variables = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONPATH": "/of/a/user"}
        done = subprocess.run(
            ["sh", repository / ".ci/run"],
            env={**variables, "PIP_INDEX_URL": "an index", "PIP_NOTES": str(tmp_path / "notes")},
            capture_output=True,
        )
        print(done.stdout.decode(), done.stderr.decode())
        return done.returncode, (tmp_path / "notes").read_text().splitlines()

    return run


def test_it_runs_lint_then_the_commands_of_the_readme_then_the_tests(ci, tmp_path):
    assert ci() == (0, ALL)
    folder = Path((tmp_path / "notes.folder").read_text().strip())
    assert folder.name == "wide-deep"
    assert not folder.exists()


def test_it_runs_where_git_knows_nothing_of_the_files(ci, repository):
    shutil.rmtree(repository / ".git")
    assert ci() == (0, ALL)
    assert not (repository / ".git").exists()


def test_it_has_the_environment_of_a_new_user(ci, tmp_path):
    ci()
    lines = (tmp_path / "notes.environment").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    assert variables["PIP_INDEX_URL"] == "an index"
    assert variables["PIP_NO_CACHE_DIR"] == "1"
    assert variables["HOME"] != str(tmp_path)
    set_by_shells = {"PWD", "OLDPWD", "SHLVL", "_"}
    left = {name for name in variables if not name.startswith(("PIP_", "GIT_CONFIG_"))}
    assert left <= {"PATH", "HOME", *set_by_shells}


@pytest.mark.parametrize(("failing", "calls"), [("lint VENV=../lint", 2), ("", 3), ("test", 5)])
def test_it_ends_with_what_fails(ci, failing, calls):
    status, called = ci(failing=failing)
    assert status != 0
    assert called == ALL[:calls]


def test_a_second_make_must_run_nothing(ci):
    status, called = ci(said="12 of 49 jobs")
    assert status != 0
    assert called == ALL[:4]
