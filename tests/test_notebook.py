"""The notebook of the library runs from its first to its last cell, and its text tells what comes out."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path("docs/layer-similarity.ipynb")
# Numbers that must agree up to rounding, whatever the machine.
CHECK = """
by_copy = by_hand(copy=True) - found.to_frame("cka").loc[*names]
stages = [between.values[:, i][i] for i in range(4)]
again = LayerSimilarity.load(path)
print(abs(by_copy) < 1e-6, min(stages) > 1 - 1e-6, (again.values == both.values).all(), list(again.measures))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The notebook after a run, with a cell more at its end."""
    notebook = nbformat.read(PATH, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(CHECK))
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        # As after `pip install`, without settings of the user's own, and without a network.
        patch.setenv("PYTHONPATH", str(Path("scripts").resolve()))
        patch.delenv("MPLBACKEND", raising=False)
        for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(variable, str(folder / variable))
        patch.setenv("HF_HUB_OFFLINE", "1")
        return NotebookClient(notebook, timeout=300, kernel_name="python3").execute()


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None), cell.source


def outputs(cell, kind):
    """What a cell printed (`stdout`), or what it showed, by its media type."""
    if kind == "stdout":
        return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def test_each_plot_is_drawn(run):
    plots = [cell for cell in run.cells if ".plot(" in cell.source]
    assert len(plots) == 5
    assert all(len(outputs(cell, "image/png")) == 1 for cell in plots)


def test_the_text_has_the_numbers_of_modules_in_place(run):
    (number,) = (number for number, cell in enumerate(run.cells) if "def by_hand" in cell.source)
    printed = outputs(run.cells[number], "stdout").split("\n")
    right, copied, kept = (line.split()[-1] for line in printed if line)
    assert right == copied
    assert run.cells[number + 1].source == f"The value is {right}. The hook that only keeps the output says {kept}."
    assert f"is {right}, where a hook that keeps outputs says {kept} " in Path("README.md").read_text()


def test_an_undefined_layer_is_shown_with_its_reason(run):
    (cell,) = (cell for cell in run.cells if "undefined_first" in cell.source)
    (shown,) = outputs(cell, "text/plain")
    assert shown.startswith("{'heads.head': \"constant: ")


def test_the_values_are_right(run):
    assert outputs(run.cells[-1], "stdout") == "True True True ['cka', 'deflated']\n"
