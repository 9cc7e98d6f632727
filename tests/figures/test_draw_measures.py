"""Figure 1 by other measures: each panel shows the values of its network by its measure, and so does the table."""

import compute_measure
import numpy as np
import plot_measures
import pytest
from small_dumps import network, write

from widedeep.analysis.block_structure import block_of_network
from widedeep.figures.heatmaps import Panel
from widedeep.figures.measures import MeasureRow, draw_measures
from widedeep.formats import similarities, tables
from widedeep.formats.dumps import Origin
from widedeep.runtime.errors import UserError

MEASURES = {"rsa_spearman": "RSA, Spearman", "procrustes": "Procrustes similarity"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """dict from (measure, seed) to the file of that network."""
    folder, found = tmp_path_factory.mktemp("measures"), {}
    for seed in (1, 2):
        dump = write(
            folder / f"{seed}.h5", net=network(seed), origin=Origin("digits-resnet14-w1-f100", seed, "", "test")
        )
        for measure in MEASURES:
            found[measure, seed] = str(folder / f"{measure}{seed}.h5")
            compute_measure.main([str(dump), "--measure", measure, "--out", found[measure, seed]])
    return found


def rows_of(files, **known):
    rows = [["depth", "rsa_spearman", files["rsa_spearman", 1], files["rsa_spearman", 2]]]
    rows += [["width", "rsa_spearman", files["rsa_spearman", 2]], ["depth", "procrustes", files["procrustes", 1]]]
    return [plot_measures.row_of(words, known)[0] for words in rows]


def test_each_panel_shows_its_network_by_its_measure(files):
    figure = draw_measures(rows_of(files), "magma")
    shown = [axis for axis in figure.axes if axis.axison and axis.get_title()]
    expected = [("rsa_spearman", 1), ("rsa_spearman", 2), ("rsa_spearman", 2), ("procrustes", 1)]
    for axis, (measure, seed) in zip(shown, expected, strict=True):
        read = similarities.read(files[measure, seed], measure=measure)
        values = read.measures[measure]
        np.testing.assert_array_equal(axis.images[0].get_array().filled(np.nan), values)
        contrast = block_of_network(values, read.first.stages, read.first.blocks).contrast
        assert axis.get_title().splitlines()[0] == f"digits-resnet14-w1-f100/seed{seed}"
        assert abs(float(axis.get_title().split("contrast ")[1]) - contrast) <= 0.001
        assert not axis.patches  # the outline of a block structure
    scales = [axis for axis in figure.axes if axis.get_ylabel() in MEASURES.values()]
    assert [axis.get_ylabel() for axis in scales] == [*["RSA, Spearman"] * 2, "Procrustes similarity"]


def test_rows_of_one_measure_share_a_scale_from_their_lowest_value_to_1(files):
    rows = rows_of(files)
    images = [axis.images[0] for axis in draw_measures(rows, "magma").axes if axis.images]
    lows = [image.get_clim()[0] for image in images]
    assert all(image.get_clim()[1] == 1 for image in images)
    assert lows[0] == lows[1] == lows[2]
    for low, of_measure in ((lows[0], rows[:2]), (lows[3], rows[2:])):
        lowest = min(np.nanmin(panel.values) for row in of_measure for panel in row.panels)
        assert low <= lowest < low + 0.1
        assert low * 10 == pytest.approx(round(low * 10))


@pytest.mark.parametrize("values", [np.full((9, 9), np.nan), np.ones((9, 9))])
def test_values_that_are_all_undefined_or_1_are_drawn(files, values):
    side = rows_of(files)[0].panels[0].first
    changed = Panel("depth", "", values, side, side)
    figure = draw_measures([MeasureRow("x", "X", [changed])], "magma")
    figure.draw_without_rendering()
    assert figure.axes[0].images[0].get_clim() == (0.9, 1)


def test_the_table_holds_every_value_and_contrast(files, tmp_path):
    out = [str(tmp_path / f"fig1-measures.{end}") for end in ("pdf", "png", "csv")]
    words = [word for measure in MEASURES for word in ("--row", "depth", measure, files[measure, 1], files[measure, 2])]
    metrics = tmp_path / "metrics.json"
    metrics.write_text(
        '{"model": "digits-resnet14-w1-f100", "seed": 1, "family": "resnet", "depth": 14, "width": 1, "fraction": 1}'
    )
    plot_measures.main([*words, "--metrics", str(metrics), "--out", *out])
    for path in out:
        tables.check(path)
    table = tables.read(out[2])
    assert [*dict.fromkeys(zip(table.measure, table.network, strict=True))] == [
        (measure, f"digits-resnet14-w1-f100/seed{seed}") for measure in MEASURES for seed in (1, 2)
    ]
    for (measure, label), part in table.groupby(["measure", "network"]):
        read = similarities.read(files[measure, int(label[-1])], measure=measure)
        names = read.first.names
        assert [*zip(part.layer_first, part.layer_second, strict=True)] == [(a, b) for a in names for b in names]
        np.testing.assert_allclose(part.similarity, read.measures[measure].ravel(), atol=1e-6)
        expected = block_of_network(read.measures[measure], read.first.stages, read.first.blocks).contrast
        np.testing.assert_allclose(part.contrast, expected, atol=1e-6)
        assert {*part["row"]} == {"depth"}


def test_a_row_without_a_file_with_another_measure_or_an_unknown_one_is_refused(files):
    with pytest.raises(UserError, match="--row depth rsa_spearman: .*no file"):
        plot_measures.row_of(["depth", "rsa_spearman"], {})
    path = files["rsa_spearman", 1]
    with pytest.raises(UserError, match=rf"{path}: .*compute_measure\.py --measure svcca"):
        plot_measures.row_of(["depth", "svcca", path], {})
    with pytest.raises(UserError, match="pwcca.*unknown"):
        plot_measures.row_of(["depth", "pwcca", path], {})


def test_a_network_of_too_few_blocks_has_no_contrast(files, monkeypatch):
    monkeypatch.setattr("widedeep.analysis.block_structure.block_of_network", lambda *_: None)
    row, parts = plot_measures.row_of(["depth", "procrustes", files["procrustes", 1]], {})
    assert row.panels[0].title.endswith("\ntoo few residual blocks")
    assert parts[0].contrast.isna().all()
