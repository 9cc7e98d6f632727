"""Files of other programs, and the workflow's own in a wrong place: what they are is said, and what takes them."""

import pickle
import tarfile

import h5py
import numpy as np
import pytest
import safetensors.torch
import small
import small_dumps
import torch
from PIL import Image

from widedeep.formats import components, dataset, dumps, foreign, metrics, predictions, similarities, tables, weights
from widedeep.runtime.errors import MayBeWhole, UserError
from widedeep.training.checkpoint import Checkpoint

READERS = {
    "activations.h5": dumps.Dump,
    "dataset.h5": dataset.describe,
    "cka.h5": similarities.read,
    "model.safetensors": lambda path: weights.load(path, small.CPU),
    "checkpoint.pt": lambda path: Checkpoint(path, {}).load(),
}


def torch_file(path):
    torch.save({"weight": torch.ones(3)}, path)


def archive(path):
    with tarfile.open(path, "w:gz") as tar:
        tar.add(__file__, "a")


FOREIGN = {
    "PyTorch": (torch_file, "layer_similarity"),
    "Python pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "code"),
    "safetensors file of another": (lambda path: safetensors.torch.save_file({"a": torch.ones(3)}, path), "similarity"),
    "NumPy array (.npy)": (lambda path: np.save(path.open("wb"), np.ones(3)), "cka"),
    "NumPy arrays (.npz)": (lambda path: np.savez(path.open("wb"), np.ones(3)), "cka"),
    "PNG": (lambda path: Image.new("RGB", (8, 8)).save(path, "png"), "--folder"),
    "JPEG": (lambda path: Image.new("RGB", (8, 8)).save(path, "jpeg"), "--folder"),
    "GIF": (lambda path: Image.new("RGB", (8, 8)).save(path, "gif"), "--folder"),
    "PDF": (lambda path: path.write_bytes(b"%PDF-1.4\n"), "right file"),
    "gzip": (archive, "--archive"),
    "JSON": (lambda path: path.write_text('{"a": 1}\n'), "right file"),
    "table that begins with 'a,b'": (lambda path: path.write_text("a,b\n1,2\n"), "right file"),
    "text that begins with 'é x": (lambda path: path.write_text("é x" * 1000), "right file"),
}


def refused(read, path):
    """What is said of a file that is another one; it leads no one to lose it."""
    with pytest.raises(MayBeWhole) as no:
        read(path)
    said = str(no.value)
    assert not [word for word in ("damaged", "truncated", "delete", "again") if word in said.removeprefix(str(path))]
    return said


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_program_is_named(tmp_path, name, kind):
    write, takes = FOREIGN[kind]
    write(tmp_path / name)
    said = refused(READERS[name], tmp_path / name)
    assert said.startswith(f"{tmp_path / name}: is a")
    assert kind in said.split("; ")[0]
    assert f"({name}) is expected" in said
    assert takes in said.split("; ")[1]


@pytest.mark.parametrize("name", ["activations.h5", "dataset.h5", "checkpoint.pt"])
def test_an_hdf5_file_of_another_program_is_no_damaged_one(tmp_path, name):
    with h5py.File(tmp_path / name, "w") as file:
        file["a"] = [1]
    with pytest.raises(UserError, match=r"is an HDF5 file of another program, or of an older version") as no:
        READERS[name](tmp_path / name)
    assert "damaged" not in str(no.value)
    with pytest.raises(MayBeWhole, match=r"is an HDF5 file of another program where a trained network"):
        READERS["model.safetensors"](tmp_path / name)


def test_each_kind_of_hdf5_file_has_a_name():
    assert {*foreign.OWN} == {one.KIND for one in (components, dataset, dumps, predictions, similarities)}


def test_own_files_in_a_wrong_place_are_named(tmp_path):
    small_dumps.write(tmp_path / "a.h5")
    small.write_dataset(tmp_path / "b.h5")
    Checkpoint(tmp_path / "c.pt", {}).save({})
    assert r"is a dump (activations.h5) where a data set" in refused(dataset.describe, tmp_path / "a.h5")
    assert "scripts/train.py takes it with --data" in refused(dumps.Dump, tmp_path / "b.h5")
    assert "is a checkpoint (checkpoint.pt) where a dump" in refused(dumps.Dump, tmp_path / "c.pt")
    assert "HDF5 file of this workflow where a checkpoint" in refused(READERS["checkpoint.pt"], tmp_path / "a.h5")


def test_weights_in_a_wrong_place_are_named(tmp_path):
    settings = {"seed": 1, "data_checksum": "abc"}
    description = dataset.describe(small.write_dataset(tmp_path / "b.h5"))
    weights.save(tmp_path / "d", small.train().network, small.MODEL, settings, description)
    assert "is a trained network (model.safetensors) where a dump" in refused(dumps.Dump, tmp_path / "d")
    assert "scripts/dump_activations.py takes it" in refused(dataset.describe, tmp_path / "d")


def test_a_folder_of_images_is_sent_to_the_program_that_takes_it(tmp_path):
    assert "scripts/download.py takes a folder of images with --folder" in refused(dataset.describe, tmp_path)
    assert "give the right file" in refused(dumps.Dump, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\x03\x04" + b"x" * 100, b"\xfe\xff\1\2", b"\n\n"])
def test_bytes_of_no_known_form_pass(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert foreign.check(tmp_path / "x", "a dump") is None


def test_metrics_tables_and_figures_of_other_forms_are_named(tmp_path):
    torch_file(tmp_path / "x.csv")
    assert "PyTorch file" in refused(tables.read, tmp_path / "x.csv")
    assert "PyTorch file" in refused(lambda path: metrics.read([path]), tmp_path / "x.csv")
    for name in ("x.png", "x.pdf"):
        np.save((tmp_path / name).open("wb"), np.ones(3))
        assert "NumPy array" in refused(tables.check, tmp_path / name)


def test_a_damaged_text_is_not_taken_for_another_one(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"a,b\n1,\xff\n")
    (tmp_path / "x.json").write_text('"model": 1}')
    for read, name in ((tables.check, "x.csv"), (lambda path: metrics.read([path]), "x.json")):
        with pytest.raises(UserError) as no:
            read(tmp_path / name)
        assert not isinstance(no.value, MayBeWhole)


def test_a_table_of_other_columns_is_not_called_damaged(tmp_path):
    (tmp_path / "history.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"other columns than a history\.csv of this version \(a\); give such a table"):
        tables.read(tmp_path / "history.csv")
