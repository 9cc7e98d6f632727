"""Folders of one's own pictures: the data set is the one that is in them, or one sentence says which file is wrong."""

import io
import re
import shutil

import children
import download
import h5py
import numpy as np
import odd_folders
import odd_pictures
import pytest
from cases import results_of, rng_of
from damage import damaged
from PIL import Image

from widedeep.data import folders, pictures  # noqa: F401 (before the children are born, for each would import it)
from widedeep.formats import dataset
from widedeep.study import checks  # noqa: F401

SIZE = 8
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
# Of Pillow's; what a format keeps of a damaged picture is no longer known, but by the checksums in a PNG.
FORMATS = {
    "PNG": {},
    "JPEG": {},
    "GIF": {},
    "TIFF": {},
    "TIFF, deflated": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
    "WEBP": {},
    "PPM": {},
    "AVIF": {},
}
# libtiff writes to the standard error by itself, before the sentence.
OF_LIBTIFF = re.compile(r"^(?!error: ).*\n", re.MULTILINE)


def make_dataset(*words):
    options = ["--dataset", "own", "--folder", "images", "--image-size", str(SIZE), "--out", "out/dataset.h5"]
    return lambda: download.main([*options, *words])


def made_dataset(folder):
    """dict from `train` and `test` to (images or paths, names of the classes) in the order of the data set."""
    path = folder / "out/dataset.h5"
    classes = np.array(dataset.describe(path).classes, object)
    with h5py.File(path) as file:
        return {
            split: (
                file[split]["images"][:] if "images" in file[split] else file[split]["paths"].asstr()[:],
                classes[file[split]["labels"][:]],
            )
            for split in ("train", "test")
        }


def fresh(folder):
    for name in ("out", "images"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return folder / "images"


def encoded(kind):
    file = io.BytesIO()
    PICTURE.save(file, kind.partition(",")[0], **FORMATS[kind])
    return file.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_pictures(kind, tmp_path, fuzz_cases, fuzz_seed, ended):
    place = fresh(tmp_path)
    for split in ("train", "test"):
        for name in ("a", "b"):
            odd_folders.draw(place / split / name / "0.png", (len(split), ord(name), 0))
    whole, victim = encoded(kind), place / "train/a/victim.png"
    victim.write_bytes(whole)
    assert results_of(children.run(make_dataset(), tmp_path), tmp_path)
    right = made_dataset(tmp_path)["train"][0]
    for case in range(fuzz_cases):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        victim.write_bytes(damaged(whole, rng_of(fuzz_seed, kind, case)))
        outcome = children.run(make_dataset(), tmp_path)
        if "TIFF" in kind:
            outcome = outcome._replace(said=OF_LIBTIFF.sub("", outcome.said))
        if results_of(outcome, tmp_path, f"case {case}") and kind == "PNG":
            np.testing.assert_array_equal(made_dataset(tmp_path)["train"][0], right, f"case {case}: another result")
        assert outcome.status == 0 or "error: images/train/a/victim.png: " in outcome.said, f"case {case}: {outcome}"
        ended[outcome.ending] += 1
    if fuzz_cases > 20:  # few may be harmless
        assert ended["sentence"] > fuzz_cases / 10


def test_odd_pictures(tmp_path, fuzz_cases, fuzz_seed, ended):
    """Those that are shown have the values of an independent reading, and one that is not is refused by name."""
    for case in range(fuzz_cases):
        rng, place, expected = rng_of(fuzz_seed, "odd pictures", case), fresh(tmp_path), {}
        refused = rng.choice([None, None, "train/a/0.png"])
        for split, name, number in [(s, n, i) for s in ("train", "test") for n in "ab" for i in range(2)]:
            path = f"{split}/{name}/{number}.png"
            draw = odd_pictures.draw_refused if path == refused else odd_pictures.draw
            content, pixels, tolerance = draw(rng)
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(content)
            if pixels is not None:
                expected.setdefault((split, name), []).append((odd_pictures.fitted(pixels, SIZE), tolerance))
        outcome = children.run(make_dataset(), tmp_path)
        assert (results_of(outcome, tmp_path, f"case {case}") is None) == bool(refused), f"case {case}: {outcome}"
        if refused:
            assert f"error: images/{refused}: " in outcome.said, f"case {case}: {outcome}"
        else:
            found = made_dataset(tmp_path)
            for (split, name), pictures_of_class in expected.items():
                left = [image for image, label in zip(*found[split], strict=True) if label == name]
                for pixels, tolerance in pictures_of_class:
                    # Resizing rounds twice, rows and columns.
                    near = [abs(image.transpose(1, 2, 0) - pixels).max() <= tolerance + 1.01 for image in left]
                    assert any(near), f"case {case}: a picture of {split}/{name} is another one"
                    del left[near.index(True)]
                assert not left
        ended[outcome.ending] += 1


def test_odd_folders(tmp_path, fuzz_cases, fuzz_seed, ended):
    """The splits and classes are those in the folder, image by image."""
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "odd folders", case)
        made = odd_folders.Made(fresh(tmp_path), rng)
        streamed = rng.random() < 0.3 and not made.undecodable
        outcome = children.run(make_dataset(*["--stream"] * streamed), tmp_path)
        assert (results_of(outcome, tmp_path, f"case {case}") is None) == made.refused, f"case {case}: {outcome}"
        if made.refused:
            assert re.match(r"error: ['\"]?images", outcome.said), f"case {case}: {outcome}"
        else:
            for split, (images, classes) in made_dataset(tmp_path).items():
                if streamed:
                    colours = [Image.open(tmp_path / "images" / path).getpixel((0, 0)) for path in images]
                else:
                    colours = [tuple(image[:, 0, 0].tolist()) for image in images]
                assert set(zip(classes, colours, strict=True)) == made.expected()[split], f"case {case}"
        ended[outcome.ending] += 1
