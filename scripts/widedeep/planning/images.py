"""Numbers and shape of a study's images, before anything of it runs."""

import os

from widedeep.data import catalogue
from widedeep.data.catalogue import Images
from widedeep.runtime import files
from widedeep.runtime.errors import UserError

# Stands for the user's own images until they are counted; larger than most data sets, so that estimates err upwards.
_MANY = catalogue.DataSet("", train_examples=100_000, test_examples=20_000, channels=3, side=224, classes=1000)


def images_of(study):
    """The Images of a study, from the record of a known data set, else from the file of the data set.

    A streamed folder called `imagenet` that is not listed yet counts as ImageNet.

    Args:
        study: config.Study.

    Returns:
        catalogue.Images

    Raises:
        UserError: the data set is the user's own and its file is not there, or damaged.
    """
    section, path = study.dataset, study.places.data
    record = catalogue.KNOWN.get(section.name)
    listed_later = record and section.stream and not os.path.exists(path)
    if section.name in catalogue.WITH_SOURCES or listed_later:
        return Images.of(record, section.image_size)
    if not files.is_there(path):
        raise UserError(
            f"{path}: no such file, and only it tells how many images {section.name} has; make it first with "
            f"`snakemake --cores 1 --configfile CONFIG {path}`."
        )
    from widedeep.formats import dataset

    return Images.described(dataset.describe(path))


def expected_images(study, found=None):
    """The Images of a study; as long as they are not counted, an upper guess.

    Args:
        study: config.Study.
        found: dataset.Description of the data set's file; None where it is missing or damaged.

    Returns:
        catalogue.Images
    """
    section = study.dataset
    if section.name in catalogue.WITH_SOURCES:
        return Images.of(catalogue.KNOWN[section.name], section.image_size)
    if found:
        return Images.described(found)
    return Images.of(catalogue.KNOWN["imagenet"] if section.stream else _MANY, section.image_size)
