"""scripts/download.py: what it makes of its options, and what it refuses before anything is written."""

import download
import pytest
import servers
import small_archives
from PIL import Image

from widedeep.data import catalogue
from widedeep.formats import dataset
from widedeep.runtime.errors import UserError


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--dataset", "cifar100", "--source", "npm"], r"dataset\.source.* npm.*cifar100.*official"),
        (["--dataset", "digits", "--folder", "x"], r"dataset\.folder.*digits"),
        (["--dataset", "digits", "--mirror", "http://x"], r"dataset\.mirrors.*official"),
        (["--dataset", "own", "--folder", "x"], r"dataset\.image_size is missing"),
        (["--dataset", "own"], r"dataset\.name 'own'.*cifar10.*dataset\.folder.*datasets/own\.py"),
        (["--dataset", "digits", "--image-size", "8"], r"dataset\.image_size is 8.* 8.*digits"),
        (["--dataset", "digits", "--image-size", "16"], r"dataset\.image_size is 16.* 8.*digits"),
        (["--dataset", "fashion-mnist", "--image-size", "13"], r"dataset\.image_size is 13.* 28.*fashion-mnist"),
        (["--dataset", "cifar10", "--image-size", "4"], r"dataset\.image_size.* 8, and is 4"),
    ],
)
def test_impossible_requests_are_refused(tmp_path, words, named):
    with pytest.raises(UserError, match=named):
        small_archives.run([*words, "--out", tmp_path / "out/dataset.h5"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_fewer_images_than_the_batches_need_are_refused(tmp_path, stream):
    for name in "ab":
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (20, 12), (0, 0, ord(name))).save(tmp_path / "images" / name / f"{number}.png")

    def make(*words):
        options = ["--folder", tmp_path / "images", "--image-size", 8, *stream]
        small_archives.run(["--dataset", "own", "--out", tmp_path / "d.h5", *options, *words])

    with pytest.raises(UserError, match=r"own: .* 8 training .* 9; .*training\.batch_size and probes\.batch_size"):
        make("--least-train", 9)
    with pytest.raises(UserError, match=r"own: .* 2 test .* 3; .*dumps\.batch_size and figures\.A\.batch_sizes"):
        make("--least-test", 3)
    assert not (tmp_path / "d.h5").exists()
    make("--least-train", 8, "--least-test", 2)
    assert dataset.describe(tmp_path / "d.h5").train_examples == 8


def test_a_place_that_cannot_be_written_is_named(official, tmp_path):
    archive, _, _ = official
    (tmp_path / "file").write_text("")
    with (
        servers.serving({f"/{small_archives.CIFAR_ARCHIVE}": archive}) as (address, _),
        pytest.raises(UserError, match=r"file/dataset\.h5: .*path is a file"),
    ):
        small_archives.run(["--dataset", "cifar10", "--mirror", address, "--out", tmp_path / "file/dataset.h5"])


def test_it_says_what_it_made(tmp_path, capsys):
    small_archives.run(["--dataset", "digits", "--out", tmp_path / "d.h5"])
    said, made = capsys.readouterr().out, dataset.describe(tmp_path / "d.h5")
    assert f"{tmp_path}/d.h5: digits, 10 classes" in said
    assert f"1437 images, checksum {made.train_checksum}" in said
    assert f"360 images, checksum {made.test_checksum}" in said


def test_help_names_every_known_data_set_with_its_sources():
    said = " ".join(download.__doc__.split())
    for name, record in catalogue.WITH_SOURCES.items():
        sources = "embedded in scikit-learn" if name == "digits" else ", ".join(record.sources)
        assert f"{name} ({sources})" in said
