"""The description of layers in files, and the outputs of residual blocks among them; without torch."""

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


def outputs(layers):
    """Leave one layer of each residual block, its output: the last one, without those of its shortcut.

    Args:
        layers: list of LayerInfo or tracing.Layer, in forward order.

    Returns:
        list of these, with all layers outside residual blocks
    """
    own = (layer for layer in layers if layer.block and "shortcut" not in layer.name.split("."))
    last = {(layer.stage, layer.block): layer.name for layer in own}
    return [layer for layer in layers if not layer.block or last.get((layer.stage, layer.block)) == layer.name]
