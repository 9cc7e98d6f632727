"""Fingerprint of a script: a hash of its code and of the modules that it imports, without comments and docstrings.

Snakemake does not notice an edit of an imported module; and if modules were inputs, a comment would rerun days of
training. So each rule has the fingerprint of its script as a parameter. Comments, docstrings, blank lines, and the time
stamps of a fresh checkout never trigger reruns.
"""

import ast
import functools
import hashlib
import io
import tokenize
from pathlib import Path

# Left out of the package widedeep, since they decide no result: the package that calls programs, writes files and
# records runs, and the file with the version and the names that users of the library import.
PLUMBING = ("runtime", "__init__.py")
# Arguments that describe options for their users.
DESCRIBING = ("description", "help")


@functools.cache
def of_script(path, *more):
    """Fingerprint of a script with all modules that it imports, directly or not.

    Args:
        path: of a script in the folder that holds the folder widedeep, or below it.
        more: paths of files that the script loads by name, such as a family of networks.

    Returns:
        first 16 hexadecimal digits of a SHA-256
    """
    scripts = [Path(path), *map(Path, more)]
    digest = hashlib.sha256()
    for module in [*scripts, *sorted(_modules(scripts))]:
        code, _ = _parsed(module.read_text(encoding="utf-8"))
        if code:
            digest.update(module.name.encode() + b"\0" + code.encode() + b"\0")
    return digest.hexdigest()[:16]


def code_of(source):
    """Remove comments, docstrings and blank lines from Python source; the rest stays as it is written.

    The source is not unparsed from its syntax tree, so the result does not depend on the version of Python.
    """
    return _parsed(source)[0]


# Most rules import the same modules, and each job of a study reads all rules.
@functools.cache
def _parsed(source):
    """(code, imports): the result of code_of, and a set of (level, dotted name) that the source imports."""
    lines = source.splitlines()
    in_strings = set()  # rows that end inside a string, where white space counts
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        first, last = token.start[0], token.end[0]
        if token.type == tokenize.COMMENT:
            lines[first - 1] = lines[first - 1][: token.start[1]]
        elif first != last and token.type not in (tokenize.NEWLINE, tokenize.NL):
            in_strings.update(range(first, last))
    imports, words = set(), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imports.update((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module or ''}.{alias.name}".strip(".") for alias in node.names)]
            imports.update((node.level, name) for name in names)
        elif (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            words.append(node.body[0])
        elif isinstance(node, ast.keyword) and node.arg in DESCRIBING and isinstance(node.value, ast.Constant):
            words.append(node.value)
    # From the end, since a cut moves what follows in its line.
    for node in sorted(words, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        in_strings -= _cut(lines, node)
    kept = (line if row in in_strings else line.rstrip() for row, line in enumerate(lines, 1))
    code = "\n".join(line for row, line in enumerate(kept, 1) if line or row in in_strings)
    return code, frozenset(imports)


def _cut(lines, node):
    """Remove a syntax node from lines of source, and keep what else is in its rows. Returns the set of its rows."""
    first, last = node.lineno - 1, node.end_lineno - 1
    # Columns of syntax trees count bytes.
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode()
    lines[first : last + 1] = [""] * (last - first) + [before.rstrip() + after]
    return set(range(first + 1, last + 2))


def _modules(scripts):
    """Paths of all modules in the scripts' folder that they import, directly or not, without PLUMBING."""
    root = next(folder for folder in scripts[0].parents if (folder / "widedeep").is_dir())
    plumbing = {root / "widedeep" / name for name in PLUMBING}
    found, waiting = set(scripts), list(scripts)
    while waiting:
        importing = waiting.pop()
        for level, name in _parsed(importing.read_text(encoding="utf-8"))[1]:
            package = importing.parents[level - 1] if level else root
            for module in _files(package, name):
                if module not in found and not plumbing & {module, *module.parents}:
                    found.add(module)
                    waiting.append(module)
    return found - set(scripts)


def _files(package, name):
    """Files in the folder `package` that Python runs when the dotted `name` is imported from it."""
    parts = name.split(".")
    paths = [package.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
    candidates = [
        candidate for path in paths for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py"))
    ]
    return [candidate for candidate in candidates if candidate.exists()]
