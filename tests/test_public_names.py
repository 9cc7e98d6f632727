"""What `widedeep` itself offers: its names, found on first use, and its version."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import widedeep

NAMES = {
    "LayerSimilarity": "widedeep.measures.result",
    "MinibatchCKA": "widedeep.measures.cka",
    "cka": "widedeep.measures.cka",
    "find_block": "widedeep.analysis.block_structure",
    "layer_cka": "widedeep.measures.layer_similarity",
    "layer_similarity": "widedeep.measures.layer_similarity",
}


def in_a_new_process(program):
    """Run a program as a user of the library would. Returns (status, what it printed, its errors)."""
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, cwd="scripts")
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_that_of_its_module(name):
    assert getattr(widedeep, name) is getattr(importlib.import_module(NAMES[name]), name)
    assert getattr(widedeep, name) is getattr(widedeep, name)


def test_modules_of_the_same_names_stay_modules():
    functions = widedeep.cka, widedeep.layer_similarity
    modules = importlib.import_module("widedeep.measures.cka"), importlib.import_module(NAMES["layer_similarity"])
    assert all(map(inspect.isfunction, functions))
    assert all(map(inspect.ismodule, modules))
    assert functions == (widedeep.cka, widedeep.layer_similarity)
    measures = importlib.import_module("widedeep.measures")
    assert modules == (measures.cka, measures.layer_similarity)


def test_names_are_listed_for_readers_and_for_type_checkers():
    assert set(widedeep.__all__) == set(NAMES)
    # Names that were used are in every list.
    _, listed, _ = in_a_new_process("import widedeep; print(*dir(widedeep))")
    assert set(NAMES) | {"__version__"} <= set(listed.split())
    stub = ast.parse(Path("scripts/widedeep/__init__.pyi").read_text())
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    # Type checkers take `import x as x` for public.
    assert {alias.asname: node.module for node in imports for alias in node.names} == NAMES
    assert all(alias.name == alias.asname for node in imports for alias in node.names)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'widedeep' has no attribute 'ckaa'"):
        widedeep.ckaa  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'ckaa'"):
        exec("from widedeep import ckaa")


def test_nothing_is_imported_before_it_is_used():
    heavy = "print(sorted({'numpy', 'torch'} & {*sys.modules}))"
    program = f"import sys, widedeep; {heavy}; from widedeep import cka, MinibatchCKA, find_block; {heavy}"
    assert in_a_new_process(program) == (0, "[]\n['numpy']\n", "")


@pytest.mark.parametrize("name", ["layer_cka", "layer_similarity"])
def test_without_torch_the_error_says_how_to_install_it(name):
    status, _, errors = in_a_new_process(f"import sys; sys.modules['torch'] = None; from widedeep import {name}")
    assert status == 1
    last = errors.splitlines()[-1]
    assert last.startswith(f"ImportError: widedeep.{name} ")
    assert 'pip install "layer-similarity[torch]"' in last


def test_another_missing_module_is_not_taken_for_torch():
    status, _, errors = in_a_new_process("import sys; sys.modules['numpy'] = None; from widedeep import layer_cka")
    assert status == 1
    assert "layer-similarity[torch]" not in errors
    assert "import of numpy halted" in errors.splitlines()[-1]


def test_the_citation_has_the_version():
    assert yaml.safe_load(Path("CITATION.cff").read_text())["version"] == widedeep.__version__
