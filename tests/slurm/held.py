"""A study whose trainings can be held still, to be interrupted on a cluster."""

import datetime
import json
import re
import subprocess
import sys

import study
import yaml

CONFIG = {
    "study": "held",
    "dataset": {"name": "digits"},
    "grid": [{"depths": [8], "widths": [1], "seeds": [1]}],
    "training": {
        "epochs": 10,
        "batch_size": 128,
        "learning_rate": 0.05,
        "batchnorm_momentum": 0.1,
        "flip": False,
    },
    "dumps": {"batch_size": 64, "passes": 1},
}
MODEL = "digits-resnet8-w1-f100"
NETWORK = f"results/held/models/{MODEL}/seed1"
TRAINED = f"{NETWORK}/model.safetensors"
PROFILE = "workflow/profiles/slurm"


class ClusterStudy(study.Study):
    """A study in a folder of its own, with the Slurm profile that users get, where a test does not wait as they do."""

    @classmethod
    def new(cls, folder):
        made = super().new(folder)
        made.edit_profile(impatient)
        return made

    def edit_profile(self, change):
        """Apply `change` to the parsed Slurm profile."""
        path = self.folder / PROFILE / "config.yaml"
        profile = yaml.safe_load(path.read_text())
        change(profile)
        path.write_text(yaml.safe_dump(profile))


def impatient(profile):
    profile |= {"latency-wait": 10, "slurm-init-seconds-before-status-checks": 1, "jobs": 6}
    for resources in profile["set-resources"].values():
        if "slurm_extra" in resources:
            resources["slurm_extra"] = "'--signal=TERM@20'"


class HeldStudy(ClusterStudy):
    """The study of CONFIG."""

    @classmethod
    def new(cls, folder, seeds=(1,), **training):
        made = super().new(folder)
        grid = [{**CONFIG["grid"][0], "seeds": list(seeds)}]
        content = {**CONFIG, "grid": grid, "training": {**CONFIG["training"], **training}}
        (folder / study.CONFIG).write_text(yaml.safe_dump(content))
        return made

    @property
    def results(self):
        return self.folder / "results/held"

    @property
    def network(self):
        return self.folder / NETWORK

    @property
    def log(self):
        return self.folder / "snakemake.log"

    def start(self, *targets):
        """Snakemake with the profile, in the background; its words go to `log`."""
        command = [sys.executable, "-m", "snakemake", "--configfile", study.CONFIG, "--profile", PROFILE, *targets]
        with open(self.log, "a") as log:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, env=study.environment()
            )

    def of_seed(self, seed):
        """The folder of a network."""
        return self.network.with_name(f"seed{seed}")

    def story(self, seed=1):
        """What the training of a seed printed in all its attempts."""
        path = self.results / f"logs/{MODEL}/seed{seed}/train.log"
        return path.read_text() if path.exists() else ""

    def finish(self, process, seconds=400):
        """Wait for Snakemake, which must end well."""
        try:
            assert process.wait(seconds) == 0, self.said()
        finally:
            process.kill()

    def said(self):
        return f"{self.log.read_text()}\n{self.story()}"

    def training_jobs(self):
        """The Slurm numbers of the trainings that Snakemake submitted, in their order."""
        return re.findall(r"submitted with SLURM jobid (\d+) \(log: \S*/rule_train/", self.log.read_text())

    def attempts(self, seed=1):
        """The attempts in the provenance of a training, oldest first."""
        return json.loads((self.of_seed(seed) / "provenance.json").read_text())["attempts"]


def assert_equal_results(one, other, names=("model.safetensors", "history.csv", "metrics.json"), seed=1):
    """Files of a network in two runs are equal, byte by byte."""
    first, second = one.of_seed(seed), other.of_seed(seed)
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []


def assert_one_after_the_other(attempts):
    """No attempt began before the one before it had ended (a second, which `started` is rounded down to, apart)."""
    spans = [(datetime.datetime.fromisoformat(each["started"]), each["seconds"]) for each in attempts]
    for (before, seconds), (after, _) in zip(spans, spans[1:], strict=False):
        assert after >= before + datetime.timedelta(seconds=seconds - 1), attempts
