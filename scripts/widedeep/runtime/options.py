"""Groups of options, written once: a section of a config, a group of a command line, and an entry of the reference.

An option is a field of a class below `Options`: its type, default, bounds and description are all that config, command
line and documentation need.
"""

import argparse
import shlex
import types
import typing

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticUndefined

from widedeep.runtime.errors import UserError, shortened


class Options(BaseModel):
    """Options with nothing unknown beside them; a number is a number and not a text, and finite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def add_arguments(parser, options, without=()):
    """Add the options of a class to a command line, as --batch-size for `batch_size`.

    Args:
        parser: argparse's parser, or a group of it.
        options: class below Options.
        without: names of fields to leave out.
    """
    for name, field in options.model_fields.items():
        if name not in without:
            parser.add_argument(flag(name), dest=name, **_argument(field))


def from_arguments(options, args):
    """The options of a class from a parsed command line.

    Raises:
        UserError: it names the first option that is out of bounds.
    """
    given = {name: getattr(args, name) for name in options.model_fields if hasattr(args, name)}
    try:
        return options(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{flag(str(first['loc'][0]))}: {sentence(first)}.") from None


def words(options, without=()):
    """The options as words of a command line, in the order of their names, whatever order a config has them in.

    Options without a value are left out.
    """
    values = {name: value for name, value in options if name not in without and value is not None}
    return " ".join(option(name, values[name]) for name in sorted(values))


def option(name, value):
    """One option as words of a command line; true and false become --name and --no-name."""
    if isinstance(value, bool):
        return flag(name) if value else flag(f"no_{name}")
    values = value if isinstance(value, list | tuple) else [value]
    return " ".join([flag(name), *(shlex.quote(str(item)) for item in values)])


def flag(name):
    """`--batch-size` for `batch_size`."""
    return f"--{name.replace('_', '-')}"


def sentence(error):
    """What is wrong with a value, in a few words, for one of pydantic's errors: what is expected, and what was found."""
    expected = error["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    found = "" if error["type"] == "missing" else f", and is {shortened(repr(error['input']))}"
    return f"{expected[:1].lower()}{expected[1:]}{found}"


def _argument(field):
    """The keywords of add_argument for a field."""
    required = field.default is PydanticUndefined
    shown = "" if required or field.default is None else f" (default: {_shown(field.default)})"
    common = {"help": f"{field.description.rstrip('.')}{shown}".replace("%", "%%")}
    common |= {"required": True} if required else {"default": field.default}
    kind = kind_of(field.annotation)
    if kind is bool:
        return {**common, "action": argparse.BooleanOptionalAction, "help": field.description.rstrip(".")}
    if typing.get_origin(kind) is typing.Literal:
        return {**common, "choices": typing.get_args(kind)}
    if typing.get_origin(kind) is list:
        return {**common, "nargs": "+", "type": kind_of(typing.get_args(kind)[0])}
    return {**common, "type": kind}


def kind_of(annotation):
    """The type itself of one that may be None, and of one with bounds; of a list that of its items."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = (part for part in typing.get_args(annotation) if part is not type(None))
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def _shown(value):
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value
