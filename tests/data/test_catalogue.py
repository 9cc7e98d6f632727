"""Known data sets: one record each, in a file of data/known/ that nothing else names."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from widedeep.data import catalogue
from widedeep.formats import dataset

# A data set of two classes, as data/catalogue.py says; the checksums are of its content.
STRIPES = '''
"""Stripes: upright or lying."""

from widedeep.data.catalogue import DataSet, Fetched


def drawn(_folder, _mirrors, _archive):
    import numpy as np

    from widedeep.formats.dataset import Split

    images, labels = np.zeros((60, 1, 16, 16), np.uint8), np.arange(60) % 2
    images[labels == 0, :, ::4] = 255
    images[labels == 1, :, :, ::4] = 255
    return Fetched(Split(images[:40], labels[:40]), Split(images[40:], labels[40:]), ["lying", "upright"])


DATA_SETS = [
    DataSet(
        name="stripes",
        train_examples=40,
        test_examples=20,
        channels=1,
        side=16,
        classes=2,
        sources={"drawn": drawn},
        checksums=("TRAIN", "TEST"),
        mirrored=False,
    )
]
'''


@pytest.mark.parametrize("name", catalogue.KNOWN)
def test_each_record_is_complete(name):
    record = catalogue.KNOWN[name]
    assert record.name == name
    assert min(record.train_examples, record.test_examples, record.channels, record.side, record.classes) > 0
    # Content without a checksum must be guarded by the files' own sums.
    assert len(record.checksums) == (2 if name in ("cifar10", "digits", "fashion-mnist") else 0)
    assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in record.checksums)


def test_the_known_data_sets_and_their_sources():
    assert {name: [*record.sources] for name, record in catalogue.KNOWN.items()} == {
        "cifar10": ["official", "npm"],
        "cifar100": ["official"],
        "digits": ["embedded"],
        "fashion-mnist": ["official", "debian"],
        "imagenet": [],
    }
    assert [*catalogue.WITH_SOURCES] == [name for name in catalogue.KNOWN if name != "imagenet"]


def test_a_known_name_wins_over_a_file_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "OWN_FILES", tmp_path)
    for name in ("digits", "imagenet", "bars"):
        (tmp_path / f"{name}.py").write_text("")
    assert catalogue.own_file("digits") is None
    assert catalogue.own_file("imagenet") == tmp_path / "imagenet.py"  # it has no source of its own
    assert catalogue.own_file("bars") == tmp_path / "bars.py"
    assert catalogue.own_file("cats") is None


def test_images_without_the_images():
    record = catalogue.KNOWN["cifar10"]
    assert catalogue.Images.of(record) == catalogue.Images(50_000, 10_000, (3, 32, 32), 10)
    assert catalogue.Images.of(record, 16).shape == (3, 16, 16)
    described = dataset.Description("x", ["a", "b"], (1, 8, 8), 5, 4, "", "", "")
    assert catalogue.Images.described(described) == catalogue.Images(5, 4, (1, 8, 8), 2)


@pytest.fixture
def run(tmp_path):
    """Runs a script of a copy whose data/known/ has one file more."""
    shutil.copytree("scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "scripts/widedeep/data/known/stripes.py").write_text(STRIPES)

    def run(script, *words):
        command = [sys.executable, f"scripts/{script}", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def test_a_known_data_set_is_one_file(run, tmp_path):
    known, download = tmp_path / "scripts/widedeep/data/known/stripes.py", ("download.py", "--dataset", "stripes")
    refused = run(*download, "--out", "d.h5")
    assert refused.returncode == 1
    assert re.search("^error: stripes: .*train.* TRAIN ", refused.stderr)
    assert not (tmp_path / "d.h5").exists()
    known.write_text(known.read_text().replace('("TRAIN", "TEST")', "()"))
    made = run(*download, "--out", "d.h5")
    assert made.returncode == 0, made.stderr
    found = dataset.describe(tmp_path / "d.h5")
    known.write_text(known.read_text().replace("()", f'("{found.train_checksum}", "{found.test_checksum}")'))
    made = run(*download, "--image-size", "8", "--out", "d.h5")
    assert made.returncode == 0, made.stderr
    found = dataset.describe(tmp_path / "d.h5")
    assert (found.name, found.image_shape, found.classes) == ("stripes", (1, 8, 8), ["lying", "upright"])
    options = ("--depth", "8", "--seed", "1", "--epochs", "1", "--batch-size", "8", "--device", "cpu")
    trained = run("train.py", "--data", "d.h5", "--out", "out", *options)
    assert trained.returncode == 0, trained.stderr


def test_a_config_knows_it_from_the_same_file(run, tmp_path):
    config = {
        "study": "stripes",
        "dataset": {"name": "stripes", "source": "drawn"},
        "grid": [{"depths": [8], "widths": [1], "seeds": [1]}],
        "training": {"batch_size": 8, "flip": False},
        "dumps": {"batch_size": 8},
    }

    def check(**changes):
        (tmp_path / "c.yaml").write_text(yaml.safe_dump({**config, **changes}))
        return run("check_config.py", "c.yaml").stderr

    assert check() == ""
    assert re.search(r"dumps\.batch_size is 21.* 20 ", check(dumps={"batch_size": 21}))
    assert re.search(r"training\.flip is true.*stripes", check(training={"batch_size": 8}))
    assert re.search(r"dataset\.source is npm.*stripes.*drawn", check(dataset={"name": "stripes", "source": "npm"}))
