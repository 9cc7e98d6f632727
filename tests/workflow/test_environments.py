"""Containers, clusters' modules, old locales and moved folders: each with the right result, or one sentence."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import study
import yaml

DATA = "data/digits/dataset.h5"
# Variables that name a user.
NAMES = ("USER", "LOGNAME", "LNAME", "USERNAME")
NAMELESS = """
import pwd


def getpwuid(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")


pwd.getpwuid = getpwuid
"""
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENVIRONMENTS = {
    "home that cannot be written to": {"HOME": "/dev/null"},
    "user without a name": {"nameless": True},
    "user without a name and a home": {"nameless": True, "HOME": None},
    "ASCII": ASCII,
    "everything": {**ASCII, "nameless": True, "HOME": None},
}


def environment_of(changes, folder):
    """study.environment() with changes; None removes a variable."""
    variables = {**study.environment(), **changes}
    if variables.pop("nameless", False):
        (folder / "site").mkdir()
        (folder / "site/sitecustomize.py").write_text(NAMELESS)
        variables |= {"PYTHONPATH": str(folder / "site"), **dict.fromkeys(NAMES)}
    variables.pop("XDG_CACHE_HOME", None)
    return {name: value for name, value in variables.items() if value is not None}


@pytest.mark.parametrize("changes", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_job_runs(changes, tmp_path):
    config = yaml.safe_load((study.ROOT / "tests/workflow/tiny.yaml").read_text())
    (tmp_path / "é.yaml").write_text("# é\n" + yaml.safe_dump(config), encoding="utf-8")
    words = [sys.executable, study.ROOT / "scripts/run_study.py", "--configfile", "é.yaml", DATA]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, env=environment_of(changes, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / DATA).exists()


@pytest.fixture
def made(tmp_path):
    """A copy of the workflow with an environment in which only python is, as after a move: the rest names old paths."""
    folder = tmp_path / "moved"
    folder.mkdir()
    study.Study.new(folder)
    for name in ("Makefile", "requirements.txt"):
        (folder / name).symlink_to(study.ROOT / name)
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    (folder / study.CONFIG).rename(folder / "a b.yaml")
    return folder


def make(folder, *words, **variables):
    environment = {**os.environ, "PATH": "/usr/bin:/bin", **variables}
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("target", ["unlock", "progress"])
def test_make_works_after_a_move_with_spaces_and_beside_modules(made, target, tmp_path):
    module = tmp_path / "module/pydantic"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text("raise ImportError('of another Python')\n")
    variables = {"PYTHONPATH": str(module.parent), "HOME": "/dev/null"}
    done = make(made, "-o", ".venv/installed", target, "CONFIG=a b.yaml", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a b.yaml" in done.stdout


def test_make_names_no_program_that_holds_the_path_of_its_environment(made):
    """The first line of an installed program names the Python of its environment, which a move makes wrong."""
    targets = ["study", "explorer", "unlock", "test", "lint", "fuzz", "test-gpu", "test-slurm"]
    installed = ["-o", ".venv/installed", "-o", ".venv/developing"]
    said = make(made, "-n", *installed, *targets).stdout
    assert said.count("python -m snakemake") == 3
    assert not re.findall(r"(?<!-m )\b(?:snakemake|pytest|ruff|snakefmt) .*", said)


def test_make_installs_into_its_environment_where_pip_installs_for_the_user(tmp_path):
    """A Python that makes an environment of itself and notes what pip is told stands in for the real one."""
    for name in ("Makefile", "requirements.txt"):
        (tmp_path / name).symlink_to(study.ROOT / name)
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\nif [ "$2" = venv ]; then mkdir -p .venv/bin; cp "$0" .venv/bin/python; fi\n'
        'if [ "$2" = pip ]; then echo "$PIP_USER" > said; fi\n'
    )
    python.chmod(0o755)
    done = make(tmp_path, ".venv/installed", f"PYTHON={python}", PIP_USER="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(tmp_path, "said").read_text() == "0\n"
