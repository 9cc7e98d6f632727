"""Checking a config, and what checks one before Snakemake reads it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words, **options):
    return subprocess.run([*map(str, words)], capture_output=True, text=True, **options)


def test_says_what_a_config_holds():
    done = run(sys.executable, "scripts/check_config.py", "tests/workflow/tiny.yaml", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "tests/workflow/tiny.yaml: study tiny, 6 networks of 3 configurations\n"


@pytest.mark.parametrize("target", ["study", "explorer", "progress", "unlock"])
def test_no_command_of_make_runs_the_code_in_a_config(tmp_path, target):
    """Snakemake itself would."""
    for name in ("Makefile", "Snakefile", "workflow", "scripts", "requirements.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    hostile = (ROOT / "config/demo.yaml").read_text() + "\n__use_yte__: true\n?import os; os.mkdir('pwned'): {}\n"
    (tmp_path / "hostile.yaml").write_text(hostile)
    done = run("make", "-o", ".venv/installed", target, "CONFIG=hostile.yaml", cwd=tmp_path)
    assert done.returncode
    assert "error: hostile.yaml: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "pwned").exists()


def test_snakemake_started_by_hand_refuses_a_key_given_twice(tmp_path):
    """Its own reader takes the last one."""
    twice = (ROOT / "tests/workflow/tiny.yaml").read_text() + "\nstudy: other\n"
    (tmp_path / "twice.yaml").write_text(twice)
    words = ("--snakefile", ROOT / "Snakefile", "--configfile", "twice.yaml", "--cores", 1, "-n")
    done = run(sys.executable, "-m", "snakemake", *words, cwd=tmp_path)
    assert done.returncode
    assert re.search(r"twice\.yaml: line \d+: config key study: is given twice", done.stderr + done.stdout)
