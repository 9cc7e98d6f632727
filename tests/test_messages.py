"""Every sentence for users is quoted by a test, which provokes it.

That it is quoted is checked here, which is cheap; that it is provoked was measured with coverage.py (CONTRIBUTING.md).
"""

import ast
from pathlib import Path

RAISED = ("UserError", "WorkflowError")
MARKS = " .,;:()'"


def sentences():
    """(place, words) of every raised UserError or WorkflowError: its literal parts; none where it passes one on."""
    for path in [*Path("scripts").rglob("*.py"), *Path("workflow").rglob("*.smk")]:
        text = path.read_text()
        if path.suffix == ".smk":  # Snakemake's rules are no Python: its functions stand apart, in common.smk
            text = "\n".join(line.strip() for line in text.splitlines() if line.strip().startswith("raise "))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Raise) and getattr(getattr(node.exc, "func", None), "id", None) in RAISED:
                parts = [part.value for part in ast.walk(node.exc.args[0]) if isinstance(part, ast.Constant)]
                yield f"{path}:{node.lineno}", [part for part in parts if isinstance(part, str)]


def quoted():
    """All strings of all tests, without the escapes of regular expressions."""
    strings = [
        node.value
        for path in Path("tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return "\n".join(strings).replace("\\", "")


def phrases(parts):
    """Three neighbouring words of the literal parts, two of parts that have two; bare of marks at their ends."""
    found = set()
    for part in parts:
        words = part.strip(MARKS).split()
        number = min(3, len(words))
        found |= {" ".join(words[start : start + number]).strip(MARKS) for start in range(len(words) - number + 1)}
    return {phrase for phrase in found if " " in phrase}


def test_every_sentence_is_quoted_by_a_test():
    text = quoted()
    found = list(sentences())
    assert len(found) > 130
    missing = [place for place, parts in found if phrases(parts) and not any(pair in text for pair in phrases(parts))]
    assert not missing


def test_phrases_are_of_literal_words():
    assert phrases([": is no whole PNG (", "); make it again."]) == {"is no whole", "no whole PNG", "make it again"}
    assert phrases([": lacks ", "depth"]) == set()
