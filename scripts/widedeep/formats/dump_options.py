"""The options of a dump, and its size in bytes; without numpy, so that configs are read quickly."""

from typing import Literal

from pydantic import Field

from widedeep.runtime.options import Options


class DumpOptions(Options):
    """What a dump keeps of the activations, and on which minibatches of the test set."""

    form: Literal["gram", "raw", "raw16"] = Field(
        "gram",
        description="gram keeps one Gram matrix for each layer and minibatch, whatever the width; raw keeps the "
        "activations in float32, raw16 in float16.",
    )
    batch_size: int = Field(
        256, ge=4, le=100_000, description="Examples in a minibatch of CKA; incomplete minibatches are dropped."
    )
    passes: int = Field(10, ge=1, le=10_000, description="Passes over the test set, each in a new random order.")
    examples: int | None = Field(
        None,
        ge=4,
        le=1_000_000_000,
        description="Number of test examples in dumps and first components, the first ones of the test set; left out, "
        "all. Accuracies and predictions always use the whole test set.",
    )
    seed: int = Field(
        0, ge=0, le=1_000_000_000, description="Seed of the order of examples, the same for all networks."
    )


# Bytes of a value in the raw forms.
VALUE_BYTES = {"raw": 4, "raw16": 2}


def raw_bytes(form, features, examples):
    """Return the bytes of activations in a raw form, without HDF5's own.

    Args:
        form: `raw` or `raw16`.
        features: number of features of all layers together, for one image.
        examples: number of examples of all minibatches together, counting repeats.
    """
    return features * examples * VALUE_BYTES[form]


def gram_bytes(layers, batch_size, batches):
    """Return the bytes of Gram matrices with their diagonals, squared norms and scores, without HDF5's own.

    Args:
        layers: number of layers.
        batch_size: examples in a minibatch.
        batches: number of minibatches.
    """
    return layers * batches * (4 * batch_size * (batch_size - 1) // 2 + (4 + 8 + 4) * batch_size)
