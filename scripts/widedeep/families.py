"""Families of networks, one file each: scripts/families/NAME.py, which a study names as `family`.

Such a file has a function

    build(depth, width, classes, channels, batchnorm_momentum) -> torch.nn.Module

whose result turns float32 (batch, channels, height, width) in [0, 1] into (batch, classes) logits. Every operation
that is a module of its own is a layer, in the order in which the modules are defined. Modules named `stage2.block3`
give the stage borders of figures, and figure 4. A function `check_depth(depth)` may raise UserError for impossible
depths before anything runs. Files import torch inside `build`: they are also read where no network is built.
"""

import importlib.util
from pathlib import Path

from widedeep.errors import UserError

FOLDER = Path(__file__).parents[1] / "families"


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
        UserError: it has no file, or the file no function build.
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
        UserError: as the family says, or there is no such family.
    """
    check = getattr(load(name), "check_depth", None)
    if check:
        check(depth)
