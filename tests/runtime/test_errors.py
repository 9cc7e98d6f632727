"""Texts of others in messages: on one line, without what a terminal obeys, and short."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widedeep.runtime import endings
from widedeep.runtime.errors import UserError, first_line, printable, shortened


@given(st.text())
def test_any_text_becomes_one_printable_line(text):
    for line in (printable(text), shortened(text), first_line(text), endings.error_line(UserError(text))):
        assert line.isprintable()
        line.encode()
    assert len(shortened(text)) <= 203
    assert len(first_line(text)) <= 203
    if text.isprintable():
        assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("\u202e", "\\u202e"), ("\ud800", "\\ud800"), ("é  ü", "é  ü")],
)
def test_what_a_terminal_obeys_is_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(("value", "line"), [("", "str"), (ValueError(), "ValueError"), ("a\nb", "a"), (12, "12")])
def test_a_first_line_is_never_empty(value, line):
    assert first_line(value) == line


def test_a_program_ends_with_one_line_whatever_its_message_quotes():
    code = (
        "from widedeep.runtime import command, errors\n"
        "def main(): raise errors.UserError('a: b\\n\\x1b[31m\\ud800')\n"
        "command.run(main)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=Path("scripts").resolve(), capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (1, "error: a: b\\n\\x1b[31m\\ud800\n")
