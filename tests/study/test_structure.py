"""The structure of the repository: directions of imports, sizes of files, tests beside what they test."""

import ast
import re
from pathlib import Path

import pytest
from tracked import tracked

LIBRARY = Path("scripts/widedeep")
# A package imports those before it, and itself.
ORDER = (
    "runtime",
    "networks",
    "measures",
    "formats",
    "data",
    "training",
    "analysis",
    "findings",
    "figures",
    "study",
    "planning",
)
# Modules that import nothing of the project, and that all may import.
RECORDS = ("names", "paper")
MOST_LINES = 400
SOURCES = ("scripts", "workflow", "tests", "benchmarks")
ENDINGS = (".py", ".smk", ".js", ".css", ".html")
# Folders of tests that stand for no package of the library.
OTHER_TESTS = ("workflow", "slurm", "fuzz", "gpu")


def module_of(path):
    """The dotted name of a file of the library, below widedeep."""
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path): path for path in sorted(LIBRARY.rglob("*.py"))}


def imports_of(path):
    """Modules of the library that a file imports, anywhere in it, by their names below widedeep."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    inside = (name.removeprefix("widedeep.") for name in found if name.startswith("widedeep."))
    # A name that is imported from a module, or the module itself.
    return {name if name in MODULES else name.rpartition(".")[0] for name in inside}


IMPORTS = {name: imports_of(path) for name, path in MODULES.items()}


def package_of(name):
    return name.partition(".")[0]


def test_the_packages_are_those_in_the_order():
    assert {package_of(name) for name in MODULES if name} == {*ORDER, *RECORDS}


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_a_module_imports_packages_before_its_own(name):
    package = package_of(name)
    allowed = {*RECORDS, *ORDER[: ORDER.index(package) + 1]} if package in ORDER else set()
    assert {package_of(imported) for imported in IMPORTS[name]} <= allowed


def test_no_two_modules_import_each_other():
    """Nor more in a circle. A package's own file is imported with each of its modules, so it is left out."""
    graph = {name: {other for other in found if other != name} for name, found in IMPORTS.items()}
    while graph:
        ends = {name for name, found in graph.items() if not found & graph.keys()}
        assert ends, f"a circle among {sorted(graph)}"
        graph = {name: found for name, found in graph.items() if name not in ends}


def test_every_package_and_module_says_what_it_holds():
    for name, path in MODULES.items():
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        assert docstring, f"{name} has no docstring"
        if path.name == "__init__.py" and path.parent.parent == LIBRARY:
            assert "mports" in docstring, f"{name} does not say what it imports"


def test_no_file_is_longer_than_one_sitting():
    paths = [path for path in tracked(*SOURCES) if path.suffix in ENDINGS]
    assert len(paths) > 200
    long = {str(path): lines for path in [*paths, Path("Snakefile")] if (lines := lines_of(path)) > MOST_LINES}
    assert long == {}


def lines_of(path):
    return len(path.read_text().splitlines())


def test_tests_are_in_folders_named_like_what_they_test():
    folders = {path.parts[1] for path in tracked("tests") if len(path.parts) > 2}
    assert folders <= {*ORDER, *OTHER_TESTS}
    assert {*ORDER} <= folders


def test_a_test_file_says_what_it_tests_and_has_a_name_of_its_own():
    files = [path for path in tracked("tests") if re.fullmatch(r"test_\w+\.py", path.name)]
    names = [path.name for path in files]
    assert len({*names}) == len(names), "pytest takes two files of one name for one"
    for path in files:
        assert ast.get_docstring(ast.parse(path.read_text())), path
