"""The page of licences, and what is locked."""

import importlib.metadata
import re
from pathlib import Path


def canonical(name):
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name.strip().lower())


def test_every_package_of_the_locks_that_is_installed_is_on_the_page():
    locks = Path("requirements.txt").read_text() + Path("tests/requirements.txt").read_text()
    locked = {canonical(name) for name in re.findall(r"^([\w.-]+)==", locks, re.MULTILINE)}
    installed = {canonical(found.name): found.version for found in importlib.metadata.distributions()}
    lines = [line.split(" | ") for line in Path("docs/licences.md").read_text().splitlines() if line.startswith("| ")]
    listed = {canonical(line[0].removeprefix("| ")): line[1] for line in lines}
    assert len(locked & installed.keys()) > 120
    assert {name: installed[name] for name in locked & installed.keys()} == {
        name: version for name, version in listed.items() if name in locked & installed.keys()
    }
