"""Every key of the config: what a change of it reruns, and what it does not, by dry runs."""

import typing

import changes
import pytest
import reruns

from widedeep.runtime.options import Options, kind_of
from widedeep.study.config import Study

# Keys of data sets that the study of these tests cannot have, and why.
NOT_HERE = {
    "dataset.folder": "only of a data set of one's own; test_own_folder.py",
    "dataset.archive": "digits are embedded; where images come from is no parameter of any rule but the download",
    "dataset.mirrors": "the same",
    "dataset.stream": "only of a folder; test_imagenet_study.py",
    "dataset.workers": "only where images are streamed",
    "training.flip": "digits are never mirrored; it is an option of the recipe as the others are",
}


@pytest.fixture(scope="module")
def base(finished, tmp_path_factory):
    """The finished tiny study with figures 2 and C and what they show."""
    made = finished.copy_to(tmp_path_factory.mktemp("base") / "study")
    made.edit_config(lambda config: config.update(reruns.GROWN))
    made.run_study()
    return made


@pytest.mark.parametrize("key", changes.KEYS)
def test_a_key_reruns_exactly(base, tmp_path, key):
    change, expected = changes.KEYS[key]
    copy = base.linked_to(tmp_path / "copy")
    change(copy)
    assert copy.jobs_of_dry_run() == expected


@pytest.mark.parametrize("what", changes.LESS)
def test_less_reruns_what_aggregates(base, tmp_path, what):
    change, expected = changes.LESS[what]
    copy = base.linked_to(tmp_path / "copy")
    change(copy)
    assert copy.jobs_of_dry_run() == expected


def test_every_key_of_the_config_has_a_row():
    keys = set(leaves(Study))
    assert keys == changes.KEYS.keys() | NOT_HERE.keys()
    assert not changes.KEYS.keys() & NOT_HERE.keys()


def leaves(section, path=""):
    """Dotted paths of all keys that hold a value, through sections and lists of sections."""
    for name, field in section.model_fields.items():
        place = f"{path}{field.alias or name}"
        kind = kind_of(field.annotation)
        (kind,) = map(kind_of, typing.get_args(kind) or [kind]) if typing.get_origin(kind) is list else [kind]
        if isinstance(kind, type) and issubclass(kind, Options):
            yield from leaves(kind, f"{place}.")
        else:
            yield place
