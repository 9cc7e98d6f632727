"""Layers that have no CKA, from the dump to the figures: NaN, a reason in the file, hatched when drawn."""

import json
import re

import compute_cka
import compute_pairs
import converge_cka
import decide_findings
import dump_activations
import matplotlib.pyplot as plt
import numpy as np
import plot_components
import plot_heatmaps
import pytest
import small
import small_weights
import summarise
import summarise_pairs
import torch

from widedeep.analysis import activations, block_structure
from widedeep.data import minibatches
from widedeep.figures import style
from widedeep.formats import components, dumps, similarities, tables
from widedeep.measures import cka
from widedeep.networks import tracing

# A ReLU that is zero for all images, what led to it, and the convolution and batch norm that see nothing else.
DEAD = [f"stage2.block1.{name}" for name in ("bn1", "relu1", "conv2", "bn2")]
# A batch norm whose squares float32 cannot hold, and all behind it.
OVERFLOWING = ["stage3.block1.bn2", "stage3.block1.add", "stage3.block1.relu2", "pool", "logits"]
REASONS = {1: dict.fromkeys(DEAD, cka.CONSTANT), 2: dict.fromkeys(OVERFLOWING, cka.NOT_FINITE)}


def kill(network):
    network.stage2.block1.bn1.weight.zero_()
    network.stage2.block1.bn1.bias.fill_(-1)


def overflow(network):
    network.stage3.block1.bn2.weight.fill_(3e38)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder: dataset.h5; 1, 2: two networks, the first with a dead layer, the second overflows; pairs.h5, tables."""
    folder = tmp_path_factory.mktemp("study")
    path = small.write_dataset(folder / "dataset.h5", 60, 48)
    for seed, damage in ((1, kill), (2, overflow)):
        place = folder / str(seed)
        network = small.train(seed).network
        with torch.no_grad():
            damage(network)
        place.mkdir()
        small_weights.write(place / "model.safetensors", network, path, seed)
        configuration = {"model": str(small.MODEL), "family": "resnet", "depth": 8, "width": 0.5, "fraction": 1.0}
        rest = {"seed": seed, "test_accuracy": 0.5, "train_accuracy": 0.5, "parameters": 1}
        (place / "metrics.json").write_text(json.dumps({**configuration, **rest}))
        out = ["--out", f"{place}/activations.h5", "--components", f"{place}/pca.h5"]
        words = ["--data", str(path), "--batch-size", "16", "--passes", "1", *out]
        dump_activations.main([f"{place}/model.safetensors", *words])
        compute_cka.main([f"{place}/activations.h5", "--out", f"{place}/cka.h5"])
    dumps = [f"{folder}/{seed}/activations.h5" for seed in (1, 2)]
    compute_pairs.main(["--first", *dumps, "--out", f"{folder}/pairs.h5"])
    summarise.main([f"{folder}/1", f"{folder}/2", "--out", f"{folder}/summary.csv"])
    words = ["--cka", *(f"{folder}/{seed}/cka.h5" for seed in (1, 2)), "--out", f"{folder}/pairs.csv"]
    summarise_pairs.main(["--pairs", f"{folder}/pairs.h5", *words])
    return folder


def undefined(side):
    return {name: reason for name, reason in zip(side.names, side.undefined["cka"], strict=True) if reason}


def test_a_layer_of_one_component_has_a_cka_and_none_without_it(tmp_path):
    network, images = small.train(3).network.eval(), small.split(48, 1).images
    with torch.no_grad():
        network.logits.weight.copy_(network.logits.weight[:1] * torch.tensor([[1.0], [2.0], [-1.0]]))
    ids = minibatches.minibatches(48, 16, 1, 0)
    layers, origin = tracing.layers_of(network), dumps.Origin("one", 1, "abc", "test")
    activations.write_dump(tmp_path / "a.h5", network, layers, images, ids, "gram", origin, small.CPU)
    compute_cka.main([f"{tmp_path}/a.h5", "--out", f"{tmp_path}/cka.h5"])
    read = similarities.read(tmp_path / "cka.h5")
    assert not undefined(read.first)
    assert np.isfinite(read.cka).all()
    reasons = dict(zip(read.first.names, read.first.undefined["deflated"], strict=True))
    assert [name for name, reason in reasons.items() if reason] == ["logits"]
    assert reasons["logits"] == cka.CONSTANT
    assert np.isnan(read.deflated[-1]).all()
    assert np.isfinite(read.deflated[:-1, :-1]).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_file_of_a_network_says_which_layers_have_no_cka_and_why(study, seed):
    read = similarities.read(study / f"{seed}/cka.h5")
    assert undefined(read.first) == undefined(read.second) == REASONS[seed]
    assert read.first.undefined["deflated"] == read.first.undefined["cka"]
    without = np.array([name in REASONS[seed] for name in read.first.names])
    for values in (read.cka, read.deflated, read.squared_cosine):
        np.testing.assert_array_equal(np.isnan(values), without[:, None] | without)
    np.testing.assert_array_equal(np.isnan(read.first.share), without)
    _, first = components.read(study / f"{seed}/pca.h5")
    # Over the whole test set, not its squares alone, 1e30 still has a component.
    constant_or_overflowing = {name for name, share in zip(first.names, first.share, strict=True) if np.isnan(share)}
    assert constant_or_overflowing == set(REASONS[seed])


def test_the_file_of_a_pair_says_it_of_both(study):
    read = similarities.read(study / "pairs.h5", "seed1--seed2")
    assert undefined(read.first) == REASONS[1]
    assert undefined(read.second) == REASONS[2]
    rows, columns = (np.array([bool(reason) for reason in side.undefined["cka"]]) for side in (read.first, read.second))
    np.testing.assert_array_equal(np.isnan(read.cka), rows[:, None] | columns)


def test_tables_hold_what_is_defined(study):
    summary = tables.read(study / "summary.csv")
    assert summary.largest_first_component_share.between(0, 1).all()
    assert summary["similar_range_0.8"].between(1 / 28, 1).all()
    pairs = tables.read(study / "pairs.csv")
    assert pairs[["best_inside", "best_outside"]].notna().any(axis=1).all()


@pytest.fixture
def drawn(monkeypatch):
    """The figures that a program draws, in a list, before it saves them."""
    figures, save = [], style.save

    def keeping(figure, *rest):
        figures.append(figure)
        save(figure, *rest)

    monkeypatch.setattr(style, "save", keeping)
    yield figures
    plt.close("all")


def check_drawing(axis, values):
    """Cells without a value show the hatched ground, others their colour."""
    (image,) = axis.images
    np.testing.assert_array_equal(np.ma.getmaskarray(image.get_array()), np.isnan(values))
    assert axis.patch.get_hatch()
    figure = axis.figure
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    colours = {}
    for unknown in (True, False):
        row, column = np.argwhere(np.isnan(values) == unknown)[0]
        corners = axis.transData.transform([(column + 0.2, row + 0.8), (column + 0.8, row + 0.2)])
        (left, top), (right, bottom) = np.rint(corners).astype(int)
        cell = pixels[len(pixels) - top : len(pixels) - bottom, left:right, :3]
        colours[unknown] = np.unique(cell.reshape(-1, 3), axis=0)
    assert np.ptp(colours[True], axis=1).max() == 0  # grey, ...
    assert len(colours[True]) > 1  # ... of ground and strokes
    assert len(colours[False]) == 1


def test_heatmaps_are_hatched_where_there_is_no_cka_and_the_table_is_empty_there(study, drawn, tmp_path):
    sources = [f"{study}/1/cka.h5", f"{study}/2/cka.h5", f"{study}/pairs.h5::seed1--seed2"]
    panels = [word for source in sources for word in ("--panel", "row", source)]
    plot_heatmaps.main([*panels, "--out", *(f"{tmp_path}/fig1.{end}" for end in ("pdf", "png", "csv"))])
    (figure,) = drawn
    figure.set_dpi(400)
    comparisons = [similarities.read(*source.split("::")) for source in sources]
    for axis, comparison in zip(figure.axes, comparisons, strict=False):
        check_drawing(axis, comparison.cka)
    table = tables.read(tmp_path / "fig1.csv")
    expected = np.concatenate([comparison.cka.ravel() for comparison in comparisons])
    np.testing.assert_allclose(table.cka, expected, atol=1e-6)  # NaN where it is NaN
    for end in ("pdf", "png"):
        tables.check(f"{tmp_path}/fig1.{end}")


def test_a_mean_is_of_the_comparisons_that_have_a_cka_and_hatched_where_none_has(study, drawn, tmp_path):
    """Of two comparisons; in each one other layers are undefined."""
    sources = [f"{study}/1/cka.h5", f"{study}/2/cka.h5"]
    plot_heatmaps.main(["--panel", "row", *sources, "--out", f"{tmp_path}/F.png", f"{tmp_path}/F.csv"])
    first, second = (similarities.read(source).cka for source in sources)
    means = tables.read(tmp_path / "F.csv").cka.to_numpy().reshape(first.shape)
    expected = (first + second) / 2
    expected[np.isnan(first)] = second[np.isnan(first)]
    expected[np.isnan(second)] = first[np.isnan(second)]
    assert 0 < np.isnan(expected).sum() < np.isnan(first).sum()
    np.testing.assert_allclose(means, expected, atol=1e-6)
    (figure,) = drawn
    figure.set_dpi(400)
    check_drawing(figure.axes[0], expected)


def test_figure_3_is_hatched_and_its_curve_has_gaps(study, drawn, tmp_path):
    words = []
    for option, name in (("--cka", "cka.h5"), ("--components", "pca.h5")):
        words += [option, f"{study}/1/{name}", f"{study}/2/{name}"]
    plot_components.main([*words, "--out", f"{tmp_path}/fig3.png", f"{tmp_path}/fig3.csv"])
    (figure,) = drawn
    figure.set_dpi(400)
    for seed, axes in ((1, figure.axes[:4]), (2, figure.axes[4:8])):
        read = similarities.read(study / f"{seed}/cka.h5")
        _, first = components.read(study / f"{seed}/pca.h5")
        for axis, values in zip(
            axes[:2] + axes[3:], (read.cka, block_structure.squared_cosines(first.values), read.deflated), strict=True
        ):
            check_drawing(axis, values)
        for line, share in zip(axes[2].lines, (read.first.share, first.share), strict=False):
            np.testing.assert_array_equal(line.get_ydata(), share)
    table = tables.read(tmp_path / "fig3.csv")
    assert table.cka.isna().sum() == 28**2 - 24**2 + 28**2 - 23**2


def test_figure_a_leaves_out_what_is_undefined_and_says_so(study, drawn, tmp_path):
    words = ["--data", f"{study}/dataset.h5", "--batch-sizes", "8", "16", "--passes", "2"]
    out = ["--out", f"{tmp_path}/A.png", f"{tmp_path}/A.csv"]
    converge_cka.main(["--weights", f"{study}/2/model.safetensors", *words, *out])
    table = tables.read(tmp_path / "A.csv")
    overflowing = (table["second"] == "stage3.block1.relu2") | (table["first"] == "stage3.block1.relu2")
    for estimator in ("unbiased", "biased", "full_batch"):
        assert table[estimator].isna().equals(overflowing)
    (figure,) = drawn
    assert [axis.patch.get_hatch() is not None for axis in figure.axes[:3]] == [False, True, True]


def test_findings_are_decided_without_what_is_undefined(study, tmp_path):
    decide_findings.main([f"{study}/summary.csv", f"{study}/pairs.csv", "--out", f"{tmp_path}/findings.csv"])
    assert not re.search(r"\bnan\b", (tmp_path / "findings.csv").read_text())
