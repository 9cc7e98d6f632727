"""Figures of predictions, from the files to the tables and the drawings."""

import itertools

import compare_examples
import compare_predictions
import drawn_images
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
import small
from sklearn.metrics import cohen_kappa_score
from test_streaming import write_images

from widedeep.analysis import agreement, examples
from widedeep.data import folders, loading
from widedeep.figures import predictions as drawing
from widedeep.figures import style
from widedeep.formats import dataset, dumps, predictions, tables
from widedeep.runtime import files
from widedeep.runtime.errors import UserError

LOGS = scipy.special.log_softmax(3 * np.random.default_rng(5).normal(size=(4, 30, 7)), axis=2)


def test_predictions_on_other_data_are_refused(tmp_path):
    for name in "ab":
        predictions.write(tmp_path / name, LOGS[0], np.zeros(30), dumps.Origin("m", 1, name * 12, "test"))
    with pytest.raises(UserError, match=r"/b: .*/a\b.*\bb{12}\b"):
        predictions.read_all([tmp_path / "a", tmp_path / "b"])


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match=r"x\.h5: is a text.*predictions\.h5"):
        predictions.read_all([tmp_path / "x.h5"])


def write_networks(folder, configurations, examples=40):
    """Predictions and metrics of seeds 1 and 2 of (model, depth, width, logits of the right class); their paths."""
    rng = np.random.default_rng(0)
    labels = np.arange(examples) % 3
    paths = []
    for model, depth, width, strength in configurations:
        for seed in (1, 2):
            logits = rng.normal(size=(examples, 3))
            logits[np.arange(examples), labels] += strength
            place = folder / f"{model}-{seed}"
            origin = dumps.Origin(model, seed, dataset.describe(folder / "blobs.h5").test_checksum, "test")
            predictions.write(place / "predictions.h5", scipy.special.log_softmax(logits, 1), labels, origin)
            network = {
                "model": model,
                "seed": seed,
                "family": "resnet",
                "depth": depth,
                "width": width,
                "fraction": 1.0,
            }
            files.write_json(place / "metrics.json", network)
            paths.append(place)
    return paths


@pytest.fixture
def networks(tmp_path):
    small.write_dataset(tmp_path / "blobs.h5")
    return write_networks(tmp_path, [("w", 8, 2.0, 1.5), ("d", 14, 1.0, 1.5), ("x", 20, 1.0, 9.0)])


def test_a_network_that_answers_nothing_is_never_right_and_its_row_of_table_g_is_hatched(networks, tmp_path):
    (read,) = predictions.read_all([networks[0] / "predictions.h5"])
    for place in networks[:2]:  # both seeds of ResNet-8 2x
        answers = read.log_probabilities.copy()
        answers[7] = np.nan
        origin = dumps.Origin("w", int(place.name[-1]), read.data_checksum, "test")
        predictions.write(place / "predictions.h5", answers, np.zeros(len(answers)), origin)
    (damaged,) = predictions.read_all([networks[0] / "predictions.h5"])
    assert np.flatnonzero(damaged.classes != read.classes).tolist() == [7]
    assert damaged.classes[7] != damaged.labels[7] == 0  # argmax takes NaN for the largest
    out = str(tmp_path / "G.csv")
    compare_predictions.main([*options(networks), "--out", out, str(tmp_path / "G.png")])
    table = tables.read(out)
    of_damaged = (table["first"] == "ResNet-8 2x") | (table["second"] == "ResNet-8 2x")
    for measure in ("agreement", "kappa", "kappa_errors", "kl", "hellinger"):
        assert table[measure].isna().equals(of_damaged), measure
    figure = drawing.draw_agreement(table, "magma")
    assert all(axis.patch.get_hatch() for axis in figure.axes)
    assert np.ma.getmaskarray(figure.axes[0].collections[0].get_array()).sum() == 5
    plt.close("all")


def options(networks):
    return [
        "--predictions",
        *(str(place / "predictions.h5") for place in networks),
        "--metrics",
        *(str(place / "metrics.json") for place in networks),
    ]


def test_table_g_is_within_and_across_configurations(networks, tmp_path):
    out = str(tmp_path / "G.csv")
    compare_predictions.main([*options(networks), "--out", out, str(tmp_path / "G.png")])
    table = pd.read_csv(out).set_index(["first", "second"])
    read = predictions.read_all([place / "predictions.h5" for place in networks])
    own = table.loc[("ResNet-8 2x", "ResNet-8 2x")]
    assert own.pairs == 2
    assert own.agreement == pytest.approx((read[0].classes == read[1].classes).mean())
    across = table.loc[("ResNet-8 2x", "ResNet-14 1x")]
    assert across.pairs == 4
    kl = agreement.kl_divergence(np.stack([network.log_probabilities for network in read]))
    assert across.kl == pytest.approx(kl[:2, 2:4].mean(), abs=1e-6)
    assert across.kl_max == pytest.approx(kl[:2, 2:4].max(), abs=1e-6)
    kappa = [cohen_kappa_score(right_of(a), right_of(b)) for a in read[:2] for b in read[2:4]]
    assert across.kappa == pytest.approx(np.mean(kappa), abs=1e-6)
    assert across.hellinger == pytest.approx((read[0].classes != read[3].classes).mean(), abs=1e-6)  # one seed a set


def right_of(network):
    return network.classes == network.labels


def test_the_table_of_pairs_has_a_line_for_each_two_networks(networks, tmp_path):
    out = str(tmp_path / "G-pairs.csv")
    compare_predictions.main([*options(networks), "--out", str(tmp_path / "G.csv"), "--pairs", out])
    table = tables.read(out)
    read = predictions.read_all([place / "predictions.h5" for place in networks])
    pairs = [*itertools.combinations(read, 2)]
    assert table["first"].tolist() == [first.label for first, _ in pairs]
    assert table["second"].tolist() == [second.label for _, second in pairs]
    titles = {"w": "ResNet-8 2x", "d": "ResNet-14 1x", "x": "ResNet-20 1x"}
    assert table.configuration_first.tolist() == [titles[first.model] for first, _ in pairs]
    assert table.configuration_second.tolist() == [titles[second.model] for _, second in pairs]
    for line, (first, second) in zip(table.itertuples(), pairs, strict=True):
        assert line.agreement == pytest.approx((first.classes == second.classes).mean(), abs=1e-6)
        if "x" in first.model + second.model:  # always right
            assert np.isnan(line.kappa)
        else:
            assert line.kappa == pytest.approx(cohen_kappa_score(right_of(first), right_of(second)), abs=1e-6)
            among_errors = agreement.kappa_among_errors([first.classes, second.classes], first.labels)
            assert line.kappa_errors == pytest.approx(among_errors[0, 1], abs=1e-6, nan_ok=True)


def test_table_g_has_a_row_for_each_configuration_whatever_figures_call_it():
    """Shares of the data that are one when rounded, and two families; without metrics.json the names of the models."""
    shares = {"a": 0.12, "b": 0.125, "c": 0.001, "d": 0.004}
    found, known = [], {}
    for model, family in [*((model, "resnet") for model in shares), ("e", "bottleneck"), ("f", "resnet")]:
        for seed in (1, 2):
            found.append(predictions.Predictions(f"{model}.h5", model, seed, "abc", LOGS[seed], np.zeros(30)))
            size = {"family": family, "depth": 50, "width": 1.0, "fraction": shares.get(model, 1)}
            known[f"{model}/seed{seed}"] = size | {"seed": seed}
    agreeing = compare_predictions.agreement_of(found)
    table = compare_predictions.table_of(found, known, agreeing)
    assert len(table) == 6**2
    assert table.pairs[table["first"] == table["second"]].tolist() == [2] * 6
    names = [f"ResNet-50 1x, {share} of data" for share in ("12%", "12.5%", "0.1%", "0.4%")]
    assert table["second"][:6].tolist() == [*names, "ResNet (bottleneck)-50 1x", "ResNet-50 1x"]
    assert compare_predictions.table_of(found, {}, agreeing)["second"][:6].tolist() == list("abcdef")


def test_figure_6_compares_the_closest_wide_and_deep_networks(networks, tmp_path):
    out = {name: str(tmp_path / f"{name}.csv") for name in ("examples", "classes", "fig6")}
    words = ["--examples", out["examples"], f"{tmp_path}/e.png", "--classes", out["classes"], f"{tmp_path}/c.png"]
    compare_examples.main([*options(networks), "--data", f"{tmp_path}/blobs.h5", *words, "--summary", out["fig6"]])
    summary = pd.read_csv(out["fig6"]).iloc[0]
    assert (summary.wide, summary.deep) == ("ResNet-8 2x", "ResNet-14 1x")
    assert [*summary.index] == tables.columns("fig6.csv")
    read = predictions.read_all([place / "predictions.h5" for place in networks[:4]])
    right = [network.classes == network.labels for network in read]
    accuracies = [[part.mean() for part in right[start : start + 2]] for start in (0, 2)]
    interval = scipy.stats.ttest_ind(*accuracies, equal_var=False).confidence_interval(0.9)
    assert (summary.accuracy_low, summary.accuracy_high) == pytest.approx((interval.low, interval.high), abs=1e-6)
    varying = sum(0 < sum(column) < 4 for column in zip(*right, strict=True))
    assert summary.each_way == varying // 4
    assert summary.splits == 6
    by_example = pd.read_csv(out["examples"])
    assert by_example.wide.tolist() == right[0].astype(float).tolist()
    assert by_example.deep.tolist() == right[2].astype(float).tolist()
    assert by_example.control_second.tolist() == right[1].astype(float).tolist()
    assert summary.difference == pytest.approx((right[0] != right[2]).mean(), abs=1e-6)
    assert summary.control == pytest.approx((right[0] != right[1]).mean(), abs=1e-6)
    classes = pd.read_csv(out["classes"])
    dark = read[0].labels == 0
    assert classes.wide[0] == pytest.approx(np.mean([right[0][dark].mean(), right[1][dark].mean()]), abs=1e-6)
    assert classes["class"].tolist() == ["dark", "grey", "light"]


def test_figure_6_shows_images_that_stay_in_their_files(networks, tmp_path):
    place = tmp_path / "images"
    write_images(place, classes=("a", "b", "c"), train=1, test=14)
    dataset.write_listing(tmp_path / "listing.h5", "photos", place, 32, *folders.listing(place))
    test = loading.read(tmp_path / "listing.h5", "test")
    read = predictions.read_all([place / "predictions.h5" for place in networks[:4]])
    rows = [(network.classes == network.labels)[None] for network in read]
    wide, deep = (np.concatenate([rows[index], rows[index + 1]]) for index in (0, 2))
    configurations = [
        examples.Configuration(name, depth, width, 1.0, correct)
        for name, depth, width, correct in (("wide", 8, 2, wide), ("deep", 14, 1, deep))
    ]
    table = compare_examples.table_of_examples(*configurations, test.labels[:40])
    pictures = compare_examples.most_different(table, test.images, ["a", "b", "c"])
    assert len(pictures) > 2
    summary = {"wide": "wide", "deep": "deep", "seeds_a_set": 1, "difference": 0, "control": 0, "p": 1}
    figure = drawing.draw_examples(table, summary, pictures, "magma")
    assert figure.subfigs[1].axes[0].images[0].get_array().shape == (32, 32, 3)
    plt.close("all")


def test_pictures_are_drawn_whole_and_in_their_places(tmp_path):
    """Also in a figure of several parts."""
    shares = np.linspace(0, 1, 30)
    table = pd.DataFrame(dict.fromkeys(("wide", "deep", "control_first", "control_second"), shares))
    rows, columns = np.indices((28, 28))
    pictures = [(str(of), (255 * ((rows // of + columns) % 2))[None].astype(np.uint8)) for of in range(1, 6)]
    figure = drawing.draw_examples(table, {"wide": "a", "deep": "b", "seeds_a_set": 2, "p": 0.5}, pictures, "magma")
    axes = [axis for axis in figure.axes if axis.images]
    figure.draw_without_rendering()
    before = [axis.get_window_extent().transformed(figure.transFigure.inverted()) for axis in axes]
    style.save(figure, pd.DataFrame(), [str(tmp_path / "figure.png")])
    for axis, place, (_, picture) in zip(axes, before, pictures, strict=True):
        np.testing.assert_array_equal(
            drawn_images.cells(tmp_path / "figure.png", figure, axis) > 0.5, picture[0, ::-1] > 0
        )
        now = axis.get_window_extent().transformed(figure.transFigure.inverted())
        np.testing.assert_allclose(now.p0 + now.p1, place.p0 + place.p1, atol=0.01)
        assert 0.9 < now.width / place.width <= 1.001
    plt.close(figure)


def test_figure_6_refuses_other_data_and_unknown_networks(networks, tmp_path):
    small.write_dataset(tmp_path / "other.h5", seed=7)
    out = ["--examples", f"{tmp_path}/e.csv", "--classes", f"{tmp_path}/c.csv", "--summary", f"{tmp_path}/s.csv"]
    with pytest.raises(UserError, match=r"other\.h5: .*checksum \w{12}\b.*w-1/predictions\.h5"):
        compare_examples.main([*options(networks), "--data", f"{tmp_path}/other.h5", *out])
    some = options(networks)[:-1]  # without the metrics of the last
    with pytest.raises(UserError, match=r"x-2/predictions\.h5: .*x/seed2.*--metrics"):
        compare_examples.main([*some, "--data", f"{tmp_path}/blobs.h5", *out])
    assert not list(tmp_path.glob("*.csv"))
