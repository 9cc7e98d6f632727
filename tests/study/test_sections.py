"""Sections of the config that name networks: rows of figures and lists of configurations."""

import example
import pytest

from widedeep.study import checks


def rows_of(study, key):
    """The names of the configurations in each row of a figure."""
    rows = study.sections[key].shown(study.dataset.name)
    return {row: [str(configuration) for configuration in shown] for row, shown in rows.items()}


@pytest.mark.parametrize("row", ["depth_row", "width_row"])
def test_a_figure_may_have_one_row(row):
    study = checks.checked(example.changed("figures.fig1", {row: example.FIG1[row], "seed": 1}))
    assert [*rows_of(study, "fig1")] == [row]


def test_rows_of_figures_are_depths_then_widths_and_both_for_each_share_of_the_data():
    rows = {"depth_row": {"depths": [8, 14], "width": 1}, "width_row": {"depth": 8, "widths": [1, 2]}}
    figures = {"fig2": {**rows, "fractions": [1, 0.5], "seed": 1}, "C": {**rows, "seed": 1}}
    entry = {"depths": [8, 14], "widths": [1, 2], "fractions": [1, 0.5], "seeds": [1]}
    families = [{**entry, "family": family} for family in ("resnet", "plain")]
    study = checks.checked({**example.CONFIG, "grid": families, "figures": figures})
    eight, fourteen, wide = (f"digits-resnet{size}" for size in ("8-w1", "14-w1", "8-w2"))
    assert rows_of(study, "fig2") == {
        f"fraction {f / 100:g}": [f"{one}-f{f}" for one in (eight, fourteen, wide)] for f in (100, 50)
    }
    assert rows_of(study, "C") == {
        "depth_row": ["digits-plain8-w1-f100", "digits-plain14-w1-f100"],
        "width_row": ["digits-plain8-w1-f100", "digits-plain8-w2-f100"],
    }
