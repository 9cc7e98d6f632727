"""metrics.json: what is read of it, and the names of networks that follow from it."""

import json

import pytest

from widedeep.formats import metrics
from widedeep.runtime.errors import UserError

CONTENT = {"model": "m", "seed": 1, "dataset": "blobs", "family": "resnet", "depth": 14, "width": 6.0, "fraction": 0.25}
CONTENT |= {"test_accuracy": 0.875}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps(CONTENT))
    return tmp_path / "metrics.json"


def test_metrics_are_read_by_the_label_of_the_network(path):
    assert metrics.read([path]) == {"m/seed1": CONTENT}
    assert metrics.values_of(CONTENT, ["family", "test_accuracy"], path) == {"family": "resnet", "test_accuracy": 0.875}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "m"}', "[" * 100_000, "\0"])
def test_another_file_is_named(path, text):
    path.write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json: .*scripts/train\.py"):
        metrics.read([path])
    with pytest.raises(UserError, match=r"none\.json: .*scripts/train\.py"):
        metrics.read([path.with_name("none.json")])


@pytest.mark.parametrize(("key", "value"), [("family", 3), ("test_accuracy", "high"), ("test_accuracy", None)])
def test_a_missing_or_other_value_is_named_with_its_key(path, key, value):
    with pytest.raises(UserError, match=rf"metrics\.json: .*{key}"):
        metrics.values_of({**CONTENT, key: value}, ["model", key], path)


def test_titles_and_accuracies_are_words_where_metrics_are_given():
    given = {"m/seed1": CONTENT}
    assert metrics.network_title("m/seed1", given) == "ResNet-14 6x, 25% of data, seed 1"
    assert metrics.network_title("m/seed1", given, seed=False) == "ResNet-14 6x, 25% of data"
    assert metrics.accuracy("m/seed1", given) == "87.5%"
    assert metrics.network_title("m/seed2", given) == "m/seed2"
    assert metrics.network_title("m/seed2", given, seed=False) == "m"
    assert metrics.accuracy("m/seed2", given) == "unknown"
