"""What the heatmaps show, and the numbers read off them."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import oracles
import pandas as pd
import plot_blocks
import plot_components
import plot_heatmaps
import pytest
import small
import summarise
import tabulate_accuracy
from hypothesis import given
from hypothesis import strategies as st
from test_dumps import ORIGIN, network, write

from widedeep.analysis import block_structure, first_components
from widedeep.figures import accuracies, heatmaps, style
from widedeep.formats import components, dumps, metrics, similarities, tables
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError

METRICS = {
    "model": ORIGIN.model,
    "dataset": "blobs",
    "family": "resnet",
    "depth": 8,
    "width": 1.0,
    "fraction": 1.0,
    "seed": 1,
    "test_accuracy": 0.875,
    "train_accuracy": 0.9,
    "parameters": 1234,
}


@pytest.fixture
def network_files(tmp_path):
    """(cka.h5, metrics.json) of one network; its first_components.h5 lies beside them."""
    import compute_cka

    net = network()
    compute_cka.main([str(write(tmp_path / "a.h5", net=net)), "--out", str(tmp_path / "cka.h5")])
    layers = tracing.layers_of(net)
    first = first_components.first_components(net, layers, small.split(30, 2, size=16).images, 16, small.CPU)
    small.write_components(tmp_path / "pca.h5", first, ORIGIN)
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    return tmp_path / "cka.h5", tmp_path / "metrics.json"


@given(st.integers(0, 10**6), st.integers(1, 12), st.floats(0.1, 0.9))
def test_block_size_is_the_largest_range(seed, layers, threshold):
    rng = np.random.default_rng(seed)
    values = rng.random((layers, layers))
    values = np.maximum(values, values.T)
    np.fill_diagonal(values, 1)
    start, end = sorted(rng.integers(0, layers + 1, 2))
    values[start:end, start:end] = np.maximum(values[start:end, start:end], 0.95)
    if layers > 3:
        values[:, 2] = values[2] = np.nan  # an undefined layer ends a range
    assert block_structure.block_size(values, threshold) == oracles.block_size(values, threshold)


def test_block_size_of_a_known_block():
    values = np.eye(10)
    values[3:8, 3:8] = 0.93
    assert block_structure.block_size(values) == 5
    assert block_structure.block_size(values, 0.95) == 1
    assert block_structure.block_size(np.full((4, 4), np.nan)) == 0


def side(stages):
    count = len(stages)
    names = [f"l{i}" for i in range(count)]
    none = [""] * count
    return similarities.Side("x/seed1", names, ["relu"] * count, stages, [0] * count, none, np.ones(count), none)


STAGES = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 0]


def drawn(values, *more):
    layers = side(STAGES)
    figure = heatmaps.draw_heatmaps([heatmaps.Panel("row", "title", values, layers, layers), *more], "magma")
    return figure, figure.axes[0]


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
    assert table.panel[0] == "ResNet-8 1x, seed 1, accuracy 87.5%"
    assert (table["first"][0], table["second"][0]) == ("ResNet-8 1x, seed 1", "ResNet-8 1x, seed 1")
    for first, second in zip(*names, strict=True):
        assert Path(first).read_bytes() == Path(second).read_bytes()


def test_several_sources_are_averaged(network_files):
    cka_file, metrics_file = network_files
    panel = plot_heatmaps.panel_of("row", [str(cka_file), str(cka_file)], metrics.read([metrics_file]))
    assert panel.title == "mean of 2 pairs"
    assert panel.labels[0] == "ResNet-8 1x"
    np.testing.assert_allclose(panel.values, similarities.read(cka_file).values)


def test_only_the_same_layers_are_averaged(network_files, tmp_path):
    import compute_cka

    net = network()
    some = write(tmp_path / "some.h5", net=net, layers=tracing.layers_of(net)[:5])
    compute_cka.main([str(some), "--out", str(tmp_path / "some_cka.h5")])
    with pytest.raises(UserError, match=r"some_cka\.h5: has other layers than .*cka\.h5"):
        plot_heatmaps.panel_of("row", [str(network_files[0]), str(tmp_path / "some_cka.h5")], {})


def test_probes_and_deletions_are_read_from_their_tables_alone(tmp_path):
    (tmp_path / "some.csv").write_text("layer,kind\n")
    for name, words in (("some.csv", r"has other columns than expected \(block\)"), ("missing.csv", "no such file")):
        with pytest.raises(UserError, match=rf"{name}: {words}"):
            plot_blocks.read_probes(tmp_path / name)


def test_probes_on_layers_that_were_not_dumped_are_one_sentence(network_files, tmp_path):
    (tmp_path / "probes.csv").write_text(
        "layer,kind,stage,block,features,train_accuracy,test_accuracy\nstage9.add,add,9,1,8,0.5,0.5\n"
    )
    (tmp_path / "deletion.csv").write_text("deletion,stage,block,deleted,accuracy\nalone,9,2,1,0.5\n")
    for probes, deletion, layer in (("probes.csv", None, "stage9.add"), (None, "deletion.csv", "stage9.block2")):
        paths = [path and tmp_path / path for path in (probes, deletion)]
        with pytest.raises(UserError, match=rf"cka\.h5: has no layer {layer}, which has a probe or a block; dump all"):
            plot_blocks.read_network(network_files[0], tmp_path / "pca.h5", *paths, {})


def test_refuses_unknown_colours_and_foreign_metrics(network_files, tmp_path):
    cka_file, metrics = network_files
    command = ["--panel", "depth", str(cka_file), "--out", f"{tmp_path}/a.png"]
    with pytest.raises(UserError, match="colour map 'brown' is unknown"):
        plot_heatmaps.main([*command, "--colour-map", "brown"])
    metrics.write_text("[]")
    with pytest.raises(UserError, match=r"metrics\.json: is not a metrics\.json"):
        plot_heatmaps.main([*command, "--metrics", str(metrics)])
    assert not (tmp_path / "a.png").exists()


def summary(tmp_path):
    """scripts/summarise.py on the files of `network_files`."""
    summarise.main([str(tmp_path), f"--out={tmp_path}/summary.csv"])
    return pd.read_csv(f"{tmp_path}/summary.csv").iloc[0]


def test_the_files_of_a_summary_are_of_one_network(network_files, tmp_path):
    network_files[1].write_text(json.dumps({**METRICS, "seed": 2}))
    with pytest.raises(UserError, match="seed1 and its metrics.json of .*seed2; make them again"):
        summary(tmp_path)


def test_a_summary_of_incomplete_metrics_is_refused(network_files, tmp_path):
    network_files[1].write_text(json.dumps({key: value for key, value in METRICS.items() if key != "parameters"}))
    with pytest.raises(UserError, match=r"metrics\.json: lacks a right value of parameters; train the network again"):
        summary(tmp_path)


def test_the_summary_has_a_line_a_network(network_files, tmp_path):
    cka_file, metrics_file = network_files
    line = summary(tmp_path)
    size = oracles.block_size(similarities.read(cka_file).values, 0.9)
    assert line["block_size_0.9"] == pytest.approx(size / 28, abs=1e-4)
    assert (line.model, line.layers, line.test_accuracy) == (ORIGIN.model, 28, 0.875)
    _, first = components.read(tmp_path / "pca.h5")
    assert line.largest_first_component_share == pytest.approx(first.share.max(), abs=1e-4)
    metrics_file.write_text(json.dumps({**METRICS, "seed": 2}))
    with pytest.raises(
        UserError, match=r"is of blobs-resnet8-w1-f100/seed1 and .* of blobs-resnet8-w1-f100/seed2; make"
    ):
        summary(tmp_path)


@pytest.mark.usefixtures("network_files")
def test_figure_3_holds_every_value_and_refuses_components_of_another_network(tmp_path):
    files = [f"--cka={tmp_path}/cka.h5", f"--components={tmp_path}/pca.h5", f"--metrics={tmp_path}/metrics.json"]
    plot_components.main([*files, "--out", *(f"{tmp_path}/fig3.{end}" for end in ("pdf", "png", "csv"))])
    table = pd.read_csv(tmp_path / "fig3.csv")
    comparison = similarities.read(tmp_path / "cka.h5")
    _, first = components.read(tmp_path / "pca.h5")
    for column, values in (
        ("cka", comparison.cka),
        ("cka_without_first_component", comparison.deflated),
        ("squared_cosine", first.agreement),
        ("share_first", np.repeat(first.share, 28)),
        ("squared_cosine_in_minibatches", comparison.squared_cosine),
        ("share_first_in_minibatches", np.repeat(comparison.first.share, 28)),
    ):
        np.testing.assert_allclose(table[column].to_numpy(), values.ravel(), atol=1e-6)
    assert (tmp_path / "fig3.pdf").exists()
    other = dumps.Origin(ORIGIN.model, 2, ORIGIN.data_checksum, ORIGIN.split)
    small.write_components(tmp_path / "pca.h5", first, other)
    with pytest.raises(UserError, match=r"pca\.h5: holds 28 layers of .*/seed2, and .*cka\.h5 28 layers of .*/seed1"):
        plot_components.main([*files, "--out", f"{tmp_path}/other.png"])
    assert not (tmp_path / "other.png").exists()


def test_a_known_block_is_found_and_a_network_without_one_has_none():
    """Layers 3 to 8 of 12 share one dominant component, layer 10 has one of its own."""
    rng = np.random.default_rng(0)
    dominant = rng.standard_normal((200, 1))
    activations = [rng.standard_normal((200, 20)) for _ in range(12)]
    for layer in range(3, 9):
        activations[layer] = activations[layer] + 10 * dominant @ rng.standard_normal((1, 20))
    activations[10] = activations[10] + 10 * rng.standard_normal((200, 1)) @ rng.standard_normal((1, 20))
    u, s, _ = zip(*(np.linalg.svd(x - x.mean(axis=0), full_matrices=False) for x in activations), strict=True)
    share = np.array([values[0] ** 2 / (values**2).sum() for values in s])
    vectors = np.stack([vector[:, 0] for vector in u])
    found = block_structure.layers_in_block(share, (vectors @ vectors.T) ** 2)
    assert found.tolist() == [3 <= layer < 9 for layer in range(12)]
    without = [0, 1, 2, 9, 11]
    assert not block_structure.layers_in_block(
        share[without], ((vectors @ vectors.T) ** 2)[np.ix_(without, without)]
    ).any()


@given(st.integers(0, 10**6), st.integers(1, 9))
def test_layers_in_block_are_those_of_the_definition(seed, layers):
    """With shares and cosines exactly at their thresholds among them, and layers that have neither."""
    rng = np.random.default_rng(seed)
    share = rng.choice([0.3, 0.5, 0.6, 0.9], layers)
    agreement = rng.choice([0.1, 0.8, 0.9, 0.95], (layers, layers))
    agreement = np.maximum(agreement, agreement.T)
    np.fill_diagonal(agreement, 1)
    undefined = rng.random(layers) < 0.1
    share[undefined] = agreement[undefined] = agreement[:, undefined] = np.nan
    assert block_structure.layers_in_block(share, agreement).tolist() == oracles.layers_in_block(share, agreement)


def test_means_among_layers_are_over_the_same_pairs_and_leave_out_the_diagonal():
    """Layers 0, 1 and 3: of their three pairs one has no CKA without the first component, one none at all."""
    values = np.arange(16.0).reshape(4, 4)
    deflated = values + 100
    chosen = np.array([True, True, False, True])
    assert block_structure.means_among(values, deflated, chosen) == ((1 + 3 + 7) / 3, 100 + (1 + 3 + 7) / 3, 0)
    deflated[0, 3] = np.nan
    assert block_structure.means_among(values, deflated, chosen) == ((1 + 7) / 2, 100 + (1 + 7) / 2, 1)
    values[1, 3] = np.nan
    assert block_structure.means_among(values, deflated, chosen) == (1, 101, 2)
    deflated[0, 1] = np.nan
    *means, left_out = block_structure.means_among(values, deflated, chosen)
    assert np.isnan(means).all()
    assert left_out == 3
    *means, left_out = block_structure.means_among(values, deflated, np.array([True, False, False, False]))
    assert np.isnan(means).all()
    assert left_out == 0


def test_table_b_is_mean_and_standard_deviation_over_seeds(tmp_path):
    paths = []
    for depth, width, seed, accuracy in ((8, 1, 1, 0.5), (8, 1, 2, 0.7), (8, 2, 1, 0.8), (14, 1, 1, 0.9)):
        network = {**METRICS, "model": f"m{depth}w{width}", "depth": depth, "width": width, "seed": seed}
        paths.append(tmp_path / f"{depth}-{width}-{seed}.json")
        paths[-1].write_text(json.dumps({**network, "test_accuracy": accuracy}))
    out = [f"{tmp_path}/B.{end}" for end in ("csv", "md", "pdf", "png")]
    tabulate_accuracy.main([*map(str, paths), "--out", *out])
    table = pd.read_csv(out[0])
    assert table[["depth", "width", "seeds"]].to_numpy().tolist() == [[8, 1, 2], [8, 2, 1], [14, 1, 1]]
    assert table.test_mean.tolist() == pytest.approx([0.6, 0.8, 0.9])
    assert table.test_std[0] == pytest.approx(0.1 * 2**0.5, abs=1e-6)
    assert np.isnan(table.test_std[1])
    text = Path(out[1]).read_text()
    assert "| 8 | 60.0 ± 14.1 (2) | 80.0 (1) |" in text
    assert "| 14 | 90.0 (1) |  |" in text
    figure = accuracies.draw_accuracies(table, "magma")
    assert [text.get_text() for text in figure.axes[0].texts] == ["60.0\n± 14.1", "80.0", "90.0"]
    plt.close(figure)


def table_b(tmp_path, *options, networks):
    """(table, Markdown) of table B of networks, dicts."""
    paths = []
    for number, differing in enumerate(networks):
        paths.append(tmp_path / f"{number}.json")
        content = {**METRICS, "dataset": "cifar10", **differing, "model": f"m{number}"}
        paths[-1].write_text(json.dumps(content))
    out = [f"{tmp_path}/B.csv", f"{tmp_path}/B.md"]
    tabulate_accuracy.main([*map(str, paths), *options, "--out", *out])
    return tables.read(out[0]), Path(out[1]).read_text()


def test_table_b_names_shares_of_the_data_as_they_are(tmp_path):
    table, text = table_b(tmp_path, networks=[{"fraction": 0.125}, {"fraction": 0.12}, {"fraction": 0.07}])
    for share in ("12.5%", "12%", "7%"):
        assert f"**resnet, {share} of the training set**" in text
    figure = accuracies.draw_accuracies(table, "magma")
    titles = [axis.get_title() for axis in figure.axes[:3]]
    assert titles == [f"resnet, {share} of data" for share in ("12.5%", "12%", "7%")]
    plt.close(figure)


def test_published_accuracies_stand_beside_those_of_the_same_networks(tmp_path):
    known = [{"depth": depth, "width": 1} for depth in (20, 32, 44, 56, 110)]
    others = [
        {"depth": 14, "width": 1},
        {"depth": 20, "width": 2},
        {"depth": 20, "width": 1, "family": "plain"},
        {"depth": 20, "width": 1, "fraction": 0.5},
    ]
    table, text = table_b(tmp_path, "--published", networks=known + others)
    found = table.dropna(subset="published")
    assert found[["family", "fraction", "width"]].drop_duplicates().to_numpy().tolist() == [["resnet", 1, 1]]
    values = dict(zip(found.depth, found.published, strict=True))
    assert values == {20: 0.9125, 32: 0.9249, 44: 0.9283, 56: 0.9303, 110: 0.9357}
    assert "| depth | 1x | 1x, He et al. | 2x |\n|---|---|---|---|" in text
    assert "| 14 | 87.5 (1) |  |  |\n| 20 | 87.5 (1) | 91.25 | 87.5 (1) |\n| 32 | 87.5 (1) | 92.49 |  |" in text
    assert "He et al.: He, Zhang, Ren and Sun" in text
    assert text.count("1x, He et al.") == 1


@pytest.mark.parametrize(("options", "dataset"), [([], "cifar10"), (["--published"], "cifar100")])
def test_of_other_images_nothing_is_published(tmp_path, options, dataset):
    table, text = table_b(tmp_path, *options, networks=[{"depth": 20, "width": 1, "dataset": dataset}])
    assert table.published.isna().all()
    assert "| depth | 1x |\n" in text
    assert "He et al." not in text
