"""Trainings by several processes on the CPU, through torchrun, as GPUs would share them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import small
import torch

from widedeep.runtime.errors import UserError
from widedeep.training.distributed import Group

# Without batch norm, whose statistics are each process's own, the gradients do not depend on the number of processes.
FAMILY = """
def build(depth, width, classes, channels, batchnorm_momentum):
    from torch import nn

    network = nn.Sequential()
    network.flatten = nn.Flatten()
    network.dense = nn.Linear(channels * 64, 16)
    network.relu = nn.ReLU()
    network.logits = nn.Linear(16, classes)
    return network
"""
OPTIONS = ["--depth", "2", "--seed", "1", "--epochs", "4", "--batch-size", "16", "--learning-rate", "0.05", "--no-flip"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    shutil.copytree("scripts", folder / "scripts")
    (folder / "scripts/families/mlp.py").write_text(FAMILY)
    small.write_dataset(folder / "blobs.h5")
    return folder


@pytest.mark.parametrize(("number", "shares"), [(8, [2, 2, 2, 2]), (6, [2, 2, 1, 1]), (1, [1, 0, 0, 0])])
def test_processes_share_the_workers(number, shares):
    assert [Group(small.CPU, rank, 4).workers(number) for rank in range(4)] == shares


def train(place, out, processes, *options, family="mlp"):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    words = ["scripts/train.py", "--data", "blobs.h5", "--family", family, "--out", out, "--device", "cpu"]
    return subprocess.run(
        [sys.executable, *(launcher if processes > 1 else []), *words, *OPTIONS, *options],
        cwd=place,
        capture_output=True,
        text=True,
    )


def weights(place, out):
    return safetensors.torch.load_file(place / out / "model.safetensors")


def test_two_processes_learn_what_one_learns(place):
    for out, processes in (("one", 1), ("two", 2)):
        result = train(place, out, processes)
        assert result.returncode == 0, result.stderr
    first, second = weights(place, "one"), weights(place, "two")
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=1e-4, atol=1e-5)
    files = {"model.safetensors", "history.csv", "metrics.json", "provenance.json"}
    assert {path.name for path in Path(place, "two").iterdir()} == files
    for one, two in zip(*(Path(place, out, "history.csv").read_text().split() for out in ("one", "two")), strict=True):
        for a, b in zip(one.split(","), two.split(","), strict=True):
            assert a == b or abs(float(a or "nan") - float(b or "nan")) < 1e-3


def test_networks_with_batch_norm_train_too(place):
    result = train(place, "norm", 2, "--depth", "8", family="resnet")
    assert result.returncode == 0, result.stderr
    assert "test accuracy" in result.stdout


def test_a_batch_that_cannot_be_shared_is_refused(place):
    result = train(place, "refused", 2, "--batch-size", "15")
    assert result.returncode != 0
    assert re.search(r"error: training\.batch_size 15 .* 2 processes.*blobs-mlp2-w1-f100/seed1", result.stderr)
    assert not Path(place, "refused").exists()


def test_shares_of_a_batch_are_disjoint_and_complete():
    indices = torch.arange(12)
    shares = [Group(small.CPU, rank, 3).share(indices).tolist() for rank in range(3)]
    assert sorted(sum(shares, [])) == indices.tolist()
    assert {len(share) for share in shares} == {4}


def test_a_group_of_one_asks_nobody():
    group = Group(small.CPU)
    assert group.any("SIGTERM")
    assert not group.any(None)
    assert group.mean(torch.tensor(3.0)) == 3
    with pytest.raises(UserError, match=r"training\.batch_size 64 .*50"):
        small.train(batch_size=64)
