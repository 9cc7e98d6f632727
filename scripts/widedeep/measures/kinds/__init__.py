"""The measures of similarity, one file each. A new measure is one new file here, and no other change.

The file `NAME.py` defines `MEASURE`, a measures.measure.Measure named NAME. From then on the config's list `measures`
and scripts/compute_measure.py accept NAME.

This module imports neither numpy nor a measure, since programs and the config list the names.
"""

import importlib
import pkgutil

from widedeep.runtime.errors import UserError

# The measures of all figures, which cka.h5 and files of pairs hold.
OF_FIGURES = ("cka", "deflated", "squared_cosine")


def names():
    """The names of all measures, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def further():
    """The names of the measures that only the config's list `measures` asks for, sorted."""
    return [name for name in names() if name not in OF_FIGURES]


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
