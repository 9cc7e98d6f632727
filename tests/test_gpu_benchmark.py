"""benchmarks/gpu.py runs where there is no GPU, and says what it measures there."""

import subprocess
import sys

import pytest
import torch


def run(*words):
    return subprocess.run([sys.executable, "benchmarks/gpu.py", *words], capture_output=True, text=True)


def test_it_runs_on_the_cpu():
    done = run("--device", "cpu", "--networks", "8:1", "--steps", "1")
    assert done.returncode == 0, done.stderr
    *_, last = done.stdout.splitlines()
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert cells[:4] == ["ResNet-8 1x", "10", "float32", "1"]
    assert float(cells[4]) > 0
    assert cells[5:7] == ["kernels", "nan"]


def test_without_a_gpu_it_says_so():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = run()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("torch finds no GPU here; --device cpu shows that the program runs")
