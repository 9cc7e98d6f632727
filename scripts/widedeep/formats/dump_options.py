"""What a dump keeps of the activations, and on which minibatches; without numpy, since a config is read quickly."""

from typing import Literal

from pydantic import Field

from widedeep.runtime.options import Options


class DumpOptions(Options):
    """What is kept of the activations, and on which minibatches of the test set."""

    form: Literal["gram", "raw", "raw16"] = Field(
        "gram",
        description="gram keeps a Gram matrix a layer and minibatch, whatever the width; raw keeps the activations in "
        "float32, raw16 in float16.",
    )
    batch_size: int = Field(
        256, ge=4, le=100_000, description="Examples a minibatch of CKA; incomplete ones are dropped."
    )
    passes: int = Field(
        10, ge=1, le=10_000, description="How often the test set is gone through, each time in a fresh order."
    )
    examples: int | None = Field(
        None,
        ge=4,
        le=1_000_000_000,
        description="Dumps and first components are of the first so many of the test set; left out, of all of it. "
        "Accuracies and predictions are of the whole test set.",
    )
    seed: int = Field(
        0, ge=0, le=1_000_000_000, description="Seed of the order of examples, the same for all networks."
    )


# Bytes of a value in the raw forms.
VALUE_BYTES = {"raw": 4, "raw16": 2}


def raw_bytes(form, features, examples):
    """Bytes that activations take in a raw form, without what HDF5 adds.

    Args:
        form: `raw` or `raw16`.
        features: of all layers together, for one image.
        examples: of all minibatches together, repeats counted.
    """
    return features * examples * VALUE_BYTES[form]


def gram_bytes(layers, batch_size, batches):
    """Bytes that Gram matrices take, with their diagonals, squared norms and scores, without what HDF5 adds.

    Args:
        layers: their number.
        batch_size: examples a minibatch.
        batches: number of minibatches.
    """
    return layers * batches * (4 * batch_size * (batch_size - 1) // 2 + (4 + 8 + 4) * batch_size)
