"""Weights on disk, with the network around them."""

import dataclasses

import pytest
import safetensors.torch
import small
import torch

from widedeep.formats import dataset, weights
from widedeep.names import Network
from widedeep.runtime.errors import UserError
from widedeep.training.recipe import settings_of

SETTINGS = {"seed": 1, "data_checksum": "abc"}


@pytest.fixture
def saved(tmp_path):
    """A trained network on disk, and the training."""
    finished, path = small.train(), tmp_path / "model.safetensors"
    description = weights_description(tmp_path)
    settings = settings_of(Network(small.MODEL, 1), small.recipe(), description.train_checksum)
    weights.save(path, finished.network, small.MODEL, settings, description)
    return path, finished


def weights_description(folder):
    return dataset.describe(small.write_dataset(folder / "dataset.h5"))


def test_weights_come_back_with_the_network_around_them(saved):
    path, finished = saved
    network, model, settings = weights.load(path, small.CPU)
    assert model == small.MODEL
    assert settings["seed"] == 1
    assert small.same(network, finished.network)
    assert not network.training
    assert path.stat().st_mode & 0o044  # others can read it


def test_refuses_weights_that_are_missing_damaged_or_something_else(saved, tmp_path):
    path, _ = saved
    whole = path.read_bytes()
    with pytest.raises(UserError, match=r"none\.safetensors: no such file.*scripts/train\.py"):
        weights.load(tmp_path / "none.safetensors", small.CPU)
    for length in (0, 7, 100, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"model\.safetensors: .*train"):
            weights.load(path, small.CPU)
    path.write_bytes(whole.replace(b'\\"schema_version\\": 2', b'\\"schema_version\\": 9'))
    with pytest.raises(UserError, match=r"model\.safetensors: .* 9 .* 2 .*train"):
        weights.load(path, small.CPU)
    path.write_bytes(whole.replace(b'\\"depth\\": 8', b'\\"depth\\": 9'))
    with pytest.raises(UserError, match=r"model\.safetensors: .*checksum.*train"):
        weights.load(path, small.CPU)


def test_refuses_weights_of_a_network_that_its_family_does_not_build_any_more(tmp_path):
    larger, description = dataclasses.replace(small.MODEL, depth=14), weights_description(tmp_path)
    weights.save(tmp_path / "m.safetensors", small.train().network, larger, SETTINGS, description)
    with pytest.raises(UserError, match=r"m\.safetensors: .*blobs-resnet14-w0\.5-f100.*train"):
        weights.load(tmp_path / "m.safetensors", small.CPU)


def test_weights_of_a_family_that_is_gone_are_named_with_it(tmp_path):
    other, description = dataclasses.replace(small.MODEL, family="gone"), weights_description(tmp_path)
    weights.save(tmp_path / "m.safetensors", small.train().network, other, SETTINGS, description)
    with pytest.raises(UserError, match=r"m\.safetensors: .*'gone'.*resnet"):
        weights.load(tmp_path / "m.safetensors", small.CPU)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{}", "null"])
def test_a_hostile_header_of_weights_is_refused(text, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors.torch.save({"x": torch.ones(1)}, {"widedeep": text}))
    with pytest.raises(UserError, match=r"m\.safetensors: .*train"):
        weights.load(path, small.CPU)
