"""How many images a study has before its data set is there, and once it is."""

import blobs_study
import download
import pytest
import small

from widedeep.data.catalogue import Images
from widedeep.data.known.fashion_mnist import DEBIAN_FOLDER
from widedeep.formats import dataset
from widedeep.planning.images import expected_images, images_of
from widedeep.runtime.errors import UserError
from widedeep.study import checks
from widedeep.study.commands import content_options, source_options


def with_dataset(**section):
    content = blobs_study.content()
    content["training"]["flip"] = False
    return checks.checked({**content, "dataset": section})


def test_a_data_set_of_ones_own_is_read_from_its_file_or_asked_for(tmp_path, monkeypatch):
    study = blobs_study.study()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^data/blobs-8px/dataset\.h5: .* blobs .*snakemake"):
        images_of(study)
    path = small.write_dataset(tmp_path / "data/blobs-8px/dataset.h5")
    assert images_of(study) == blobs_study.IMAGES == expected_images(study, dataset.describe(path))


def test_imagenet_is_planned_before_it_is_listed(tmp_path, monkeypatch):
    study = checks.read("config/imagenet.yaml")
    monkeypatch.chdir(tmp_path)
    assert images_of(study) == Images(1_281_167, 50_000, (3, 224, 224), 1000) == expected_images(study)


@pytest.mark.parametrize("section", [{}, {"stream": True}])
def test_images_of_ones_own_are_expected_to_be_many(section):
    expected = expected_images(with_dataset(name="own", folder="x", image_size=64, **section))
    assert expected.train_examples >= 100_000
    assert expected.test_examples >= 20_000
    assert expected.shape == (3, 64, 64)
    assert expected.classes == 1000


WITHOUT_DEBIAN = pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist")


@pytest.mark.parametrize(
    "section",
    [
        {"name": "digits"},
        pytest.param({"name": "fashion-mnist", "source": "debian"}, marks=WITHOUT_DEBIAN),
        pytest.param({"name": "fashion-mnist", "source": "debian", "image_size": 14}, marks=WITHOUT_DEBIAN),
    ],
)
def test_what_is_known_of_data_sets_is_what_their_files_say(section, tmp_path, monkeypatch):
    study = with_dataset(**section)
    expected = images_of(study)
    monkeypatch.chdir(tmp_path)
    download.main([*content_options(study).split(), *source_options(study).split(), "--out", study.places.data])
    assert expected == Images.described(dataset.describe(study.places.data))
