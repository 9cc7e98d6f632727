"""The form of sentences for users: each is one sentence that names a file, key, option or number.

What a sentence names in a case is a test of the module that says it; `pytest --unvisited-errors` lists the sentences
that no test provoked (CONTRIBUTING.md).
"""

import ast
import re
from pathlib import Path

import pytest

# A value, an option, a key of the config, a function, a figure, or a program at the start.
NAMED = re.compile(r"\{\}|--[a-z]|\b[a-z]+[._][a-z0-9_]+\b|\w\(\)|figure \d|^\w+: ")


def sentences():
    """(place, text) of every raised UserError, {} for each value; those that pass another one on are left out."""
    for path in Path("scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            raised = getattr(getattr(node.exc, "func", None), "id", None) if isinstance(node, ast.Raise) else None
            if raised in ("UserError", "MayBeWhole"):
                text = form(node.exc.args[0])
                if text is not None:
                    yield f"{path}:{node.lineno}", text


def form(node):
    """The text of a string's syntax node; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join("{}" if isinstance(part, ast.FormattedValue) else part.value for part in node.values)
    return None


def is_well_formed(text):
    return bool(NAMED.search(text)) and text.endswith((".", "{}")) and "\n" not in text and len(text) < 320


def test_every_sentence_is_one_that_names_something():
    found = dict(sentences())
    assert len(found) > 100
    assert {place: text for place, text in found.items() if not is_well_formed(text)} == {}


@pytest.mark.parametrize("text", ["it failed.", "{}: is no PNG", "{}: is no PNG.\nMake it again.", "{} " * 200 + "."])
def test_a_sentence_of_another_form_is_noticed(text):
    assert not is_well_formed(text)
