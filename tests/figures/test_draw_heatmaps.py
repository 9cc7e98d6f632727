"""What the heatmaps show, and the table of all that is drawn."""

from pathlib import Path

import compute_cka
import drawn_images
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plot_heatmaps
import pytest
import small_network
from matplotlib.patches import Rectangle
from small_dumps import network, write

from widedeep.analysis import block_structure
from widedeep.analysis.block_structure import Block, block_of_network
from widedeep.figures import heatmaps, style
from widedeep.formats import metrics, similarities
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError


@pytest.fixture
def network_files(tmp_path):
    """(cka.h5, metrics.json) of one network."""
    small_network.write_network(tmp_path)
    return tmp_path / "cka.h5", tmp_path / "metrics.json"


def side(stages):
    count = len(stages)
    names = [f"l{i}" for i in range(count)]
    none = {"cka": [""] * count}
    return similarities.Side("x/seed1", names, ["relu"] * count, stages, [0] * count, none, np.ones(count))


STAGES = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 0]


def drawn(values, *more):
    layers = side(STAGES)
    figure = heatmaps.draw_heatmaps([heatmaps.Panel("row", "title", values, layers, layers), *more], "magma")
    return figure, figure.axes[0]


@pytest.mark.parametrize("layers", [49, 385, 574])
def test_each_layer_has_its_stripe_in_every_file(tmp_path, layers):
    """As wide as the others, beside a network of another depth, and beside the lines between stages."""
    panels = []
    for count in (11, layers):
        stages = side([1 + 3 * layer // count for layer in range(count)])
        across = np.arange(count)[None].repeat(count, 0) % 2
        panels += [heatmaps.Panel("row", "title", values, stages, stages) for values in (across, across.T)]
    figure = heatmaps.draw_heatmaps(panels, "gray")
    style.save(figure, pd.DataFrame(), [str(tmp_path / "figure.pdf"), str(tmp_path / "figure.png")])
    for axis, panel in zip(figure.axes, panels, strict=False):
        shown = drawn_images.cells(tmp_path / "figure.png", figure, axis)
        np.testing.assert_array_equal(shown > 0.5, panel.values > 0.5)
    assert f"/Width {layers}".encode() in (tmp_path / "figure.pdf").read_bytes()
    plt.close(figure)


def test_a_heatmap_has_layer_0_at_the_lower_left_and_a_scale_from_0_to_1():
    values = np.random.default_rng(0).random((11, 11))
    figure, axis = drawn(values)
    figure.canvas.draw()
    (image,) = axis.images
    assert image.get_clim() == (0, 1)
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1]  # from below
    for row, column in np.ndindex(values.shape):
        x, y = axis.transData.transform((column + 0.25, row + 0.25)).astype(int)  # beside the lines between stages
        np.testing.assert_array_equal(pixels[y, x], image.cmap(values[row, column], bytes=True))
    assert axis.get_title() == "title"
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["stage 1", "stage 2", "stage 3"]
    assert [tick.get_text() for tick in axis.get_yticklabels(minor=True)] == ["2", "5", "7"]
    assert figure.axes[-1].get_ylabel() == "CKA"
    plt.close(figure)


def test_numbers_of_layers_are_small_wherever_they_are():
    """Stage 3 of ResNet-26 begins at 60, where matplotlib would have a tick of its own."""
    layers = side([0] * 3 + [1] * 28 + [2] * 29 + [3] * 30 + [0])
    figure = heatmaps.draw_heatmaps([heatmaps.Panel("row", "title", np.eye(91), layers, layers)], "magma")
    figure.canvas.draw()
    for labels in (figure.axes[0].get_xticklabels(minor=True), figure.axes[0].get_yticklabels(minor=True)):
        assert [(label.get_text(), label.get_fontsize()) for label in labels] == [("3", 5.5), ("31", 5.5), ("60", 5.5)]
    plt.close(figure)


def test_stage_borders_are_drawn_where_the_stage_changes():
    assert style.stage_borders(STAGES) == [2, 5, 7, 10]
    figure, axis = drawn(np.ones((11, 11)))
    vertical = {line.get_xdata()[0] for line in axis.lines if line.get_xdata()[0] == line.get_xdata()[1]}
    assert vertical == {2, 5, 7, 10}
    plt.close(figure)


def outlines(axis):
    """Corners (left, bottom, right, top) of all rectangles on an axis."""
    return {tuple(patch.get_bbox().extents) for patch in axis.patches if isinstance(patch, Rectangle)}


def test_a_block_structure_is_outlined_and_the_best_range_without_one_is_not():
    layers = side(STAGES)
    for is_block in (True, False):
        block = Block(3, 8, 5 / 11, 0.2 if is_block else 0.02, is_block)
        panel = heatmaps.Panel("row", "title", np.eye(11), layers, layers, block=block)
        figure = heatmaps.draw_heatmaps([panel], "magma")
        assert outlines(figure.axes[0]) == ({(3, 3, 8, 8)} if is_block else set())
        plt.close(figure)


def test_the_program_outlines_the_block_structure_and_tells_its_contrast(tmp_path):
    cka = small_network.with_block(20, 4, 14)
    small_network.write_cka(tmp_path / "cka.h5", "a/seed1", cka)
    panel = plot_heatmaps.panel_of("row", [f"{tmp_path}/cka.h5"], {})
    assert panel.block == block_of_network(cka, [1] * 20, [*range(1, 21)])
    assert (panel.block.start, panel.block.stop) == (4, 14)
    assert panel.title.endswith(f"contrast {block_structure.rounded_down(panel.block.contrast):.3f}")
    small_network.write_cka(tmp_path / "small.h5", "a/seed1", np.array([[1, 0.5], [0.5, 1]]))
    panel = plot_heatmaps.panel_of("row", [f"{tmp_path}/small.h5"], {})
    assert panel.block is None
    assert panel.title.endswith("too few residual blocks")


def test_undefined_layers_are_hatched_not_coloured():
    values = np.ones((11, 11))
    values[4] = values[:, 4] = np.nan
    figure, axis = drawn(values)
    assert np.ma.getmaskarray(axis.images[0].get_array()).sum() == 21
    assert axis.patch.get_hatch()
    plt.close(figure)


def test_an_empty_place_stays_empty():
    layers = side(STAGES)
    panels = [heatmaps.Panel("a", "1", np.ones((11, 11)), layers, layers)]
    panels += [heatmaps.Panel("b", ""), heatmaps.Panel("b", "2", np.ones((11, 11)), layers, layers)]
    figure = heatmaps.draw_heatmaps(panels, "magma")
    assert [axis.axison for axis in figure.axes[:4]] == [True, False, False, True]
    plt.close(figure)


def test_the_files_hold_every_value_and_are_the_same_twice(network_files, tmp_path):
    cka_file, metrics = network_files
    names = [[f"{tmp_path}/{run}.{suffix}" for suffix in ("pdf", "png", "csv")] for run in "ab"]
    for out in names:
        plot_heatmaps.main(["--panel", "depth", str(cka_file), "--metrics", str(metrics), "--out", *out])
    table = pd.read_csv(names[0][2])
    comparison = similarities.read(cka_file)
    np.testing.assert_allclose(table.cka.to_numpy().reshape(28, 28), comparison.cka, atol=1e-6)
    assert table.layer_second.tolist()[:28] == comparison.second.names
    block = block_of_network(comparison.cka, comparison.first.stages, comparison.first.blocks)
    assert (
        table.panel[0]
        == f"ResNet-8 1x, seed 1, accuracy 87.5%, contrast {block_structure.rounded_down(block.contrast):.3f}"
    )
    assert (table["first"][0], table["second"][0]) == ("ResNet-8 1x, seed 1", "ResNet-8 1x, seed 1")
    for first, second in zip(*names, strict=True):
        assert Path(first).read_bytes() == Path(second).read_bytes()


def test_several_sources_are_averaged(network_files):
    cka_file, metrics_file = network_files
    panel = plot_heatmaps.panel_of("row", [str(cka_file), str(cka_file)], metrics.read([metrics_file]))
    assert panel.title == "mean of 2 pairs"
    assert panel.labels[0] == "ResNet-8 1x"
    np.testing.assert_allclose(panel.values, similarities.read(cka_file).cka)


def test_only_the_same_layers_are_averaged(network_files, tmp_path):
    net = network()
    some = write(tmp_path / "some.h5", net=net, layers=tracing.layers_of(net)[:5])
    compute_cka.main([str(some), "--out", str(tmp_path / "some_cka.h5")])
    with pytest.raises(UserError, match=r"some_cka\.h5: .*layers.*/cka\.h5"):
        plot_heatmaps.panel_of("row", [str(network_files[0]), str(tmp_path / "some_cka.h5")], {})


def test_refuses_unknown_colours_and_foreign_metrics(network_files, tmp_path):
    cka_file, metrics = network_files
    command = ["--panel", "depth", str(cka_file), "--out", f"{tmp_path}/a.png"]
    with pytest.raises(UserError, match="colour map 'brown'"):
        plot_heatmaps.main([*command, "--colour-map", "brown"])
    metrics.write_text("[]")
    with pytest.raises(UserError, match=r"metrics\.json: .*train\.py"):
        plot_heatmaps.main([*command, "--metrics", str(metrics)])
    assert not (tmp_path / "a.png").exists()
