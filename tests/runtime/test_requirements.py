"""The pins of the dependencies, which stand in three files."""

import re
from pathlib import Path

import yaml


def pins(lines):
    return {match[1] for line in lines if (match := re.match(r"\s*(?:- )?([a-z0-9-]+==[\w.]+)", line))}


def test_the_pins_of_conda_are_those_of_the_lock():
    direct = pins(Path("requirements.in").read_text().splitlines())
    lock = pins(Path("requirements.txt").read_text().splitlines())
    environment = yaml.safe_load(Path("environment.yml").read_text())
    conda = pins(next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)))
    assert conda == direct
    assert direct <= lock
