"""A fingerprint of what a script computes with: its code and that of the modules it imports, without the words.

Snakemake does not notice an edit of an imported module, and a listed module would rerun days of training for a comment.
So each rule has its script's fingerprint as a parameter: it changes with the code, and not with comments, docstrings,
blank lines, or the time stamps of a fresh checkout.
"""

import ast
import functools
import hashlib
import io
import tokenize
from pathlib import Path

# How a script is called, how its files reach the disk and what is told of its run, not what it computes.
PLUMBING = frozenset({"command", "errors", "files", "interruption", "provenance"})


@functools.cache
def of_script(path, *more):
    """The first 16 hexadecimal digits of the SHA-256 of the script's code and, recursively, of its widedeep modules.

    Args:
        path: of a script beside the folder widedeep.
        more: files that the script loads by their path, as a family of networks.
    """
    scripts = [Path(path), *map(Path, more)]
    digest = hashlib.sha256()
    for module in [*scripts, *sorted(_modules(scripts))]:
        digest.update(module.name.encode() + b"\0" + code_of(module.read_text()).encode() + b"\0")
    return digest.hexdigest()[:16]


def code_of(source):
    """Python source without comments, docstrings and blank lines; the rest as it is written.

    The text is cut, not parsed and written anew, so that the result does not depend on the version of Python.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            docstring = node.body[0]
            for row in range(docstring.lineno - 1, docstring.end_lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _modules(scripts):
    """Paths of all widedeep modules that the scripts import, directly or not, but for the plumbing."""
    found, waiting = set(), list(scripts)
    while waiting:
        for name in _imported(ast.parse(waiting.pop().read_text())) - PLUMBING:
            module = scripts[0].parent / "widedeep" / f"{name}.py"
            if module.exists() and module not in found:
                found.add(module)
                waiting.append(module)
    return found


def _imported(tree):
    """Names of the widedeep modules that a syntax tree imports, at its top or inside functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "widedeep":
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("widedeep."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("widedeep."))
    return names
