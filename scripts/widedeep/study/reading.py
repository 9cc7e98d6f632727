"""Reads the text of a config, and refuses what readers of YAML take for different things.

Snakemake reads configs by itself: as JSON or, where that fails, as YAML 1.1, in which the last of two equal keys wins,
010 is eight and 1:30 is ninety. What is accepted here has the same values for Snakemake and for its author.
"""

import json
from pathlib import Path

import yaml

from widedeep.runtime.errors import UserError, shortened

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = frozenset({"null", "bool", "int", "float", "str", "seq", "map", "merge"})
# Which types YAML gives to texts without a tag.
_TYPES = yaml.resolver.Resolver()


def content(path):
    """Read the values in a config.

    Args:
        path: of a file with JSON or YAML.

    Returns:
        what the file holds, in a config a dict; None for an empty file

    Raises:
        UserError: the file cannot be read or is neither; or it has a key twice, a key that is no text, a number or date
            that YAML 1.1 reads in a way of its own, a tag, or an entry that holds itself.
    """
    try:
        return _parsed(Path(path).read_text(encoding="utf-8"))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise UserError(f"{path}: cannot be read ({reason}); give the path of a config.") from error
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:  # as for 0x without digits
        raise UserError(f"{path}: is not YAML ({shortened(str(error))}); see config/demo.yaml.") from error


def dotted(keys):
    """Write a path of keys and positions as `grid[0].depths[2]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in keys)
    return text.removeprefix(".")


def _parsed(text):
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except UserError:
        raise
    except ValueError:
        pass
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, (), (), set())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _each_once(pairs):
    """Return a dict of (key, value) of JSON."""
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UserError(f"config key {shortened(twice)} is given twice; remove one of them.")
    return result


def _check(node, keys, outer, seen):
    """Refuse what `content` does not accept in a node of YAML and below it.

    Args:
        node: yaml.Node.
        keys: path of keys and positions that leads to it.
        outer: the nodes that it is in.
        seen: set of checked nodes, which aliases may repeat.
    """
    if any(node is one for one in outer):
        raise _refusal(node, keys, "holds itself by an alias; write its content instead")
    if node in seen:
        return
    seen.add(node)
    tag = node.tag.removeprefix(_PREFIX)
    if tag == "timestamp":
        raise _refusal(node, keys, f"{node.value} is a date in YAML; put it into quotes")
    if tag not in _PLAIN or (isinstance(node, yaml.ScalarNode) and node.tag != _type_of(node)):
        raise _refusal(node, keys, f"has the tag {node.tag}, and configs have none; remove it")
    inner = (*outer, node)
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _check(item, (*keys, position), inner, seen)
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node, keys)
        for key, value in node.value:
            _check(value, (*keys, key.value), inner, seen)
    elif tag in ("int", "float"):
        _check_number(node, keys)


def _type_of(node):
    """Return the tag that YAML gives to a scalar as it is written: text in quotes or in a block is text."""
    return _TYPES.resolve(yaml.ScalarNode, node.value, (not node.style, True))


def _check_keys(node, keys):
    lines = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in (f"{_PREFIX}str", f"{_PREFIX}merge"):
            shown = (key.value or "nothing") if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise _refusal(key, keys, f"{shown} is a key and no text in YAML; put it into quotes")
        if key.value in lines:
            raise _refusal(
                key,
                (*keys, key.value),
                f"is given twice, first in line {lines[key.value]}, and only one can count; remove one of them",
            )
        lines[key.value] = key.start_mark.line + 1


def _check_number(node, keys):
    digits = node.value.replace("_", "").lstrip("+-")
    if ":" in digits:
        raise _refusal(node, keys, f"{node.value} is a number of base 60 in YAML; write it out, or put it into quotes")
    if node.tag == f"{_PREFIX}int" and len(digits) > 1 and digits[0] == "0" and digits.isdecimal():
        raise _refusal(
            node, keys, f"{node.value} is an octal number, {int(digits, 8)}, in YAML; write it without leading zeros"
        )


def _refusal(node, keys, reason):
    key = f"config key {dotted(keys)}" if keys else "the config"
    return UserError(shortened(f"line {node.start_mark.line + 1}: {key}: {reason}") + ".")
