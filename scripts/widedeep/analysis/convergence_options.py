"""The options of appendix A: each once, for config, command line and documentation.

Without torch, since configs are read where nothing is computed.
"""

from typing import Annotated

from pydantic import Field

from widedeep.runtime.options import Options, unique


class ConvergenceOptions(Options):
    """On which minibatches the CKA of a network is computed (paper, appendix A)."""

    batch_sizes: unique(Annotated[int, Field(ge=4, le=1_000_000)]) = Field(
        [16, 64, 256], description="Numbers of examples a minibatch."
    )
    examples: int = Field(
        2048,
        ge=4,
        le=1_000_000,
        description="Number of examples, from the start of the test set; their Gram matrices are held in memory.",
    )
    passes: int = Field(10, ge=1, le=10_000, description="Passes over these examples.")
