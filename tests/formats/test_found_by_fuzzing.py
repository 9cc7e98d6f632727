"""Inputs that tests/fuzz once found to end otherwise than with a result or one sentence; their checksums are right."""

import json

import h5py
import numpy as np
import pytest
import safetensors
import safetensors.torch
import small
import small_dumps
import torch

from widedeep.data import loading
from widedeep.formats import components, dataset, dumps, predictions, seals, similarities, weights
from widedeep.names import Network
from widedeep.runtime import provenance
from widedeep.runtime.errors import UserError
from widedeep.training.checkpoint import Checkpoint
from widedeep.training.recipe import settings_of

FOREIGN = "one\ntwo \x1b[31m\u202e\ud800" + "x" * 10_000


def one_sentence(read, *words):
    """What is said; one printable line of no great length."""
    with pytest.raises(UserError) as no:
        read(*words)
    said = str(no.value)
    assert said.isprintable()
    assert len(said) < 1000
    return said


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a model.safetensors and its dataset.h5."""
    folder = tmp_path_factory.mktemp("trained")
    description = dataset.describe(small.write_dataset(folder / "dataset.h5"))
    settings = settings_of(Network(small.MODEL, 1), small.recipe(), description.train_checksum)
    weights.save(folder / "model.safetensors", small.train().network, small.MODEL, settings, description)
    return folder


def with_header(source, path, change):
    """Write weights with a header that was changed, under the right checksum."""
    with safetensors.safe_open(source, framework="pt") as file:
        header = json.loads(file.metadata()["widedeep"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del header["checksum"]
    change(header)
    header["checksum"] = weights._checksum(header, tensors)
    path.write_bytes(safetensors.torch.save(tensors, {"widedeep": json.dumps(header, sort_keys=True)}))
    return path


@pytest.mark.parametrize(
    "value", [[[1], [2]], [], {}, None, True, "1", -1, float("nan"), float("inf"), 1 << 80, FOREIGN]
)
@pytest.mark.parametrize(
    "place",
    [
        "model width",
        "model depth",
        "model fraction",
        "training seed",
        "classes",
        "channels",
        "image_size",
        "model family",
    ],
)
def test_a_number_of_another_type_in_the_header_of_weights(trained, tmp_path, place, value):
    *sections, key = place.split()

    def change(header):
        for section in sections:
            header = header[section]
        header[key] = value

    path = with_header(trained / "model.safetensors", tmp_path / "model.safetensors", change)
    if key == "image_size" and not value:  # older files have none
        assert weights.load(path, small.CPU)
        return
    assert "model.safetensors: " in one_sentence(weights.load, path, small.CPU)


@pytest.mark.parametrize("key", ["seed", "data_checksum"])
def test_a_header_of_weights_without_an_entry(trained, tmp_path, key):
    path = with_header(trained / "model.safetensors", tmp_path / "m", lambda header: header["training"].pop(key))
    assert key in one_sentence(weights.load, path, small.CPU)


def test_weights_that_claim_a_larger_network_take_no_memory_for_it(trained, tmp_path):
    path = with_header(trained / "model.safetensors", tmp_path / "m", lambda header: header["model"].update(width=1000))
    assert "do not fit" in one_sentence(weights.load, path, small.CPU)


READERS = {
    "activations.h5": (dumps.Dump, "model"),
    "dataset.h5": (dataset.describe, "name"),
    "predictions.h5": (lambda path: predictions.read_all([path]), "data_checksum"),
    "pca.h5": (components.read, "model"),
}


def write(path):
    """A file of the kind that its name tells."""
    if path.name == "activations.h5":
        small_dumps.write(path)
    elif path.name == "dataset.h5":
        small.write_dataset(path)
    elif path.name == "predictions.h5":
        predictions.write(path, np.zeros((2, 3)), [0, 1], small_dumps.ORIGIN)
    else:
        with components.creating(path, ["a"], 3, small_dumps.ORIGIN) as made:
            made.share[:] = 1
    return path


@pytest.mark.parametrize("value", [b"\xff", [1, 2], 1.5, True, h5py.Empty("f4"), "a\nb", "x" * 10_000])
@pytest.mark.parametrize("name", READERS)
def test_an_attribute_of_another_type(tmp_path, name, value):
    path, (read, attribute) = write(tmp_path / name), READERS[name]
    for key in (attribute, "kind", "schema_version"):
        write(path)
        with h5py.File(path, "r+") as file:
            file.attrs[key] = value
        seals.write(path)
        assert one_sentence(read, path).startswith(f"{path}: ")


def test_classes_that_are_no_list_of_names_and_labels_without_a_class(tmp_path):
    for classes in ("{}", "[1]", "3", "[]"):
        path = small.write_dataset(tmp_path / "dataset.h5")
        with h5py.File(path, "r+") as file:
            file.attrs["classes"] = classes
        seals.write(path)
        assert "classes" in one_sentence(dataset.describe, path)
    path = small.write_dataset(tmp_path / "dataset.h5")
    with h5py.File(path, "r+") as file:
        file["train/labels"][0] = 1 << 40
    seals.write(path)
    assert "label" in one_sentence(loading.read, path, "train")


def test_pairs_whose_links_cannot_be_iterated(tmp_path):
    """HDF5 raises a RuntimeError where the names of links cannot be read."""
    small_dumps.write(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file.attrs["kind"], file.attrs["schema_version"] = similarities.KIND, similarities.SCHEMA_VERSION
    seals.write(tmp_path / "x.h5")

    class Broken(h5py.File):
        def __iter__(self):
            raise RuntimeError("Link iteration failed (corrupt link)")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(h5py, "File", Broken)
        assert "corrupt link" in one_sentence(similarities.names, tmp_path / "x.h5")


@pytest.mark.parametrize(
    "settings", [{"seed": FOREIGN}, {"seed": torch.ones(3)}, {FOREIGN: 1}, {1: 2, "a": 3}, {"seed": [[torch.ones(2)]]}]
)
def test_settings_of_a_checkpoint_that_are_foreign(tmp_path, settings):
    Checkpoint(tmp_path / "checkpoint.pt", settings).save({"a": 1})
    one_sentence(Checkpoint(tmp_path / "checkpoint.pt", {"seed": 1}).load)


def test_a_trained_network_whose_losses_are_not_finite():
    """As of a checkpoint whose statistics of a batch norm were damaged."""
    training = small.train(epochs=1)
    training.network.get_buffer(next(name for name, _ in training.network.named_buffers() if "var" in name)).fill_(-1)
    assert "training.learning_rate" in one_sentence(training.metrics)


@pytest.mark.parametrize("attempts", [1, [1], [{}], [{"started": FOREIGN}], {"a": 1}])
def test_attempts_of_a_checkpoint_that_are_foreign(tmp_path, attempts):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {"seed": 1})
    checkpoint.attempts = attempts if isinstance(attempts, list) else []
    content = {"settings": {"seed": 1}, "attempts": attempts, "state": {}}
    with open(checkpoint.path, "wb") as file:
        file.write(bytes(seals.SIZE))
        torch.save(content, file)
    seals.write(checkpoint.path)
    one_sentence(checkpoint.load)


def test_checksums_of_outputs_in_a_provenance_that_are_none(tmp_path):
    attempts = [{**provenance.Attempt().so_far(), "device": None}]
    (tmp_path / "a").write_text("a")
    provenance.write(tmp_path / "p.json", "train", ("m", 1), {}, attempts, [tmp_path / "a"])
    content = json.loads((tmp_path / "p.json").read_text())
    content["outputs"] = {FOREIGN: 1}
    (tmp_path / "p.json").write_text(json.dumps(content))
    one_sentence(provenance.read, tmp_path / "p.json")
