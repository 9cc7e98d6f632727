"""Every key of the config: what a change of it reruns, and what it does not, by dry runs."""

import changes
import pytest
import reruns
import yaml
from study import ROOT

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

    def grow(config):
        config["grid"].append(reruns.BASE_GRID)
        config["figures"] |= reruns.BASE_FIGURES

    made.edit_config(grow)
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


def test_every_key_of_the_schema_has_a_row():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    keys = set(leaves(schema, schema))
    assert keys == changes.KEYS.keys() | NOT_HERE.keys()
    assert not changes.KEYS.keys() & NOT_HERE.keys()


def leaves(schema, part, path=""):
    """Dotted paths of all keys that hold a value, lists of objects passed through."""
    while "$ref" in part or "items" in part:
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
        elif "properties" in part["items"] or "$ref" in part["items"]:
            part = part["items"]
        else:
            break
    if "properties" not in part:
        yield path
    for name, inner in part.get("properties", {}).items():
        yield from leaves(schema, inner, f"{path}.{name}" if path else name)
