"""Every sentence for users is quoted by a test, which provokes it.

That it is quoted is checked here, which is cheap; `pytest --unvisited-errors` tells what was raised (CONTRIBUTING.md).
"""

import ast
import collections
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
    """Two and three neighbouring words of the literal parts, bare of marks at their ends."""
    words = [part.split() for part in parts]
    runs = [
        part[start : start + number] for part in words for number in (2, 3) for start in range(len(part) - number + 1)
    ]
    return {phrase for run in runs if " " in (phrase := " ".join(run).strip(MARKS))}


def test_every_sentence_is_quoted_by_a_test():
    text = quoted()
    found = [(place, phrases(parts)) for place, parts in sentences()]
    assert len(found) > 130
    # A phrase that several sentences share tells of none.
    shared = collections.Counter(phrase for _, own in found for phrase in own)
    missing = []
    for place, own in found:
        telling = {phrase for phrase in own if shared[phrase] == 1} or own
        if telling and not any(phrase in text for phrase in telling):
            missing.append(place)
    assert not missing


def test_phrases_are_of_literal_words():
    assert phrases([": no whole PNG (", "); make it."]) == {"no whole", "whole PNG", "no whole PNG", "make it"}
    assert phrases([": lacks ", "depth"]) == set()
