"""The recipes of networks and of linear probes: each option once, for config, command line and documentation.

Without torch, since configs are read where nothing is trained.
"""

from typing import Literal

from pydantic import Field

from widedeep.runtime.options import Options


class Recipe(Options):
    """How networks are trained (paper, section 3, and the authors' code). The defaults are the paper's on CIFAR-10."""

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


class ProbeOptions(Options):
    """How linear probes are trained (paper, figure 4, and the authors' code): SGD without L2 penalty."""

    epochs: int = Field(300, ge=1, le=1_000_000, description="Passes over the network's training images.")
    batch_size: int = Field(
        128, ge=1, le=1_000_000, description="Examples in a step; the last, incomplete batch of an epoch is dropped."
    )
    learning_rate: float = Field(0.01, gt=0, le=1000, description="Constant learning rate of SGD.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    pool: bool = Field(False, description="Max-pool the output of each layer 2 x 2 before its probe.")


class ProbeRecipe(ProbeOptions):
    """The options of probes, and the augmentation of their training images, which is the network's."""

    flip: bool = Field(True, description="Mirror a random half of the training images left to right.")
