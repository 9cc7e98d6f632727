"""The pins of the dependencies, which stand in several files."""

import re
from pathlib import Path

import yaml


def pins(lines):
    return {match[1] for line in lines if (match := re.match(r"\s*(?:- )?([a-z0-9-]+==[\w.]+)", line))}


def locked(path):
    """The versions of each package in a lock: one, or several for several versions of Python."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", Path(path).read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_the_pins_of_conda_are_those_of_the_lock():
    direct = pins(Path("requirements.in").read_text().splitlines())
    lock = pins(Path("requirements.txt").read_text().splitlines())
    environment = yaml.safe_load(Path("environment.yml").read_text())
    conda = pins(next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)))
    assert conda == direct
    assert direct <= lock


def test_tests_run_with_the_packages_of_the_workflow():
    direct = pins(Path("tests/requirements.in").read_text().splitlines())
    lock = locked("tests/requirements.txt")
    assert direct <= pins(Path("tests/requirements.txt").read_text().splitlines())
    of_the_workflow = locked("requirements.txt")
    both = lock.keys() & of_the_workflow.keys()
    assert len(both) > 20
    assert {name: lock[name] for name in both} == {name: of_the_workflow[name] for name in both}
