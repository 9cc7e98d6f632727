"""Figures and the jobs that draw them: each figure of the paper is drawn by one, whose outputs carry its id."""

import collections
import importlib
from pathlib import Path

import bash
import pytest
from complete import complete

from widedeep.paper import DECIDING_TABLES, FIGURES
from widedeep.runtime import command
from widedeep.study import checks
from widedeep.study.drawings import DRAWINGS, SECTIONS, drawings_of, measured, one_seed, outputs_of
from widedeep.study.jobs import drawing_job

DEMO = checks.checked(complete(checks.read("config/demo.yaml").dump()))


def files_of(rule):
    return [name for names in outputs_of(rule).values() for name in names]


def test_each_figure_is_drawn_by_one_drawing():
    writers = collections.defaultdict(list)
    for rule in DRAWINGS:
        for name in files_of(rule):
            writers[name].append(rule)
    assert {name: rules for name, rules in writers.items() if len(rules) > 1} == {}
    for figure in FIGURES.values():
        for end in ("pdf", "png", "csv"):
            assert writers[f"{figure.id}.{end}"] == [figure.rule], figure.id


def test_each_drawing_draws_a_figure_of_the_paper():
    assert {*DRAWINGS} == {figure.rule for figure in FIGURES.values()}
    for rule in DRAWINGS:
        others = {Path(name).stem for name in files_of(rule)} - {*FIGURES}
        # Tables that decide findings, beside those of the pictures.
        assert others <= {"wide_against_deep": {"fig6"}, "prediction_agreement": {"G-pairs"}}.get(rule, set())


def test_drawings_come_in_the_order_of_the_papers_results():
    assert [*drawings_of(DEMO)] == [*dict.fromkeys(figure.rule for figure in FIGURES.values())]


@pytest.mark.parametrize("key", SECTIONS)
def test_a_section_asks_for_its_drawings(key):
    content = DEMO.dump()
    drawn = {**content, "figures": {name: section for name, section in content["figures"].items() if name == key}}
    drawn["measures"] = content["measures"] if key == "fig1" else []
    found = drawings_of(checks.checked(drawn))
    assert {drawing.key for drawing in found.values()} == {key, None}
    assert len(found) > 1


def test_without_sections_the_table_of_accuracies_is_drawn_alone():
    assert [*drawings_of(checks.checked({**DEMO.dump(), "measures": [], "figures": {}}))] == ["accuracy_table"]


def test_further_measures_are_drawn_where_some_are_asked_for():
    without = drawings_of(checks.checked({**DEMO.dump(), "measures": []}))
    assert {*drawings_of(DEMO)} - {*without} == {"measures_by_depth_and_width"}
    study = checks.checked({**DEMO.dump(), "measures": ["svcca", "rbf_cka"]})
    words = bash.words(DRAWINGS["measures_by_depth_and_width"].options(study))
    rows = [words[place + 1 : place + 3] for place, word in enumerate(words) if word == "--row"]
    assert rows == [[row, measure] for measure in ("svcca", "rbf_cka") for row in ("depth_row", "width_row")]
    networks = dict.fromkeys(one_seed("fig1")(study))
    assert measured(study) == [(measure, network) for measure in ("svcca", "rbf_cka") for network in networks]


@pytest.mark.parametrize("rule", DRAWINGS)
def test_the_program_takes_the_arguments_of_its_job(rule, tmp_path, monkeypatch):
    drawing, job = DRAWINGS[rule], drawing_job(DEMO, rule)
    monkeypatch.chdir(tmp_path)
    try:
        args = importlib.import_module(Path(drawing.program).stem).parse(bash.words(job.arguments))
    finally:
        command.release()
    expected = {option: [DEMO.places.figure(name) for name in names] for option, names in outputs_of(rule).items()}
    for option, name in drawing.files.items():
        expected[option] = DEMO.places.of_networks(drawing.networks(DEMO), name)
    given = {option: getattr(args, option) for option in expected}
    # Some options take one file.
    assert {option: value if isinstance(value, list) else [value] for option, value in given.items()} == expected
    assert not drawing.runs_network or drawing.reads_data


@pytest.mark.parametrize("rule", DRAWINGS)
def test_a_drawing_shows_networks_of_the_study_once_each(rule):
    networks = DRAWINGS[rule].networks(DEMO)
    assert networks
    assert {*networks} <= {*DEMO.networks}
    assert len({*networks}) == len(networks)


def test_tables_that_decide_findings_are_written_by_one_drawing_each():
    for table in DECIDING_TABLES.values():
        assert len([rule for rule in DRAWINGS if table in files_of(rule)]) == 1


def test_every_figure_has_a_caption_in_the_report():
    for figure in FIGURES.values():
        assert Path("workflow/report", f"{figure.id}.rst").exists(), figure.id
