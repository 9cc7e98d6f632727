"""What is found in a folder of images: splits, classes, and what is left out; or one sentence."""

import os

import numpy as np
import pytest
import small_archives
from PIL import Image

from widedeep.data import finding, loading
from widedeep.runtime.errors import UserError


def fill(folder, classes="ab", number=5):
    """Write different small images into a folder for each class."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(number):
            Image.new("RGB", (8, 8), (100 * label, 10 * index, 5)).save(folder / name / f"{index}.png")


def splits(*names):
    def make(folder):
        for name in names:
            fill(folder / name)

    return make


def with_files(*paths, number=1, make=fill):
    """Add files that are no images of the data set to a whole folder."""

    def made(folder):
        make(folder)
        for path in paths:
            for index in range(number):
                place = folder / path.format(index)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(b"x")

    return made


def with_links(folder):
    fill(folder)
    fill(folder.parent / "elsewhere", "c")
    (folder / "c").symlink_to(folder.parent / "elsewhere/c")
    (folder / "a/back").symlink_to(folder)
    (folder / "b/5.png").symlink_to(folder / "b/4.png")


def folders_named_as_images(folder):
    fill(folder, ("a.png", "b"))
    fill(folder / "b", ["more.jpg"])


WHOLE = {  # how it is made, folders of the splits, (training, test) images, and what is left out
    "classes": (fill, (), (8, 2), {}),
    "train and test": (splits("train", "test"), ("train", "test"), (10, 10), {}),
    "capitals": (splits("Train", "TEST"), ("Train", "TEST"), (10, 10), {}),
    "training and validation": (splits("training", "validation"), ("training", "validation"), (10, 10), {}),
    "valid": (splits("train", "valid"), ("train", "valid"), (10, 10), {}),
    "sets": (splits("training_set", "test_set"), ("training_set", "test_set"), (10, 10), {}),
    "years": (splits("train2017", "val2017"), ("train2017", "val2017"), (10, 10), {}),
    "three": (splits("train", "val", "test"), ("train", "test"), (10, 10), {"folder beside the splits: val": 1}),
    "last words": (splits("seg_train", "seg_test"), ("seg_train", "seg_test"), (10, 10), {}),
    "repeated": (splits("tr_train/tr_train", "x_val/x_val"), ("tr_train", "x_val"), (10, 10), {}),
    "archive": (splits("flowers/Train", "flowers/Test"), ("flowers/Train", "flowers/Test"), (10, 10), {}),
    "archive of classes": (lambda folder: fill(folder / "download/flowers"), (), (8, 2), {}),
    "archive of a Mac": (
        with_files("__MACOSX/flowers/a/._0.png", "flowers/.DS_Store", make=lambda folder: fill(folder / "flowers")),
        (),
        (8, 2),
        {"hidden or system entries": 2},
    ),
    "hidden": (
        with_files(".ipynb_checkpoints/0.png", "@eaDir/0.png", "a/.DS_Store", "a/._0.png", "b/Thumbs.db"),
        (),
        (8, 2),
        {"hidden or system entries": 5},
    ),
    "other formats": (
        with_files("a/z{}.heic", "a/z{}.HEIC", "b/list", number=30),
        (),
        (8, 2),
        {"files .heic": 60, "files without a suffix": 1},
    ),
    "loose": (
        with_files("0.png", "labels.csv"),
        (),
        (8, 2),
        {"images outside of the classes": 1, "files .csv outside of the classes": 1},
    ),
    "loose in a split": (
        with_files("train/0.png", make=splits("train", "test")),
        ("train", "test"),
        (10, 10),
        {"images outside of the classes": 1},
    ),
    "nested": (lambda folder: [fill(folder), fill(folder / "a", ["may"])], (), (12, 3), {}),
    "links": (with_links, (), (13, 3), {"links to folders inside of classes": 1}),
    "folders named as images": (folders_named_as_images, (), (12, 3), {}),
    "class of a similar name": (lambda folder: fill(folder, ("trains", "testament", "valley")), (), (12, 3), {}),
}


@pytest.mark.parametrize("case", WHOLE)
def test_finds_the_splits_and_counts_what_is_left_out(tmp_path, case):
    make, expected, counts, left_out = WHOLE[case]
    make(tmp_path / "images")
    found = finding.find(tmp_path / "images")
    assert tuple(path.relative_to(tmp_path / "images").as_posix() for path in found.splits) == expected
    assert (len(found.train), len(found.test)) == counts
    assert {kind: number for kind, number in found.left_out.items() if number} == left_out
    for path, label in [*found.train, *found.test]:
        assert (tmp_path / "images" / path).is_file()
        assert found.classes[label] in path.parts
    lines = found.summary().splitlines()
    assert f"{counts[0]} training and {counts[1]} test images" in lines[0]
    assert all(f"{number} {kind}" in lines[2] for kind, number in left_out.items())


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_the_log_says_what_was_found(tmp_path, capsys, stream):
    with_files("Train/a/{}.heic", number=3, make=splits("Train", "Test"))(tmp_path / "images")
    make(tmp_path, *stream)
    printed = capsys.readouterr().out
    assert f"{tmp_path}/images/Train and {tmp_path}/images/Test" in printed
    assert "classes: a 5 + 5, b 5 + 5\nleft out: 3 files .heic\n" in printed


def make(place, *words):
    options = ["--dataset", "own", "--folder", place / "images", "--image-size", 8, "--out", place / "d.h5"]
    return small_archives.run([*options, *words])


def test_a_summary_of_many_classes_is_short(tmp_path):
    fill(tmp_path, [f"class{number:02}" for number in range(30)])
    assert "class19 4 + 1 and 10 more" in finding.find(tmp_path).summary()


def classes_with_splits(folder):
    for name in "ab":
        fill(folder / name, ("train", "test"))


def heic_alone(folder):
    fill(folder)
    for path in (folder / "a").iterdir():
        path.rename(path.with_suffix(".heic"))


def images_without_classes(folder):
    fill(folder / "train")
    fill(folder, ["test"])


def broken_link(folder):
    fill(folder)
    (folder / "a/x.png").symlink_to(folder / "none")


def broken_link_for_a_class(folder):
    fill(folder)
    (folder / "c").symlink_to(folder / "unmounted")


def links_in_a_circle(folder):
    fill(folder)
    (folder / "a/x.png").symlink_to("x.png")


def pipe(folder):
    fill(folder)
    os.mkfifo(folder / "a/x.png")


def all_the_same(folder):
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for index in range(5):
            Image.new("RGB", (8 + index, 8), "red").resize((8, 8)).save(folder / name / f"{index}.png")


REFUSED = {
    "one class": (lambda folder: fill(folder, "a"), "images: .*class a alone.*two"),
    "one class in splits": (lambda folder: [fill(folder / one, "a") for one in ("train", "val")], "class a alone"),
    "two training splits": (splits("train", "Training", "test"), "images: Training and train .*both.*training"),
    "two test splits": (splits("train", "test", "testing"), "images: test and testing .*both.*test"),
    "two validation splits": (splits("train", "val", "valid"), "images: val and valid .*both.*validation"),
    "two test splits by their last words": (splits("s_train", "s_test", "t_test"), "s_test and t_test .*both"),
    "no test split": (splits("Train", "other"), "images: has Train and no folder test or val"),
    "no training split": (splits("Validation", "other"), "images: has Validation and no folder train"),
    "splits inside of classes": (classes_with_splits, "images/a: .*splits inside of a class"),
    "unread formats alone": (heic_alone, r"images/a: has no image \(5 files \.heic\); .*\.png"),
    "test images without classes": (images_without_classes, "images/test: has images and no folder for each class"),
    "broken link": (broken_link, r"images/a/x\.png: .*link.*missing"),
    "broken link for a class": (broken_link_for_a_class, r"images/c: .*link.*missing"),
    "links in a circle": (links_in_a_circle, r"images/a/x\.png: .*link.*missing"),
    "pipe": (pipe, r"images/a/x\.png: is no file"),
    "all the same": (all_the_same, "images: all images are the same"),
}


@pytest.mark.parametrize("stream", [[], ["--stream"]])
@pytest.mark.parametrize("case", REFUSED)
def test_refuses_in_one_sentence(tmp_path, case, stream):
    build, words = REFUSED[case]
    build(tmp_path / "images")
    with pytest.raises(UserError, match=words) as refusal:
        make(tmp_path, *stream)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")
    assert not (tmp_path / "d.h5").exists()


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    fill(tmp_path)
    scan = os.scandir

    def deny(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(finding.os, "scandir", deny)
    with pytest.raises(UserError, match=r"/b: cannot be listed \(Permission denied\)"):
        finding.find(tmp_path)


def test_images_of_classes_keep_their_labels(tmp_path):
    splits("data/Train", "data/Val")(tmp_path / "images")
    make(tmp_path)
    for split in ("train", "test"):
        found = loading.read(tmp_path / "d.h5", split)
        np.testing.assert_array_equal(found.images[:, 0, 0, 0], 100 * found.labels)
