"""The recipe: the paper's defaults, and that each option reaches the training and what identifies it."""

import pytest
import small
import torch
import train

from widedeep.data import augmentation
from widedeep.names import Network
from widedeep.runtime.errors import UserError
from widedeep.training.recipe import Recipe, settings_of

# For each option a value that small.RECIPE does not have.
OTHER = {
    "epochs": 1,
    "batch_size": 10,
    "learning_rate": 0.05,
    "schedule": "step",
    "momentum": 0.5,
    "l2": 1e-2,
    "label_smoothing": 0.2,
    "batchnorm_momentum": 0.3,
    "flip": False,
    "mixed_precision": True,
}


@pytest.fixture(scope="module")
def usual():
    return small.train(epochs=2)


def test_the_defaults_are_the_paper_s_on_cifar_10():
    """Section 3, and the authors' code: SGD with momentum on a cosine, batch norm's momentum 0.99 in Keras' sense."""
    assert Recipe().model_dump() == {
        "epochs": 300,
        "batch_size": 128,
        "learning_rate": 0.01,
        "schedule": "epoch",
        "momentum": 0.9,
        "l2": 1e-4,
        "label_smoothing": 0.0,
        "batchnorm_momentum": 0.01,
        "flip": True,
        "mixed_precision": False,
    }


@pytest.mark.parametrize("option", Recipe.model_fields)
def test_each_option_identifies_the_training(option):
    network = Network(small.MODEL, 1)
    usual, other = (settings_of(network, small.recipe(**changes), "sum") for changes in ({}, {option: OTHER[option]}))
    assert {key for key in usual if usual[key] != other[key]} == {option}


@pytest.mark.parametrize("option", [option for option in Recipe.model_fields if option != "mixed_precision"])
def test_each_option_changes_the_trained_network(usual, option):
    other = small.train(**{"epochs": 2, option: OTHER[option]})
    assert not small.same(usual.network, other.network)


def test_label_smoothing_spreads_a_share_of_each_label_evenly(monkeypatch):
    """Cross-entropy with (1 - s) + s / K for the label and s / K for each other of K classes, from its definition."""
    batches, original = [], augmentation.cropped

    def remembering(images, indices, *crops):
        batches.append((original(images, indices, *crops), indices))
        return batches[-1][0]

    monkeypatch.setattr(augmentation, "cropped", remembering)
    # At this rate no weight changes.
    trained = small.train(epochs=1, learning_rate=1e-30, label_smoothing=0.2)
    network, labels, losses = trained.network.train(), torch.from_numpy(small.split().labels), []
    for images, indices in batches:
        logarithms = network(images).double().log_softmax(dim=1)
        targets = 0.8 * torch.eye(3, dtype=torch.float64)[labels[indices]] + 0.2 / 3
        losses.append(-(targets * logarithms).sum(dim=1).mean().item())
    assert len(losses) == 3
    assert trained.history[0]["train_loss"] == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_mixed_precision_reaches_the_training():
    """Without a GPU it is refused; with one, the forward pass is in bfloat16."""
    with pytest.raises(UserError, match=r"training\.mixed_precision.*cuda"):
        small.train(mixed_precision=True)


def test_nothing_but_the_recipe_and_the_seed_changes_the_trained_network(usual):
    torch.manual_seed(5)
    assert small.same(usual.network, small.train(epochs=2).network)


@pytest.mark.parametrize("option", Recipe.model_fields)
def test_each_option_is_one_of_the_program(option, monkeypatch, tmp_path):
    value, name = OTHER[option], option.replace("_", "-")
    words = [f"--{name}" if value else f"--no-{name}"] if isinstance(value, bool) else [f"--{name}", str(value)]
    seen = []
    monkeypatch.setattr(train, "train", lambda _args, _members, recipe, *_: seen.append(recipe))
    monkeypatch.setattr(train, "StopSignal", lambda: None)
    given = {key: value for key, value in small.RECIPE.items() if key != option and not isinstance(value, bool)}
    base = [word for key, value in given.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    data = str(small.write_dataset(tmp_path / "d.h5"))
    train.main(["--data", data, "--depth", "8", "--seed", "1", "--out", f"{tmp_path}/o", *base, *words])
    assert seen == [small.recipe(**{option: value})]
