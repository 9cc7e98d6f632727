"""The training recipe: each option once, for config, command line and documentation.

Without torch, since configs are read where nothing is trained.
"""

import math
from typing import Literal

from pydantic import Field

from widedeep.runtime.options import Options


class Recipe(Options):
    """How networks are trained (paper, section 3, and the authors' code). The defaults are the paper's on CIFAR-10.

    The default of a new option leaves trainings as they were: files from before count as having it.
    """

    epochs: int = Field(
        300, ge=1, le=1_000_000, description="Passes over the training set, the same number for every fraction."
    )
    batch_size: int = Field(
        128, ge=1, le=1_000_000, description="Examples in a step; the last, incomplete batch of an epoch is dropped."
    )
    learning_rate: float = Field(
        0.01, gt=0, le=1000, description="Learning rate at the start; it decays to 0 along half a cosine."
    )
    schedule: Literal["epoch", "step"] = Field(
        "epoch", description="The learning rate changes after each epoch (CIFAR) or after each step (ImageNet)."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    l2: float = Field(
        1e-4,
        ge=0,
        le=1000,
        description="The penalty l2 * ||w||^2 is added to the loss, for convolution and dense kernels only.",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of each label that is spread evenly over all classes in the training loss."
    )
    batchnorm_momentum: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Weight of the new batch in the running means (torch's convention; 0.01 is Keras' 0.99).",
    )
    flip: bool = Field(
        True, description="Mirror a random half of the training images left to right; not for digits and letters."
    )
    mixed_precision: bool = Field(
        False, description="Compute forward pass and loss in bfloat16 where that is safe; on cuda devices only."
    )


class Checkpoints(Options):
    """How often the state of a training is saved."""

    checkpoint_minutes: float = Field(10, ge=0, le=1_000_000, description="Wall-clock minutes between two checkpoints.")


def epochs_between_evaluations(train_examples, test_examples):
    """Return after how many epochs the test set is evaluated, so that evaluations add at most a tenth to the time.

    Evaluating an example costs a third of training on it. On a small fraction of the training set, an evaluation after
    every epoch would cost more than the training.
    """
    return math.ceil(10 * test_examples / (3 * train_examples))


def settings_of(network_name, recipe, data_checksum):
    """Return the settings that identify a training, a JSON-able dict; a checkpoint with others is not resumed.

    Args:
        network_name: names.Network.
        recipe: recipe.Recipe.
        data_checksum: of the training split.
    """
    configuration, seed = network_name.configuration, network_name.seed
    return {"model": str(configuration), "seed": seed, "data_checksum": data_checksum, **recipe.model_dump()}
