"""Table B: accuracies by depth and width, and those that others published."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tabulate_accuracy
from small_network import METRICS

from widedeep.figures import accuracies
from widedeep.formats import tables


def test_table_b_is_mean_and_standard_deviation_over_seeds(tmp_path):
    paths = []
    for depth, width, seed, accuracy in ((8, 1, 1, 0.5), (8, 1, 2, 0.7), (8, 2, 1, 0.8), (14, 1, 1, 0.9)):
        network = {**METRICS, "model": f"m{depth}w{width}", "depth": depth, "width": width, "seed": seed}
        paths.append(tmp_path / f"{depth}-{width}-{seed}.json")
        paths[-1].write_text(json.dumps({**network, "test_accuracy": accuracy}))
    out = [f"{tmp_path}/B.{end}" for end in ("csv", "md", "pdf", "png")]
    tabulate_accuracy.main(["--metrics", *map(str, paths), "--out", *out])
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
    tabulate_accuracy.main(["--metrics", *map(str, paths), *options, "--out", *out])
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
    known = [{"depth": depth, "width": 1, "test_accuracy": 0.9237} for depth in (20, 32, 44, 56, 110)]
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
    lines = [
        "| depth | 1x | 1x, He et al. | 1x, difference | 2x |",
        "|---|---|---|---|---|",
        "| 14 | 87.5 (1) |  |  |  |",
        "| 20 | 92.4 (1) | 91.25 | +1.1 | 87.5 (1) |",
        "| 32 | 92.4 (1) | 92.49 | -0.1 |  |",
        "| 44 | 92.4 (1) | 92.83 | -0.5 |  |",
    ]
    assert "\n".join(lines) in text
    assert "He et al.: He, Zhang, Ren and Sun" in text
    assert text.count("1x, He et al.") == 1
    assert "Differences are ours minus theirs" in text


def test_the_difference_to_a_published_accuracy_is_that_of_the_mean_over_seeds(tmp_path):
    of_seeds = [
        {"depth": 56, "width": 1, "seed": seed, "test_accuracy": value} for seed, value in ((1, 0.91), (2, 0.93))
    ]
    _, text = table_b(tmp_path, "--published", networks=of_seeds)
    assert "| 56 | 92.0 ± 1.4 (2) | 93.03 | -1.0 |" in text


@pytest.mark.parametrize(("options", "dataset"), [([], "cifar10"), (["--published"], "cifar100")])
def test_of_other_images_nothing_is_published(tmp_path, options, dataset):
    table, text = table_b(tmp_path, *options, networks=[{"depth": 20, "width": 1, "dataset": dataset}])
    assert table.published.isna().all()
    assert "| depth | 1x |\n" in text
    assert "He et al." not in text
