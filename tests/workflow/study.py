"""A copy of the workflow in a folder of its own, with a finished tiny study in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SOURCES = ("Snakefile", "workflow", "scripts", "config", "environment.yml")
CONFIG = "tiny.yaml"


class Study:
    """The workflow in `folder`, run by real commands."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @classmethod
    def new(cls, folder):
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, Path(folder, name))
        shutil.copy2(ROOT / "tests/workflow/tiny.yaml", folder)
        return cls(folder)

    def copy_to(self, folder):
        """An exact copy, time stamps included, at another path."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2)
        return Study(folder)

    @property
    def results(self):
        return self.folder / "results/tiny"

    def snakemake(self, *options, check=True):
        return self._run("-m", "snakemake", "--configfile", CONFIG, "--cores", "2", *options, check=check)

    def run_study(self, *options, check=True):
        return self._run("scripts/run_study.py", "--configfile", CONFIG, *options, check=check)

    def jobs_of_dry_run(self):
        """How many jobs of each rule would run; `all` is left out."""
        said = self.snakemake("-n", "--rerun-incomplete").stdout
        counts = dict(re.findall(r"^([\w-]+) +(\d+)$", said, re.MULTILINE))
        return {rule: int(count) for rule, count in counts.items() if rule not in ("all", "total")}

    def edit_config(self, change):
        """Apply `change` to the parsed config."""
        path = self.folder / CONFIG
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content))

    def edit(self, path, old, new):
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new, 1))

    def _run(self, *words, check):
        # The stages must find this Python first; a coverage or thread setting of the caller is kept.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        result = subprocess.run(
            [sys.executable, *words], cwd=self.folder, capture_output=True, text=True, env={**os.environ, "PATH": path}
        )
        assert not check or result.returncode == 0, result.stdout + result.stderr
        return result
