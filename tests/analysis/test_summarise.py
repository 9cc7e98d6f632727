"""The table of networks."""

import json

import numpy as np
import oracles
import pytest
import small_network
import summarise
from small_dumps import ORIGIN
from small_network import METRICS

from widedeep.formats import components, similarities, tables
from widedeep.runtime import files
from widedeep.runtime.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """The folder of one network."""
    small_network.write_network(tmp_path)
    return tmp_path


def summary(folder):
    """The line of the network in a folder."""
    summarise.main([str(folder), f"--out={folder}/summary.csv"])
    table = tables.read(f"{folder}/summary.csv")
    assert len(table) == 1
    return table.iloc[0]


def test_the_files_of_a_summary_are_of_one_network(folder):
    (folder / "metrics.json").write_text(json.dumps({**METRICS, "seed": 2}))
    with pytest.raises(UserError, match=rf"{folder}: .*cka\.h5 .*/seed1\b.*metrics\.json .*/seed2\b"):
        summary(folder)


def test_a_summary_of_incomplete_metrics_is_refused(folder):
    (folder / "metrics.json").write_text(json.dumps({key: METRICS[key] for key in METRICS if key != "parameters"}))
    with pytest.raises(UserError, match=r"metrics\.json: .*\bparameters\b"):
        summary(folder)


def test_the_summary_has_a_line_a_network(folder):
    line = summary(folder)
    values = similarities.read(folder / "cka.h5").cka
    for threshold in (0.8, 0.9, 0.95):
        expected = oracles.block_size(values, threshold) / 28
        assert line[f"block_size_{threshold}"] == pytest.approx(expected, abs=1e-4)
    assert (line.model, line.layers, line.test_accuracy) == (ORIGIN.model, 28, 0.875)
    _, first = components.read(folder / "pca.h5")
    assert line.largest_first_component_share == pytest.approx(first.share.max(), abs=1e-4)


def test_the_fall_of_cka_is_of_pairs_that_have_one_without_the_first_component_too(tmp_path):
    """Layers 1 to 3 of five are the block; layer 3 is its first component alone, and was not found to the tolerance."""
    residual = [0, components.TOLERANCE, np.nan, 2 * components.TOLERANCE, 0]
    small_network.write_components(tmp_path / "pca.h5", "a/seed1", 5, [1, 2, 3], residual=np.array(residual))
    values, deflated = np.full((5, 5), 0.5), np.full((5, 5), 0.3)
    values[3] = values[:, 3] = 1
    deflated[3] = deflated[:, 3] = np.nan
    small_network.write_similarities(tmp_path / "cka.h5", "/", ("a/seed1", "a/seed1"), values, deflated)
    rest = {"family": "resnet", "depth": 8, "width": 1.0, "fraction": 0.00125, "parameters": 1}
    rest |= {"test_accuracy": 0.5, "train_accuracy": 0.5}
    files.write_json(tmp_path / "metrics.json", {"model": "a", "seed": 1, **rest})
    line = summary(tmp_path)
    assert line.fraction == 0.00125
    assert line.layers_in_block == 0.6
    assert (line.cka_in_block, line.cka_in_block_without_first_component) == (0.5, 0.3)
    assert line.pairs_in_block_left_out == 2
    assert line.components_not_converged == 1
