"""Checkpoints: whole, free of code, and of the training that resumes them."""

import numpy as np
import pytest
import small
import torch

from widedeep.runtime.errors import UserError
from widedeep.training.checkpoint import Checkpoint


def test_refuses_checkpoints_that_are_damaged_hostile_or_of_another_training(tmp_path):
    path = tmp_path / "checkpoint.pt"
    checkpoint = Checkpoint(path, {"model": "a", "seed": 1})
    assert checkpoint.load() is None
    checkpoint.save({"x": torch.ones(1000)})
    assert checkpoint.load()["x"].sum() == 1000
    with pytest.raises(UserError, match=r"checkpoint\.pt: .*\(seed=1 .*seed=2 .*\); move it away"):
        Checkpoint(path, {"model": "a", "seed": 2}).load()
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"checkpoint\.pt: .*truncated.*; move it away"):
            checkpoint.load()
    trace = tmp_path / "trace"
    checkpoint.save(small.Hostile(trace))
    with pytest.raises(UserError, match=r"checkpoint\.pt: .*\(UnpicklingError\); move it away"):
        checkpoint.load()
    assert not trace.exists()


def test_a_checkpoint_from_before_an_option_counts_as_having_its_default(tmp_path):
    path, defaults = tmp_path / "checkpoint.pt", {"smoothing": 0.0}
    Checkpoint(path, {"seed": 1}).save({})
    assert Checkpoint(path, {"seed": 1, "smoothing": 0.0}, defaults).load() == {}
    with pytest.raises(UserError, match=r"\(smoothing=0\.0 .*smoothing=0\.2 "):
        Checkpoint(path, {"seed": 1, "smoothing": 0.2}, defaults).load()


@pytest.mark.parametrize("library", [np, torch])
def test_a_checkpoint_that_does_not_fit_into_memory_is_not_called_damaged(library, tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {})
    checkpoint.save({"x": torch.ones(1)})
    monkeypatch.setattr(torch, "load", lambda *_, **_options: library.empty(1 << 50))
    with pytest.raises(UserError, match=r"checkpoint\.pt: .*memory") as no:
        checkpoint.load()
    assert "delete" not in str(no.value)


def test_a_checkpoint_of_a_network_that_was_changed_meanwhile_is_refused(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", {})
    training = small.train(epochs=1)
    network = training.network.state_dict()
    changed = type(network)({**network, "stem.conv.weight": torch.zeros(1)})
    changes = {
        "state.network.stem.conv.weight has the shape (1,) and the type torch.float32": ("network", changed),
        "state.network has": ("network", type(network)()),
        "state.optimizer.velocities.0 has 0 ": ("optimizer", {"velocities": [[], []]}),
        "state.epoch is str": ("epoch", "1"),
    }
    for found, (key, value) in changes.items():
        checkpoint.save({**training.state(), key: value})
        with pytest.raises(UserError, match=r"checkpoint\.pt: .*; move it away") as no:
            checkpoint.resume(training)
        assert found in str(no.value)
    checkpoint.save(training.state())
    checkpoint.resume(training)


def test_the_tensors_of_a_checkpoint_come_to_main_memory_whatever_they_were_on(tmp_path, monkeypatch):
    """A GPU that others have filled refuses them with errors of several kinds."""
    checkpoint, load, places = Checkpoint(tmp_path / "checkpoint.pt", {}), torch.load, []
    checkpoint.save({"x": torch.ones(1)})
    monkeypatch.setattr(
        torch, "load", lambda *words, **options: places.append(options["map_location"]) or load(*words, **options)
    )
    checkpoint.load()
    assert places == ["cpu"]
