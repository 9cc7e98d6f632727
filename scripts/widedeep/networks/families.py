"""Families of networks, one file each: scripts/families/NAME.py. A config names the family in `grid[].family`.

A family's file has a function

    build(depth, width, classes, channels, batchnorm_momentum) -> torch.nn.Module

The network maps float32 images (batch, channels, height, width) in [0, 1] to logits (batch, classes). If `build` has
one more parameter, `image_size`, it gets (height, width).

Layers: each module without submodules is a layer. It must run exactly once in a forward pass, return one tensor with a
row for each image, and be defined in the order in which it runs. Other networks are refused before their training.
Modules named `stage2.block3` are residual blocks and mark the stage borders in figures. Figure 4 needs networks of
`stem`, such blocks, `pool`, flatten and `logits`, in this order, whose blocks hold batch norms or additions
(networks.modules.Add).

Initial weights: Conv2d and Linear get He-normal weights and zero biases, as in the paper. Other modules keep the
weights that `build` gave them; torch's random numbers in `build` follow from the network's name and seed. With
`initialises_itself = True` in the file, all modules keep their weights. Random numbers in the forward pass, as of
dropout, follow from the network's name, its seed and the step.

Two names in the file are optional. `check_depth(depth)` raises UserError for an impossible depth before anything runs.
`title` is the family's name in figures; without it, that is the name of the file. The file imports torch inside
`build`, since it is also read where no network is built.
"""

import functools
import importlib.util
from pathlib import Path

from widedeep.runtime.errors import UserError

FOLDER = Path(__file__).parents[2] / "families"


def names():
    """Return the sorted names of all families that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def path_of(name):
    """Return the path of a family's file.

    Raises:
        UserError: there is no such file.
    """
    if name not in names():
        raise UserError(f"family '{name}' is unknown; it must be one of {', '.join(names())}, the files in {FOLDER}.")
    return FOLDER / f"{name}.py"


def load(name):
    """Run a family's file and return its module.

    Raises:
        UserError: there is no such file, or it has no function `build`.
    """
    path = path_of(name)
    spec = importlib.util.spec_from_file_location(f"families.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "build"):
        raise UserError(f"{path}: has no function build(depth, width, classes, channels, batchnorm_momentum); add it.")
    return module


def check_depth(name, depth):
    """Refuse a depth that is impossible for a family.

    Raises:
        UserError: the family's own check refuses it, or there is no such family.
    """
    check = getattr(load(name), "check_depth", None)
    if check:
        check(depth)


@functools.cache
def title_of(name):
    """Return the name of a family in figures; for a family without a file, `name` itself."""
    return getattr(load(name), "title", name) if name in names() else name


def configuration_title(configuration):
    """Return the name of a configuration in figures, as `ResNet-14 6x, 25% of data`.

    Args:
        configuration: mapping with family, depth, width and fraction.
    """
    family, depth, width, fraction = (configuration[key] for key in ("family", "depth", "width", "fraction"))
    data = "" if fraction == 1 else f", {100 * fraction:g}% of data"
    return f"{title_of(family)}-{depth} {width:g}x{data}"
