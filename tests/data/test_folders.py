"""Folders of images: which images are found, in which order, and what they become."""

import os
import shutil

import numpy as np
import pytest
import small_archives
from PIL import Image

from widedeep.data import folders, loading
from widedeep.formats import dataset
from widedeep.runtime.errors import UserError


def picture(path, colour, size=(20, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def own(folder, out):
    """Make the file of the data set in a folder, of images of 8 x 8; its path."""
    small_archives.run(["--dataset", "own", "--folder", folder, "--image-size", 8, "--out", out])
    return out


def test_a_folder_with_a_split(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for index, name in enumerate(("cat", "dog")):
            for number in range(count):
                picture(tmp_path / "images" / part / name / f"{number}.png", (100 * index, number, 7))
    path = own(tmp_path / "images", tmp_path / "dataset.h5")
    train, test = loading.read(path, "train"), loading.read(path, "test")
    assert train.images.shape == (6, 3, 8, 8)
    assert train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert sorted(map(tuple, train.images[:, :, 0, 0].tolist())) == [
        (100 * index, number, 7) for index in range(2) for number in range(3)
    ]
    assert train.labels.tolist() == (train.images[:, 0, 0, 0] // 100).tolist()
    assert len(test.labels) == 4
    assert dataset.describe(path).classes == ["cat", "dog"]


def test_a_folder_without_a_split_gives_every_fifth_image_to_the_test_set(tmp_path):
    for number in range(10):
        picture(tmp_path / "images" / "a" / f"{number}.png", (number, 0, 0))
        picture(tmp_path / "images" / "b" / f"{number}.png", (100 + number, 0, 0))
    path = own(tmp_path / "images", tmp_path / "dataset.h5")
    assert sorted(loading.read(path, "test").images[:, 0, 0, 0].tolist()) == [4, 9, 104, 109]
    first = [0, 1, 2, 3, 5, 6, 7, 8]
    assert sorted(loading.read(path, "train").images[:, 0, 0, 0].tolist()) == [*first, *(100 + n for n in first)]


def test_each_first_part_of_a_folder_holds_all_classes(tmp_path):
    for part, count in (("train", 12), ("test", 5)):
        for index, name in enumerate("abcd"):
            for number in range(count):
                picture(tmp_path / "images" / part / name / f"{number}.png", (60 * index, number, 0))
    path = own(tmp_path / "images", tmp_path / "dataset.h5")
    for split, count in (("train", 12), ("test", 5)):
        found = loading.read(path, split)
        for rounds in range(1, count + 1):
            assert np.bincount(found.labels[: 4 * rounds]).tolist() == [rounds] * 4
        # Nor are images of one name together, or in the order of their names.
        numbers = found.images[:, 1, 0, 0].reshape(count, 4)
        assert (np.ptp(numbers, axis=1) > 0).any()
        assert sorted(numbers[:, 0]) != numbers[:, 0].tolist()


def test_the_order_of_a_folder_is_fixed_and_keeps_the_shares_of_classes():
    labels = [0] * 90 + [1] * 30
    names = [f"{number}.png" for number in range(120)]
    order = folders.stratified_order(labels, names)
    assert sorted(order) == list(range(120))
    assert np.bincount(np.take(labels, order)[:40]).tolist() == [30, 10]
    assert [names[index] for index in order[:5]] == ["3.png", "26.png", "113.png", "27.png", "69.png"]
    # One image more leaves the others of its class in their order.
    more = folders.stratified_order([*labels, 1], [*names, "new.png"])
    assert [index for index in more if 90 <= index < 120] == [index for index in order if index >= 90]


def test_images_are_cropped_in_the_middle_and_resized(tmp_path):
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 200
    for number in range(5):
        (tmp_path / "images/a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / f"images/a/{number}.png")
        picture(tmp_path / f"images/b/{number}.png", "red")
    train = loading.read(own(tmp_path / "images", tmp_path / "d.h5"), "train")
    images = train.images[train.labels == 0]
    assert (images[..., 1:-1] == 200).all()  # at the edges, resizing mixes in the neighbours
    assert (images > 150).all()


def test_grey_images_become_rgb(tmp_path):
    for name, value in (("a", 9), ("b", 200)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("L", (8, 8), value).save(tmp_path / "images" / name / f"{number}.png")
    train = loading.read(own(tmp_path / "images", tmp_path / "d.h5"), "train")
    assert train.images.shape == (8, 3, 8, 8)
    assert np.unique(train.images[train.labels == 0]).tolist() == [9]


def break_image(folder):
    (folder / "train/cat/1.png").write_bytes(b"not a picture")


def truncate_image(folder):
    path = folder / "train/cat/1.png"
    path.write_bytes(path.read_bytes()[:60])


def empty_class(folder):
    (folder / "train/empty").mkdir()


def other_classes(folder):
    picture(folder / "test/bird/0.png", "red")


def no_test(folder):
    shutil.rmtree(folder / "test")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (break_image, r"images/train/cat/1\.png: "),
        (truncate_image, r"images/train/cat/1\.png: "),
        (empty_class, "images/train/empty: .*no image"),
        (other_classes, "images: .*bird.*train.*test"),
        (no_test, "images: .*train.*test.*val"),
    ],
)
def test_folders_with_a_fault_are_refused_by_name(tmp_path, damage, named):
    for part in ("train", "test"):
        picture(tmp_path / "images" / part / "cat/0.png", "red")
        picture(tmp_path / "images" / part / "dog/0.png", "green")
    picture(tmp_path / "images/train/cat/1.png", "blue")
    damage(tmp_path / "images")
    with pytest.raises(UserError, match=named):
        own(tmp_path / "images", tmp_path / "out/dataset.h5")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_missing_empty_or_too_small_is_refused(tmp_path):
    with pytest.raises(UserError, match="none: no such folder"):
        own(tmp_path / "none", tmp_path / "d.h5")
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="images: .*folder"):
        own(tmp_path / "images", tmp_path / "d.h5")
    picture(tmp_path / "images/a/0.png", "red")
    odd = os.fsdecode(b"\xff.png")
    try:
        picture(tmp_path / "images/a" / odd, "red")
    except OSError:  # a file system of texts
        pass
    else:
        with pytest.raises(UserError, match=r"udcff.png': .*UTF-8"):
            own(tmp_path / "images", tmp_path / "d.h5")
        (tmp_path / "images/a" / odd).unlink()
    with pytest.raises(UserError, match="images: .* 5 images"):
        own(tmp_path / "images", tmp_path / "d.h5")


def test_images_that_do_not_fit_into_memory_are_refused(tmp_path):
    for name in "ab":
        for number in range(5):
            picture(tmp_path / f"{name}/{number}.png", (ord(name), number, 0))
    with pytest.raises(UserError, match=r"8 images of 9999999 x 9999999 pixels .* memory.*image_size.*stream"):
        folders.image_folder(tmp_path, 9_999_999)


def test_a_folder_whose_path_no_file_of_ours_can_hold_is_refused(tmp_path):
    """A line of a data set's file must be printable; a space of U+00A0 is not."""
    for name in "ab":
        for number in range(5):
            picture(tmp_path / f"my\u00a0images/{name}/{number}.png", (ord(name), number, 0))
    words = ["--dataset", "own", "--folder", tmp_path / "my\u00a0images", "--image-size", 8, "--out"]
    with pytest.raises(UserError, match=r"my\\xa0images: .*not printable"):
        small_archives.run([*words, tmp_path / "d.h5", "--stream"])
    assert not (tmp_path / "d.h5").exists()
    small_archives.run([*words, tmp_path / "d.h5"])
    assert len(loading.read(tmp_path / "d.h5", "train").labels) == 8


def test_the_checksum_of_a_folder_depends_on_names_and_sizes_alone(tmp_path):
    for number in range(5):
        picture(tmp_path / f"images/a/{number}.png", "red")
        picture(tmp_path / f"images/b/{number}.png", "blue")
    before = folders.checksum(tmp_path / "images")
    os.utime(tmp_path / "images/a/0.png", (0, 0))
    assert folders.checksum(tmp_path / "images") == before
    (tmp_path / "images/a/0.png").rename(tmp_path / "images/a/00.png")
    renamed = folders.checksum(tmp_path / "images")
    with open(tmp_path / "images/a/00.png", "ab") as file:
        file.write(b"x")
    assert len({before, renamed, folders.checksum(tmp_path / "images")}) == 3
