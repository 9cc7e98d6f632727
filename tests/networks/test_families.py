"""Families of networks: one file each, which all programs find by its name."""

import json
import shutil
import subprocess
import sys

import own_families
import pytest
import small

from widedeep.formats import dumps
from widedeep.networks import families
from widedeep.runtime.errors import UserError


def test_the_paper_s_families_are_files():
    assert families.names() == ["bottleneck", "plain", "resnet", "stagethree"]
    assert all(families.path_of(name).is_file() for name in families.names())


def test_a_family_is_one_file_for_the_programs(tmp_path):
    """Written as networks/families.py says; nothing else of the repository names it."""
    shutil.copytree("scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "scripts/families/mlp.py").write_text(own_families.MLP)
    small.write_dataset(tmp_path / "blobs.h5")

    def run(script, *words):
        command = [sys.executable, f"scripts/{script}", *words, "--data", "blobs.h5", "--batch-size", "16"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    network = ["--family", "mlp", "--seed", "1", "--epochs", "2", "--device", "cpu", "--out", "out"]
    trained = run("train.py", *network, "--depth", "3")
    assert trained.returncode == 0, trained.stderr
    assert json.loads((tmp_path / "out/metrics.json").read_text())["model"] == "blobs-mlp3-w1-f100"
    dumped = run("dump_activations.py", "out/model.safetensors", "--out", "out/activations.h5", "--device", "cpu")
    assert dumped.returncode == 0, dumped.stderr
    with dumps.Dump(tmp_path / "out/activations.h5") as dump:
        assert [layer.name for layer in dump.layers] == ["dense1", "gelu1", "dense2", "gelu2", "logits"]
    refused = run("train.py", *network, "--depth", "1")
    assert refused.returncode == 1
    assert refused.stderr == "error: depth 1 is too small; use at least 2.\n"


def test_a_family_says_its_title_and_its_depths(family):
    family(own_families.MLP)
    families.title_of.cache_clear()
    network = {"family": "own", "depth": 3, "width": 2, "fraction": 0.25}
    assert families.configuration_title(network) == "MLP-3 2x, 25% of data"
    assert families.configuration_title({**network, "fraction": 1}) == "MLP-3 2x"
    families.check_depth("own", 2)
    with pytest.raises(UserError, match="depth 1 "):
        families.check_depth("own", 1)
    families.title_of.cache_clear()


def test_a_title_and_a_check_of_depths_may_be_left_out(family):
    family(own_families.SIZED)
    families.title_of.cache_clear()
    assert families.title_of("own") == "own"
    assert families.title_of("gone") == "gone"
    families.check_depth("own", -1)


def test_a_file_without_build_is_named(family):
    family("")
    with pytest.raises(UserError, match=r"own\.py: .*build\(depth, width, classes, channels, batchnorm_momentum\)"):
        families.load("own")
