"""What is known of a layer, without torch."""

from dataclasses import dataclass

# dense: a linear layer that is not the last one; other: what a family of one's own may have.
KINDS = ("conv", "bn", "relu", "add", "pool", "dense", "other", "logits")


@dataclass(frozen=True)
class LayerInfo:
    """One layer as files describe it.

    Attributes:
        name: of the module, as `stage2.block3.add`.
        kind: one of KINDS.
        stage, block: 0 outside the stages.
        shape: of one example's output, as (channels, height, width).
    """

    name: str
    kind: str
    stage: int
    block: int
    shape: tuple
