"""Options that are written once, for the config, the command line and the documentation.

An option is a field of a subclass of `Options`, with its type, default, bounds and description.
"""

import argparse
import re
import shlex
import types
import typing

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticUndefined

from widedeep.runtime.errors import UserError, shortened

# Numbers as 1e-3: text to YAML 1.1, as Snakemake reads it, which wants a point and a sign (1.0e-3).
_SCIENTIFIC = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+", re.ASCII)


class Options(BaseModel):
    """Base class: unknown options are refused, numbers are finite, and no text but 1e-3 and its like is a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _from_scientific(cls, value, info):
        if not _takes_floats(cls.model_fields[info.field_name].annotation):
            return value
        return [_number(item) for item in value] if isinstance(value, list) else _number(value)


def add_arguments(parser, options, without=()):
    """Add the options of a class to a command line: --batch-size for `batch_size`.

    Args:
        parser: argparse.ArgumentParser, or a group of its arguments.
        options: subclass of Options.
        without: names of fields to leave out.
    """
    for name, field in options.model_fields.items():
        if name not in without:
            parser.add_argument(flag(name), dest=name, **_argument(field))


def from_arguments(options, args):
    """Return the options of a class from a parsed command line.

    Args:
        options: subclass of Options.
        args: argparse.Namespace; fields that it lacks keep their defaults.

    Raises:
        UserError: an option is out of bounds; the first one is named.
    """
    given = {name: getattr(args, name) for name in options.model_fields if hasattr(args, name)}
    try:
        return options(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{flag(str(first['loc'][0]))}: {sentence(first)}.") from None


def words(options, without=()):
    """Return options as words of a command line, sorted by name, so that the order in a config does not matter.

    Options that are None are left out.

    Args:
        options: an instance of a subclass of Options.
        without: names of fields to leave out.
    """
    values = {name: value for name, value in options if name not in without and value is not None}
    return " ".join(option(name, values[name]) for name in sorted(values))


def option(name, value):
    """Return one option as words of a command line; true and false become --name and --no-name."""
    if isinstance(value, bool):
        return flag(name) if value else flag(f"no_{name}")
    values = value if isinstance(value, list | tuple) else [value]
    return " ".join([flag(name), *(shlex.quote(str(item)) for item in values)])


def flag(name):
    """Return the flag of an option: `--batch-size` for `batch_size`."""
    return f"--{name.replace('_', '-')}"


def unique(kind, least=1):
    """Return the type of a list of `kind`, with at least so many items and no item twice."""
    return typing.Annotated[
        list[kind], Field(min_length=least, json_schema_extra={"uniqueItems": True}), AfterValidator(_each_once)
    ]


def sentence(error):
    """Return the part of a sentence that describes one of pydantic's errors: the value expected and the value found.

    Args:
        error: dict of ValidationError.errors().
    """
    expected = error["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    found = "" if error["type"] == "missing" else f", and is {shortened(repr(error['input']))}"
    return f"{expected[:1].lower()}{expected[1:]}{found}"


def _argument(field):
    """Return the keyword arguments of add_argument for one of pydantic's fields."""
    required = field.default is PydanticUndefined
    shown = "" if required or field.default is None else f" (default: {_shown(field.default)})"
    common = {"help": f"{field.description.rstrip('.')}{shown}".replace("%", "%%")}
    common |= {"required": True} if required else {"default": field.default}
    kind = kind_of(field.annotation)
    if kind is bool:
        return {**common, "action": argparse.BooleanOptionalAction}
    if typing.get_origin(kind) is typing.Literal:
        return {**common, "choices": typing.get_args(kind)}
    if typing.get_origin(kind) is list:
        return {**common, "nargs": "+", "type": kind_of(typing.get_args(kind)[0])}
    return {**common, "type": kind}


def kind_of(annotation):
    """Return the type of an annotation without `| None` and without bounds, as `list[int]` of a list of integers."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = (part for part in typing.get_args(annotation) if part is not type(None))
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def _takes_floats(annotation):
    """Whether a type is float, or a list or union of floats."""
    return annotation is float or any(map(_takes_floats, typing.get_args(annotation)))


def _number(value):
    return float(value) if isinstance(value, str) and _SCIENTIFIC.fullmatch(value) else value


def _each_once(values):
    if len({*values}) < len(values):
        raise ValueError("holds an item twice")
    return values


def _shown(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value
