"""The measures of similarity, one file each. A new measure is one new file here, and no other change.

The file `NAME.py` defines `MEASURE`, a measures.measure.Measure named NAME. From then on the option --measures of
scripts/compute_cka.py and scripts/compute_pairs.py accepts NAME, and the results are stored under that name.

This module imports neither numpy nor a measure, since the programs list the names in their help.
"""

import importlib
import pkgutil

from widedeep.runtime.errors import UserError


def names():
    """The names of all measures, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def named(name):
    """The Measure of a name.

    Raises:
        UserError: no file has that name, or its MEASURE has another one.
    """
    if name not in names():
        raise UserError(f"measure '{name}' is unknown; it must be one of {', '.join(names())}.")
    module = importlib.import_module(f"{__name__}.{name}")
    if module.MEASURE.name != name:
        raise UserError(f"{module.__file__}: its MEASURE is named '{module.MEASURE.name}'; name it '{name}'.")
    return module.MEASURE


def add_option(parser):
    """Add --measures to the command line of a program that writes a file of similarities."""
    parser.add_argument(
        "--measures",
        nargs="+",
        default=[],
        choices=names(),
        metavar="NAME",
        help=f"further measures to store, beside those that figures need (choices: {', '.join(names())})",
    )
