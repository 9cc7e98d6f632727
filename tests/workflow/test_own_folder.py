"""A folder of images of one's own: what Snakemake notices of it, and what is refused before anything is trained."""

import os

import pytest
import study
import yaml
from test_streaming import write_images

DATA = "data/photos-8px/dataset.h5"
CONFIG = {
    "study": "photos",
    "dataset": {"name": "photos", "folder": "~/images", "image_size": 8},
    "grid": [{"depths": [8], "widths": [1], "seeds": [1], "fractions": [0.5]}],
    "training": {"epochs": 1, "batch_size": 8},
    "dumps": {"batch_size": 8, "passes": 1},
}


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A study whose 32 training and 16 test images lie at home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_images(tmp_path / "images", train=16, test=8, size=(10, 10))
    made = study.Study.new(tmp_path)
    (tmp_path / study.CONFIG).write_text(yaml.safe_dump(CONFIG))
    return made


def refused(photos, section, **keys):
    """What Snakemake says of the study with other keys."""
    text = (photos.folder / study.CONFIG).read_text()
    photos.edit_config(lambda config: config.setdefault(section, {}).update(keys))
    said = photos.snakemake("-n", check=False)
    (photos.folder / study.CONFIG).write_text(text)
    assert said.returncode == 1
    return said.stdout + said.stderr


def planned(photos):
    """How many jobs of each rule would run, by a process that knows where home is."""
    said = photos.snakemake("-n", DATA)
    return study.jobs_in(said.stdout + said.stderr)


@pytest.mark.whole
def test_what_changes_in_a_folder_is_noticed_and_what_does_not_fit_it_refused(photos):
    folder = photos.folder / "images"
    photos.edit_config(lambda config: config["dumps"].update(batch_size=17))
    photos.snakemake(DATA, check=False)
    said = (photos.folder / "results/photos/logs/download.log").read_text()
    assert "photos: has 16 test images, and the batches of the study need 17; make dumps.batch_size" in said

    photos.edit_config(lambda config: config["dumps"].update(batch_size=8))
    photos.snakemake(DATA)
    assert planned(photos) == {}
    for image in folder.rglob("*.jpeg"):
        os.utime(image)
    assert planned(photos) == {}
    folder.rename(photos.folder / "elsewhere")
    assert planned(photos) == {}
    (photos.folder / "elsewhere").rename(folder)
    (folder / "train/cat/new.jpeg").write_bytes((folder / "train/cat/0.jpeg").read_bytes())
    assert planned(photos) == {"download": 1}

    words = f"({DATA} is there; delete it if your images have changed): config key dumps.batch_size is 17, more than"
    assert words in refused(photos, "dumps", batch_size=17)
    assert "training.batch_size is 20, more than the 16 training" in refused(photos, "training", batch_size=20)
    assert "colour map 'brown' is unknown" in refused(photos, "figures", colour_map="brown")
