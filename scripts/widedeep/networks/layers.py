"""The description of a layer in files; without torch."""

from dataclasses import dataclass

# dense: a linear layer other than the last one; other: any further module of a user's own family.
KINDS = ("conv", "bn", "relu", "add", "pool", "dense", "other", "logits")


@dataclass(frozen=True)
class LayerInfo:
    """One layer as files describe it.

    Attributes:
        name: of the module, as `stage2.block3.add`.
        kind: one of KINDS.
        stage, block: numbers of its stage and residual block; 0 outside the stages.
        shape: of the output for one example, as (channels, height, width).
    """

    name: str
    kind: str
    stage: int
    block: int
    shape: tuple


@dataclass(frozen=True)
class LayerOutput:
    """One layer of any torch network, as results of `layer_similarity` describe it.

    Attributes:
        name: of the module, as `layer1.0.conv1`; a further call of a module has #2, #3 and so on.
        kind: class of the module, as `Conv2d`.
        shape: of its output for one example.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
