"""Images that stay in their files: the same content as reading them all, and crops that follow from their seeds."""

import os

import numpy as np
import pytest
import small
import torch
from PIL import Image

from widedeep.data import augmentation, folders, loading, streaming
from widedeep.formats import dataset, seals
from widedeep.runtime.errors import UserError


def write_images(folder, classes=("cat", "dog"), train=6, test=3, size=(40, 36)):
    """Noisy JPEGs of one brightness a class, in FOLDER/train and FOLDER/val."""
    rng = np.random.default_rng(0)
    for split, number in (("train", train), ("val", test)):
        for label, name in enumerate(classes):
            place = folder / split / name
            place.mkdir(parents=True)
            for index in range(number):
                pixels = rng.integers(0, 60, (*size, 3)) + 150 * label
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{index}.jpeg", quality=95)
    return folder


@pytest.fixture
def listed(tmp_path):
    folder = write_images(tmp_path / "images")
    path = tmp_path / "dataset.h5"
    dataset.write_listing(path, "own", folder, 32, *folders.listing(folder))
    return path


def batches(split, parts, **augment):
    images = augmentation.on_device(split.images, small.CPU)
    if augment:
        return list(images.augmented_batches(parts, **augment))
    return list(augmentation.plain_batches(images, parts))


def test_a_listing_says_what_is_there_and_reads_no_image(listed):
    description = dataset.describe(listed)
    assert description.image_shape == (3, 32, 32)
    assert (description.train_examples, description.test_examples) == (12, 6)
    assert description.classes == ["cat", "dog"]
    train = loading.read(listed, "train", 0.5)
    assert train.labels.tolist() == [0, 1] * 3
    assert train.images.shape == (6, 3, 32, 32)
    assert listed.stat().st_size < 30_000


def test_evaluation_sees_the_centre_of_the_resized_image(listed):
    split = loading.read(listed, "test")
    (batch,) = batches(split, [torch.tensor([4, 0])])
    with Image.open(split.images.folder / split.images.paths[4]) as image:
        width, height = image.size
        scale = round(32 * 8 / 7) / min(width, height)
        resized = image.resize((int(width * scale), int(height * scale)), Image.Resampling.BILINEAR)
    left, top = ((side - 32) / 2 for side in resized.size)
    expected = np.asarray(resized.crop((round(left), round(top), round(left) + 32, round(top) + 32)))
    assert batch.shape == (2, 3, 32, 32)
    assert batch.dtype == torch.float32
    np.testing.assert_allclose(batch[0].permute(1, 2, 0) * 255, expected, atol=3)


def test_one_image_is_its_central_crop(listed):
    split = loading.read(listed, "test")
    (batch,) = batches(split, [torch.tensor([4])])
    image = split.images[4]
    assert (image.dtype, image.shape) == (np.uint8, (3, 32, 32))
    np.testing.assert_array_equal(image, batch[0].numpy() * 255)


@pytest.mark.parametrize("workers", [0, 2])
def test_crops_follow_from_the_generator_whoever_decodes(listed, monkeypatch, workers):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone, helped = (loading.read(listed, "train", workers=number) for number in (0, workers))
    parts = [torch.tensor([0, 7, 7]), torch.tensor([3])]

    def drawn(split, seed):
        generators = [torch.Generator().manual_seed(seed + step) for step in range(2)]
        return batches(split, parts, flip=True, generators=generators)

    first, other, again = drawn(alone, 1), drawn(alone, 5), drawn(helped, 1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[0][1], first[0][2])  # the same image, cropped twice


def test_as_many_processes_decode_as_were_asked_for(listed, monkeypatch):
    asked = []
    loader = streaming.DataLoader
    monkeypatch.setattr(
        streaming, "DataLoader", lambda *words, **keys: asked.append(keys["num_workers"]) or loader(*words, **keys)
    )
    with loading.opened(listed, "test", 2) as opened:
        batches(opened, [torch.tensor([0])])
    batches(dataset.Split(loading.read(listed, "test", workers=1).images[:3], None), [torch.tensor([0])])
    batches(loading.read(listed, "test"), [torch.tensor([0])])
    assert asked == [2, 1, 0]


def test_a_file_that_is_no_image_is_named(listed):
    split = loading.read(listed, "test")
    (split.images.folder / split.images.paths[2]).write_bytes(b"no image")
    with pytest.raises(UserError, match=rf"{split.images.paths[2]}: "):
        batches(split, [torch.arange(6)])


def test_a_folder_that_is_gone_is_one_sentence(listed):
    split = loading.read(listed, "test")
    split.images.folder.rename(listed.parent / "elsewhere")
    with pytest.raises(UserError, match=rf"images: .*{split.images.paths[0]}.*scripts/download\.py"):
        loading.read(listed, "test")


def test_another_file_or_label_changes_the_checksum(tmp_path):
    folder = write_images(tmp_path / "images")
    train, _, _ = folders.listing(folder)
    paths, labels = zip(*train, strict=True)
    before = dataset.listing_checksum(folder, paths, labels, 32)
    assert dataset.listing_checksum(folder, paths, labels[::-1], 32) != before
    assert dataset.listing_checksum(folder, paths, labels, 64) != before
    (folder / paths[0]).write_bytes(b"")
    assert dataset.listing_checksum(folder, paths, labels, 32) != before


def test_images_in_the_file_of_a_data_set_are_those_of_an_array(tmp_path):
    path = small.write_dataset(tmp_path / "dataset.h5", test_examples=2500)
    whole = loading.read(path, "test")
    parts = [torch.tensor([3, 0, 2499]), torch.tensor([7]), torch.arange(100)]
    with loading.opened(path, "test") as opened:
        np.testing.assert_array_equal(opened.labels, whole.labels)
        assert opened.images.shape == whole.images.shape
        for kept, streamed in zip(batches(whole, parts), batches(opened, parts), strict=True):
            assert torch.equal(kept, streamed)
            assert kept.stride() == streamed.stride()
        fewer = dataset.Split(opened.images[10:50], opened.labels)
        assert len(fewer.images) == 40
        assert torch.equal(*(batches(split, [torch.tensor([2])])[0] for split in (fewer, _part(whole, 10, 50))))
        # What replaces the file while it is read is not what was checked.
        small.write_dataset(tmp_path / "other.h5", test_examples=2500, seed=8).rename(path)
        assert torch.equal(batches(opened, parts)[0], batches(whole, parts)[0])


def _part(split, start, stop):
    return dataset.Split(split.images[start:stop], split.labels[start:stop])


def test_images_in_the_file_of_a_data_set_are_checked(tmp_path):
    path = small.write_dataset(tmp_path / "dataset.h5")
    with loading.opened(path, "test") as opened:
        last = opened.images.offset + 40 * 64 - 1
    with open(path, "r+b") as file:
        file.seek(last)
        file.write(bytes([255 - loading.read(path, "test").images.flat[-1]]))
    seals.write(path)
    with pytest.raises(UserError, match=r"dataset\.h5: .* test .*checksum"), loading.opened(path, "test"):
        pass


def test_a_file_that_is_cut_while_it_is_read_is_named(tmp_path):
    path = small.write_dataset(tmp_path / "dataset.h5")
    with loading.opened(path, "test") as opened:
        os.truncate(path, opened.images.offset + 10)
        with pytest.raises(UserError, match=r"dataset\.h5: .*truncated"):
            batches(opened, [torch.tensor([0])])


def test_images_that_changed_since_they_were_listed_are_noticed(listed, tmp_path):
    loading.check(listed, "train")
    for image in (tmp_path / "images").rglob("*.jpeg"):
        image.write_bytes(image.read_bytes() + b"x")  # another size: their content is not read
    with pytest.raises(UserError, match=r"dataset\.h5: .* train .*images.*scripts/download\.py"):
        loading.check(listed, "train")
