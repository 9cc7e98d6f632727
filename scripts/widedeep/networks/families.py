"""Families of networks, one file each: scripts/families/NAME.py, which a study names as `family`.

Such a file has a function

    build(depth, width, classes, channels, batchnorm_momentum) -> torch.nn.Module

whose result turns float32 (batch, channels, height, width) in [0, 1] into (batch, classes) logits. A build with one
more parameter, `image_size`, is also told (height, width). Every operation that is a module of its own is a layer: it
runs once in a forward pass, returns one tensor, and is defined where it runs; anything else is refused before the
training. Modules named `stage2.block3` give the stage borders of figures. Figure 4 asks for more: that the network is
`stem`, such blocks, `pool`, flatten and `logits`, one after the other, and that the blocks hold batch norms or
additions (networks.modules.Add).

Conv2d and Linear get He-normal initial weights and zero biases, as in the paper. All other modules keep what `build`
made of them with torch's random numbers, which follow from the network's name and seed. A file that says
`initialises_itself = True` keeps all weights that it made. Dropout and the like follow from the name and the step.

A file may also have `check_depth(depth)`, which raises UserError for impossible depths before anything runs, and
`title`, the family's name in figures (else the file's name). Files import torch inside `build`: they are also read
where no network is built.
"""

import functools
import importlib.util
from pathlib import Path

from widedeep.runtime.errors import UserError

FOLDER = Path(__file__).parents[2] / "families"


def names():
    """All families that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def path_of(name):
    """The file of a family.

    Raises:
        UserError: it has none.
    """
    if name not in names():
        raise UserError(f"family '{name}' is unknown; it must be one of {', '.join(names())}, the files in {FOLDER}.")
    return FOLDER / f"{name}.py"


def load(name):
    """The module of a family.

    Raises:
        UserError: it has no file, or the file has no function `build`.
    """
    path = path_of(name)
    spec = importlib.util.spec_from_file_location(f"families.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "build"):
        raise UserError(f"{path}: has no function build(depth, width, classes, channels, batchnorm_momentum); add it.")
    return module


def check_depth(name, depth):
    """Refuse a depth that a family does not have.

    Raises:
        UserError: from the family's own check, or there is no such family.
    """
    check = getattr(load(name), "check_depth", None)
    if check:
        check(depth)


@functools.cache
def title_of(name):
    """The name of a family in figures; of one without a file, its own."""
    return getattr(load(name), "title", name) if name in names() else name


def configuration_title(network):
    """`ResNet-14 6x, 25% of data` of a mapping with family, depth, width and fraction."""
    data = "" if network["fraction"] == 1 else f", {100 * network['fraction']:g}% of data"
    return f"{title_of(network['family'])}-{network['depth']} {network['width']:g}x{data}"
