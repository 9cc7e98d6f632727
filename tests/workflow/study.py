"""A copy of the workflow in a folder of its own, with a finished tiny study in it."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import dry_runs
import numpy as np
import psutil
import yaml

from widedeep.formats import dataset

ROOT = Path(__file__).parents[2]
SOURCES = ("Snakefile", "workflow", "scripts", "config", "environment.yml")
CONFIG = "tiny.yaml"
# What no dry run writes to and no edit changes in place.
LINKED = ("data", "results", ".snakemake/metadata")
SERVER = dry_runs.Server()
# At the end of what train.py does after each step.
HOLD = """
        import time
        while "{of}" in running[0].name and Path("hold").exists() and not stop.name:
            Path("held").touch()
            time.sleep(0.05)
"""


def jobs_in(said):
    """How many jobs of each rule Snakemake's table of jobs holds; `all` is left out."""
    counts = dict(re.findall(r"^([\w-]+) +(\d+)$", said, re.MULTILINE))
    return {rule: int(count) for rule, count in counts.items() if rule not in ("all", "total")}


def environment():
    """This process' own, in which the stages find this Python first; a coverage or thread setting is kept."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def write_cifar10(path, train=300, test=40):
    """Write few images of ten brightnesses in the place of CIFAR-10."""

    def split(examples, seed):
        labels = np.arange(examples) % 10
        noise = np.random.default_rng(seed).integers(0, 120, (examples, 3, 32, 32))
        return dataset.Split((10 * labels[:, None, None, None] + noise).astype(np.uint8), labels)

    path.parent.mkdir(parents=True)
    dataset.write(path, "cifar10", split(train, 0), split(test, 1), [f"class {label}" for label in range(10)], "a test")


def write_one_network(path):
    """Write the config of the tiny study with one network and no figures."""
    config = yaml.safe_load((ROOT / "tests/workflow/tiny.yaml").read_text())
    del config["figures"], config["measures"]
    config["grid"] = [{"depths": [8], "widths": [1], "seeds": [1]}]
    Path(path).write_text(yaml.safe_dump(config))


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

    def linked_to(self, folder):
        """A copy for dry runs and edits of sources: what jobs wrote are hard links, which takes a tenth of the time."""
        folder = Path(folder)
        for path in (self.folder / name for name in LINKED):
            shutil.copytree(path, folder / path.relative_to(self.folder), copy_function=os.link)
        for name in (*SOURCES, CONFIG):
            copy = shutil.copytree if (self.folder / name).is_dir() else shutil.copy2
            copy(self.folder / name, folder / name)
        return Study(folder)

    @property
    def results(self):
        return self.folder / "results/tiny"

    def snakemake(self, *options, check=True):
        return self._run("-m", "snakemake", "--configfile", CONFIG, "--cores", "2", *options, check=check)

    def run_study(self, *options, check=True):
        return self._run("scripts/run_study.py", "--configfile", CONFIG, *options, check=check)

    def jobs_of_dry_run(self, *targets):
        """How many jobs of each rule would run; `all` is left out."""
        options = ["--configfile", CONFIG, "--cores", "2", "-n", "--rerun-incomplete", *targets]
        status, said = SERVER.snakemake(self.folder, options)
        assert status == 0, said
        return jobs_in(said)

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

    def hold_trainings(self, of=""):
        """From now on trainings whose names have a part `of` stand still after a step, until they are told to stop.

        Not longer than until they are released. It edits train.py.
        """
        after_step = "\n    def after_end(training):\n"
        self.edit("scripts/train.py", after_step, HOLD.format(of=of) + after_step)
        (self.folder / "hold").touch()

    def release_trainings(self):
        (self.folder / "hold").unlink()

    def wait_until_training_is_held(self, said=lambda: ""):
        """Wait until a training has come to stand still, since the start of the study.

        Args:
            said: function that returns what the failure tells.
        """
        deadline = time.monotonic() + 240
        while not (self.folder / "held").exists():
            assert time.monotonic() < deadline, f"no training is held; {said()}"
            time.sleep(0.05)

    def start(self, *words, **options):
        """A Python with these words in the background, with options of subprocess.Popen."""
        return subprocess.Popen([sys.executable, *words], cwd=self.folder, env=environment(), **options)

    def processes(self):
        """(psutil.Process, its words) of each Python that runs in this folder."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                words = process.cmdline()
                if len(words) > 2 and "python" in words[0] and process.cwd() == str(self.folder):
                    yield process, words

    def stages(self):
        """Processes that Snakemake started for stages, those of a killed Snakemake too, and their words."""
        return {
            process: words
            for process, words in self.processes()
            if words[1].startswith("scripts/") and "run_" not in words[1]
        }

    def _run(self, *words, check):
        result = subprocess.run(
            [sys.executable, *words], cwd=self.folder, capture_output=True, text=True, env=environment()
        )
        assert not check or result.returncode == 0, result.stdout + result.stderr
        return result
