"""The options of linear probes: each once, for config, command line and documentation.

Without torch, since configs are read where nothing is trained.
"""

from pydantic import Field

from widedeep.runtime.options import Options


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
