"""Names in the documentation: files, modules, rules and programs are those that there are."""

import importlib
import re
from pathlib import Path

import pytest

from widedeep.paper import FIGURES

# The change log tells of what was.
PAGES = [path for path in Path().glob("*.md") if path.name != "CHANGELOG.md"]
PAGES += [*Path("docs").rglob("*.md"), *Path("benchmarks").glob("*.md"), *Path("workflow/report").glob("*.rst")]
SOURCES = [path for folder in ("scripts", "workflow", "tests", "benchmarks") for path in Path(folder).rglob("*")]
SOURCES = [path for path in SOURCES if path.suffix in (".py", ".smk", ".js", ".yaml", ".toml")]
# A path from the top folder, whole: without a place to fill in.
FILE = re.compile(r"\b((?:scripts|tests|workflow|config|benchmarks|docs)/[\w./-]+\.(?:py|smk|yaml|json|md|rst|js))\b")
MODULE = re.compile(r"\b(widedeep(?:\.\w+)+)\b")
PACKAGES = [path.parent.name for path in Path("scripts/widedeep").glob("*/__init__.py")]
OF_PACKAGE = re.compile(rf"(?<![\w/])((?:{'|'.join(PACKAGES)})/(?:\w+/)*\w+\.py)\b")
# What readers, and tests, write themselves.
OWN = re.compile(r"mine|flowers|photos|NAME|scripts/(families|datasets)/(mlp|bars|own)")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_and_modules_that_a_page_names_are_there(page):
    text = page.read_text()
    missing = [name for name in FILE.findall(text) if not OWN.search(name) and not Path(name).exists()]
    assert missing + [name for name in MODULE.findall(text) if not is_there(name)] == []


def test_files_that_sources_name_are_there():
    missing = [
        (str(path), name)
        for path in SOURCES
        for name in OF_PACKAGE.findall(path.read_text())
        if not (Path("scripts/widedeep", name).exists() or Path("tests", name).exists())
    ]
    assert missing == []


def is_there(name):
    """Whether a dotted name is a module, or a module's attribute."""
    try:
        importlib.import_module(name)
        return True
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        try:
            return hasattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError:
            return False


def test_readme_names_the_rule_of_each_figure():
    text = Path("README.md").read_text()
    # What configs of other data sets reproduce is in rows of its own.
    rows = [row for row in re.findall(r"^\|.*\|$", text, re.MULTILINE) if "with `config" not in row]
    named = dict(found.groups() for row in rows if (found := re.search(r"\| ([\w-]+) \| `(\w+)`", row)))
    named.pop("-")
    assert named == {id: FIGURES[id].rule for id in named}
    assert len(named) > 15
