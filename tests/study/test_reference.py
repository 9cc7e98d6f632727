"""The config's JSON Schema, the page of its keys and that of measures are made from the records, and are current."""

import json
import re
import subprocess
import sys

import pytest

from widedeep.measures import kinds
from widedeep.paper import FIGURES
from widedeep.study import reference
from widedeep.study.config import Study


@pytest.mark.parametrize("path", [reference.SCHEMA, reference.PAGE, reference.MEASURES], ids=str)
def test_what_is_generated_is_current(path):
    assert path.read_text() == reference.contents()[path], f"{path}: is not current; run `make reference`."


def test_the_page_lists_every_key_of_every_section():
    page = reference.PAGE.read_text()
    schema = Study.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        for key in section["properties"]:
            assert f"\n| `{key}` |" in page, key
        assert f"\n{section['description']}\n" in page


def test_the_page_lists_every_figure_with_the_key_that_asks_for_it():
    lines = reference.PAGE.read_text().splitlines()
    for figure in FIGURES.values():
        (line,) = (line for line in lines if line.startswith(f"| {figure.id} | {figure.section} | "))
        assert f"`{figure.rule}`" in line
    (of_fig4,) = (line for line in lines if line.startswith("| fig4-probes |"))
    assert "`figures.fig4`" in of_fig4
    (of_b,) = (line for line in lines if line.startswith("| B |"))
    assert "always" in of_b


def test_bounds_and_defaults_are_told():
    page = reference.PAGE.read_text()
    for cells in (
        "| `epochs` | integer, at least 1, at most 1,000,000 | `300` | Passes",
        "| `depths` | list of integer, at least 1, at most 10,000, 1 or more items, each once | required | ",
        '| `schedule` | `epoch` or `step` | `"epoch"` | ',
        "| `image_size` | integer, at least 8, at most 10,000 |  | ",
    ):
        assert f"\n{cells}" in page, cells


def test_the_page_of_measures_tells_what_their_records_hold():
    page = reference.MEASURES.read_text()
    for name in kinds.names():
        measure = kinds.named(name)
        (line,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` | "))
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        invariances = ", ".join(sorted(measure.invariances))
        assert cells[1:4] == [measure.formula, measure.source, invariances]
        assert cells[4] == ("ratio of means" if measure.finish else "mean")
        assert cells[5:] == [measure.layer_cost, measure.pair_cost, measure.undefined]
        assert f"\n## {measure.title} (`{name}`)\n" in page
    assert "PWCCA" in page


def test_it_writes_all_files_from_nothing(tmp_path):
    environment = {"PYTHONPATH": str(reference.SCHEMA.parents[2].resolve() / "scripts")}
    words = [sys.executable, "-m", "widedeep.study.reference"]
    subprocess.run(words, cwd=tmp_path, env=environment, check=True)
    written = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == reference.contents()
    assert json.loads(written[reference.SCHEMA])["title"] == "Study"
