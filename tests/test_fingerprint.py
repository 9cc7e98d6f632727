"""What reruns a stage: its code and that of the modules it imports, and nothing else."""

import shutil
from pathlib import Path

import pytest

from widedeep import fingerprint


@pytest.fixture
def scripts(tmp_path):
    return shutil.copytree("scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))


def of(scripts, name):
    fingerprint.of_script.cache_clear()
    return fingerprint.of_script(scripts / name)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


STAGES = (
    "train.py",
    "dump_activations.py",
    "compute_cka.py",
    "compute_pairs.py",
    "plot_heatmaps.py",
    "plot_components.py",
    "summarise.py",
    "summarise_pairs.py",
    "tabulate_accuracy.py",
)
# An edit of code, and the stages that must notice it.
EDITS = [
    ("train.py", "Clock(1)", "Clock(2)", {"train.py"}),
    ("widedeep/training.py", "/ 2 * (1", "/ 3 * (1", {"train.py"}),
    ("widedeep/models.py", "eps=1e-3", "eps=1e-4", {"train.py", "dump_activations.py"}),
    ("widedeep/augmentation.py", "size // 8", "size // 4", {"train.py", "dump_activations.py"}),
    ("widedeep/cka.py", "_LARGE_MEAN = 4.0", "_LARGE_MEAN = 5.0", set(STAGES[1:-1])),
    ("widedeep/similarities.py", '"undefined"', '"why"', set(STAGES[2:-1])),
    ("widedeep/plots.py", "aspect=18", "aspect=19", {"plot_heatmaps.py", "plot_components.py", "tabulate_accuracy.py"}),
    ("widedeep/blocks.py", "threshold=0.9", "threshold=0.8", {"summarise.py", "summarise_pairs.py"}),
    ("widedeep/command.py", "default=1", "default=2", set()),
    ("widedeep/files.py", "indent=2", "indent=3", set()),
    ("widedeep/provenance.py", "timeout=60", "timeout=50", set()),
]


@pytest.mark.parametrize(("path", "old", "new", "noticing"), EDITS, ids=[edit[0] for edit in EDITS])
def test_code_is_noticed_by_the_stages_that_compute_with_it(scripts, path, old, new, noticing):
    before = {stage: of(scripts, stage) for stage in STAGES}
    edit(scripts / path, old, new)
    assert {stage for stage in STAGES if of(scripts, stage) != before[stage]} == noticing


def test_words_and_time_stamps_are_not_noticed(scripts):
    before = {stage: of(scripts, stage) for stage in STAGES}
    for path in scripts.rglob("*.py"):
        text = (
            path.read_text().replace("\n\n\ndef ", "\n\n\n\n# A comment.\n\n\ndef ").replace('"""', '"""Said anew. ', 1)
        )
        path.write_text(text + "\n# The end.\n")
    assert {stage: of(scripts, stage) for stage in STAGES} == before


def test_strings_that_look_like_comments_are_code():
    assert fingerprint.code_of('x = "# a"  # b\n') == 'x = "# a"'
    assert (
        fingerprint.code_of('def f():\n    """Doc."""\n    return """no doc"""\n')
        == 'def f():\n    return """no doc"""'
    )


def test_every_rule_with_a_stage_has_its_fingerprint():
    """But for the download, whose content is verified instead."""
    for path in Path("workflow/rules").glob("*.smk"):
        if path.name in ("common.smk", "data.smk"):
            continue
        text = path.read_text()
        shells = text.count("shell:")
        assert text.count("code=code") == shells == text.count(" scripts/"), path
