"""A data set from a file of the user's own: what it may return, and which keys of the config it takes."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from widedeep.data import catalogue, sources
from widedeep.formats import dataset
from widedeep.runtime.errors import UserError
from widedeep.study import checks

BARS = '''
"""Bars: upright or lying."""

import numpy as np


def load():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    images = rng.integers(0, 40, (400, 1, 8, 8)).astype(np.uint8)
    for image, label, place in zip(images, labels, rng.integers(0, 8, 400)):
        image[0, :, place] = 255 if label else image[0, :, place]
        image[0, place] = image[0, place] if label else 255
    return images[:300], labels[:300], images[300:], labels[300:], ["lying", "upright"]
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "OWN_FILES", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        ("np.zeros((2, 1, 8, 8)), [0, 1]", r"float64.*uint8"),
        ("np.zeros((2, 8, 8), np.uint8), [0, 1]", r"2, 8, 8.*uint8"),
        ("np.zeros((2, 1, 8, 8), np.uint8), [0, 2]", "labels.*2"),
        ("np.zeros((2, 1, 8, 8), np.uint8), [0]", "labels.*2"),
    ],
)
def test_a_file_that_returns_something_else_is_named(folder, returned, found):
    (folder / "own.py").write_text(f"import numpy as np\n\n\ndef load():\n    return {returned}, {returned}, 'ab'\n")
    with pytest.raises(UserError, match=f"own.py.*{found}"):
        sources.load_own_file("own")


@pytest.mark.parametrize(
    ("images", "classes", "found"),
    [
        ("np.arange(2, dtype=np.uint8)", "['a']", "1 classes.*two or more"),
        ("np.full(2, 7, np.uint8)", "['a', 'b']", "all images are the same"),
    ],
)
def test_a_file_that_returns_nothing_to_learn_is_named(folder, images, classes, found):
    split = f"np.broadcast_to({images}[:, None, None, None], (2, 1, 8, 8)), [0, 0]"
    (folder / "own.py").write_text(f"import numpy as np\n\n\ndef load():\n    return {split}, {split}, {classes}\n")
    with pytest.raises(UserError, match=f"own.py.*{found}"):
        sources.load_own_file("own")


def test_a_file_without_load_is_named(folder):
    (folder / "own.py").write_text("")
    with pytest.raises(UserError, match=r"own.py.*load\(\)"):
        sources.load_own_file("own")


def test_first_parts_of_a_split_that_is_sorted_by_class_hold_all_classes(folder):
    (folder / "own.py").write_text(
        "import numpy as np\n\n\ndef load():\n    labels = np.repeat(np.arange(4), 10)\n"
        "    images = np.tile(labels[:, None, None, None], (1, 1, 8, 8)).astype(np.uint8)\n"
        "    return images, labels, images, list(labels), 'abcd'\n"
    )
    for split in sources.load_own_file("own")[:2]:
        assert np.bincount(split.labels[:8]).tolist() == [2] * 4
        assert (split.images[:, 0, 0, 0] == split.labels).all()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", "official"),
        ("folder", "images"),
        ("archive", "x.tar"),
        ("mirrors", ["http://x"]),
        ("image_size", 8),
        ("stream", True),
    ],
)
def test_it_takes_no_other_key(folder, key, value):
    (folder / "own.py").write_text("")
    with pytest.raises(UserError, match=f"dataset.{key}"):
        checks.checked_dataset({"name": "own", key: value})


def test_one_file_is_a_data_set_for_the_programs(tmp_path):
    """Written as sources.load_own_file says; nothing else of the repository names it."""
    shutil.copytree("scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "scripts/datasets").mkdir(exist_ok=True)
    (tmp_path / "scripts/datasets/bars.py").write_text(BARS)

    def run(script, *words):
        done = subprocess.run(
            [sys.executable, f"scripts/{script}", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    run("download.py", "--dataset", "bars", "--out", "bars.h5")
    description = dataset.describe(tmp_path / "bars.h5")
    assert (description.name, description.classes) == ("bars", ["lying", "upright"])
    assert (description.train_examples, description.test_examples) == (300, 100)
    options = ("--depth", "8", "--seed", "1", "--epochs", "2", "--batch-size", "20", "--device", "cpu")
    run("train.py", "--data", "bars.h5", "--out", "out", "--learning-rate", "0.05", *options)
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert (metrics["model"], metrics["train_examples"]) == ("bars-resnet8-w1-f100", 300)
    assert metrics["train_accuracy"] > 0.9
