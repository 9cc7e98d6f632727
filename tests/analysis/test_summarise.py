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
        expected = oracles.similar_range(values, threshold) / 28
        assert line[f"similar_range_{threshold}"] == pytest.approx(expected, abs=1e-4)
    assert (line.model, line.layers, line.test_accuracy) == (ORIGIN.model, 28, 0.875)
    _, first = components.read(folder / "pca.h5")
    assert line.largest_first_component_share == pytest.approx(first.share.max(), abs=1e-4)


def test_the_block_structure_and_its_first_components(tmp_path):
    """Layers 4 to 11 of 20 are the block; layer 6 is its first component alone, and was not found to the tolerance."""
    residual = np.zeros(20)
    residual[[1, 2, 6]] = components.TOLERANCE, np.nan, 2 * components.TOLERANCE
    block = list(range(4, 12))
    small_network.write_components(tmp_path / "pca.h5", "a/seed1", 20, block, residual=residual)
    cka, deflated = small_network.with_block(20, 4, 12), small_network.with_block(20, 4, 8)
    deflated[6] = deflated[:, 6] = np.nan
    small_network.write_cka(tmp_path / "cka.h5", "a/seed1", cka, deflated)
    write_metrics(tmp_path)
    line = summary(tmp_path)
    assert line.fraction == 0.00125
    assert (line.block_start, line.block_stop, line.block_size) == (4, 12, 0.4)
    assert line.contrast == pytest.approx(oracles.contrast(cka, 4, 11), abs=1e-4)
    kept = [layer for layer in range(20) if layer != 6]
    expected = oracles.contrast(deflated[np.ix_(kept, kept)], 4, 10)
    assert line.contrast_without_first_component == pytest.approx(expected, abs=1e-4)
    assert (line.share_inside, line.share_outside) == (0.9, 0.2)
    _, first = components.read(tmp_path / "pca.h5")
    cosines = (first.values @ first.values.T) ** 2
    assert line.cosine_inside == pytest.approx(1)
    weighted = total = 0
    for d in range(1, 8):
        pairs = [cosines[i, i + d] for i in range(20 - d) if (i in block) != (i + d in block)]
        weighted, total = weighted + (8 - d) * np.mean(pairs), total + 8 - d
    assert line.cosine_across == pytest.approx(weighted / total, abs=1e-4)
    assert line.components_not_converged == 1


def test_too_few_residual_blocks_leave_the_columns_of_the_block_empty(tmp_path):
    small_network.write_components(tmp_path / "pca.h5", "a/seed1", 2, [0])
    small_network.write_cka(tmp_path / "cka.h5", "a/seed1", np.array([[1, 0.9], [0.9, 1]]))
    write_metrics(tmp_path)
    line = summary(tmp_path)
    assert line[list(summarise.BLOCK_COLUMNS)].isna().all()
    assert line["similar_range_0.9"] == 1


def write_metrics(folder):
    """The metrics.json of network a/seed1."""
    rest = {"family": "resnet", "depth": 8, "width": 1.0, "fraction": 0.00125, "parameters": 1}
    rest |= {"test_accuracy": 0.5, "train_accuracy": 0.5}
    files.write_json(folder / "metrics.json", {"model": "a", "seed": 1, **rest})
