"""What reruns a stage: its code and that of the modules it imports, and nothing else."""

import modulefinder
import shutil
from pathlib import Path

import pytest

from widedeep.study import fingerprint


@pytest.fixture
def scripts(tmp_path):
    return shutil.copytree("scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))


# Stages that build networks: the file of the family is a part of their code (workflow/rules/common.smk).
WITH_FAMILY = ("train.py", "dump_activations.py")


def of(scripts, name, *more):
    fingerprint.of_script.cache_clear()
    family = [scripts / "families/resnet.py"] if name in WITH_FAMILY and not more else []
    return fingerprint.of_script(scripts / name, *family, *more)


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
# An edit of code, and the stages that must notice it. plot_components takes titles from the records of measures, which
# import Gram matrices.
EDITS = [
    ("train.py", "Clock(1)", "Clock(2)", {"train.py"}),
    ("widedeep/training/loop.py", "/ 2 * (1", "/ 3 * (1", {"train.py"}),
    ("widedeep/networks/cifar_resnet.py", "eps=1e-3", "eps=1e-4", {"train.py", "dump_activations.py"}),
    ("widedeep/data/augmentation.py", "size // 8", "size // 4", {"train.py", "dump_activations.py"}),
    (
        "widedeep/measures/gram_matrices.py",
        "_CONSTANT = 16.0**2",
        "_CONSTANT = 15.0**2",
        {*STAGES[1:4], "plot_components.py"},
    ),
    ("widedeep/formats/similarities.py", '"first_component_share"', '"share"', set(STAGES[2:-1])),
    (
        "widedeep/figures/style.py",
        "aspect=18",
        "aspect=19",
        {"plot_heatmaps.py", "plot_components.py", "tabulate_accuracy.py"},
    ),
    (
        "widedeep/figures/heatmaps.py",
        "def draw_heatmaps(",
        "def draw_maps(",
        {"plot_heatmaps.py", "plot_components.py"},
    ),
    (
        "widedeep/analysis/block_structure.py",
        "threshold=0.9",
        "threshold=0.8",
        {"plot_components.py", "plot_heatmaps.py", "summarise.py", "summarise_pairs.py"},
    ),
    ("widedeep/runtime/command.py", "default=1", "default=2", set()),
    ("widedeep/runtime/files.py", "indent=2", "indent=3", set()),
    ("widedeep/runtime/provenance.py", "timeout=60", "timeout=50", set()),
    ("widedeep/runtime/locking.py", "flush=True", "flush=False", set()),
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('x: int = Field(1, description="One.", le=2)\n', 'x: int = Field(1, description="A one", le=2)\n'),
        ('add("a", help="é", type=int), add("b", help="b")\n', 'add("a", help="long", type=int), add("b", help="")\n'),
        ('add(\n    help="one"\n    " and two",\n)\n', 'add(\n    help="three",\n)\n'),
    ],
)
def test_descriptions_of_options_are_words(one, other):
    assert fingerprint.code_of(one) == fingerprint.code_of(other)


def test_arguments_of_options_are_code():
    assert fingerprint.code_of("add(help=f(1))") == "add(help=f(1))"
    assert fingerprint.code_of('add("a", default="b")') == 'add("a", default="b")'


def test_strings_that_look_like_comments_are_code():
    assert fingerprint.code_of('x = "# a"  # b\n') == 'x = "# a"'
    assert (
        fingerprint.code_of('def f():\n    """Doc."""\n    return """no doc"""\n')
        == 'def f():\n    return """no doc"""'
    )


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('def f(x=1): """Doc."""\n', "def f(x=1):"),
        ('class E(ValueError): """Doc."""\n', "class E(ValueError):"),
        ('"""é"""; x = 1\n', "; x = 1"),
        ('async def f():\n    """Doc.\n\n    More.\n    """\n    await g()\n', "async def f():\n    await g()"),
    ],
)
def test_what_stands_beside_a_docstring_is_code(source, code):
    assert fingerprint.code_of(source) == code


def test_white_space_in_a_string_is_code():
    page = 'page = """<pre>\n\na \n</pre>"""\n'
    assert fingerprint.code_of(page + "\n\n") == page.rstrip()
    assert fingerprint.code_of(page.replace("\n\n", "\n")) != page.rstrip()


def test_files_beside_the_package_are_noticed_whoever_imports_them(scripts):
    """A helper of one's own, imported by a family of one's own in any of Python's ways, or by a data set's file."""
    (scripts / "helpers").mkdir()
    (scripts / "datasets").mkdir()
    ways = ("from helpers import layers", "import helpers.layers as layers", "from ..helpers.layers import x")
    for number, way in enumerate(ways):
        (scripts / f"families/own{number}.py").write_text(f"def build():\n    {way}\n")
    (scripts / "datasets/own.py").write_text("from widedeep import layers\nimport helpers.layers\n")
    stages = [("train.py", scripts / f"families/own{number}.py") for number in range(3)] + [("datasets/own.py",)]
    for path in (scripts / "helpers/layers.py", scripts / "helpers/__init__.py"):
        path.write_text("x = 1\n")
        before = [of(scripts, *stage) for stage in stages]
        path.write_text("x = 2\n")
        assert [of(scripts, *stage) == old for stage, old in zip(stages, before, strict=True)] == [False] * 4, path


def test_it_follows_imports_as_python_does(scripts):
    """Its modules are those that modulefinder, which reads bytecode, finds behind a script or a family."""
    families = sorted(scripts.glob("families/*.py"))
    plumbing = {*scripts.glob("widedeep/runtime/*.py"), scripts / "widedeep/__init__.py"}
    assert len(plumbing) > 10
    for stage in sorted(scripts.glob("*.py")):
        finder = modulefinder.ModuleFinder([str(scripts)])
        for path in (stage, *families):
            finder.load_file(str(path))
        behind = {Path(module.__file__) for module in finder.modules.values() if module.__file__}
        assert fingerprint._modules([stage, *families]) == behind - {stage, *families} - plumbing, stage


def test_every_rule_with_a_stage_has_its_fingerprint():
    """But for the download, whose content is verified instead."""
    for path in Path("workflow/rules").glob("*.smk"):
        if path.name in ("common.smk", "data.smk"):
            continue
        text = path.read_text()
        assert text.count("code=code") == text.count("shell:") == text.count("{resources.program}"), path
