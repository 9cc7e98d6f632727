"""What the explorer's page is made of; tests/test_explorer_page.py opens it."""

import base64
import gzip
import json
import re
from pathlib import Path
from types import SimpleNamespace

import make_explorer
import numpy as np
import pytest
import small

from widedeep import data, explorer, metrics, results
from widedeep.errors import UserError

NAN = float("nan")


def unpacked(record):
    """What data.js makes of a packed matrix."""
    codes = np.frombuffer(gzip.decompress(base64.b64decode(record["data"])), "<u2")
    rows, columns = record["rows"], record["columns"]
    matrix = np.empty((rows, columns), "<u2")
    if record["symmetric"]:
        upper = np.triu_indices(rows)
        matrix[upper] = codes
        matrix.T[upper] = codes
    else:
        matrix[:] = codes.reshape(rows, columns)
    return np.where(matrix == explorer.UNDEFINED, NAN, record["low"] + record["step"] * matrix)


def with_holes(matrix):
    matrix[2, :] = matrix[:, 2] = NAN
    return matrix


RANDOM = np.random.default_rng(0).uniform(-0.02, 1.01, (7, 7))


@pytest.mark.parametrize(
    ("matrix", "symmetric"),
    [
        (RANDOM, False),
        (RANDOM[:, :4], False),
        (RANDOM + RANDOM.T, True),
        (with_holes(RANDOM + RANDOM.T), True),
        (np.full((3, 3), 0.25), True),
        (np.full((2, 3), NAN), False),
    ],
)
def test_a_packed_matrix_is_wrong_by_half_a_step_at_most(matrix, symmetric):
    record = explorer.packed(matrix)
    again = unpacked(record)
    assert record["symmetric"] == symmetric
    np.testing.assert_array_equal(np.isnan(again), np.isnan(matrix))
    assert np.nanmax(abs(again - matrix), initial=0) <= record["step"] / 2 * (1 + 1e-9)
    assert record["step"] <= 2.1 / explorer.LARGEST


def test_the_smallest_and_the_largest_value_are_kept():
    again = unpacked(explorer.packed(RANDOM))
    assert again.min() == RANDOM.min()
    assert again.max() == pytest.approx(RANDOM.max(), abs=1e-15)


def test_the_first_records_that_fit_are_kept_and_the_others_are_not_even_read():
    def records():
        yield from ["x" * 96] * 3  # 100 bytes each with quotes and comma
        raise AssertionError("read too far")

    assert explorer.first_that_fit(records(), 250) == (["x" * 96] * 2, 50)


def test_first_seeds_come_first():
    folders = [Path(name) for name in ("wide/seed1", "wide/seed2", "deep/seed4", "deep/seed7", "wide/seed3")]
    found = make_explorer.first_seeds_first(folders)
    assert [str(folder) for folder in found] == ["wide/seed1", "deep/seed4", "wide/seed2", "deep/seed7", "wide/seed3"]


def test_what_the_page_lacks_is_named():
    assert make_explorer.left_out(3, 3, 5, 5) == ""
    assert "holds 2 of 3 networks and 0 of 5 pairs" in make_explorer.left_out(2, 3, 0, 5)


def test_no_string_ends_the_script_that_holds_the_data():
    page = explorer.page({"study": "</script><script>alert(1)</script>{{data}}"}, "const library = 1;")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1]
    assert json.loads(data) == {"study": "</script><script>alert(1)</script>{{data}}"}
    assert "alert(1)</script>" not in page


def test_a_study_of_64_networks_of_100_layers_with_100_pairs_is_below_20_mb():
    noise = np.random.default_rng(0)

    def matrix():
        return explorer.packed(noise.uniform(0, 1, (100, 100)))

    networks = [{"cka": matrix(), "deflated": matrix(), "share": [0.1234] * 100} for _ in range(64)]
    pairs = [{"cka": matrix(), "deflated": matrix()} for _ in range(100)]
    library = "x" * 5_000_000 + str(noise.uniform(size=100_000).tolist())  # about 2 MB packed, as plotly.min.js
    assert len(explorer.page({"study": "", "networks": networks, "pairs": pairs}, library)) < explorer.MOST_BYTES


def network(label, share=0.0, accuracy=0.9, **keys):
    model, seed = label.split("/")
    known = {"family": "resnet", "depth": 14, "width": 1, "fraction": 1, "in_block": [0, 1, 1, 1], "probes": []}
    return {"label": label, "model": model, "seed": seed, "share_in_block": share, "test_accuracy": accuracy} | (
        known | keys
    )


NETWORKS = [
    network("small/1", accuracy=0.8),
    network("small/2", accuracy=0.85),
    network("deep/1", 0.3, depth=38, probes=[[1, "after", 0.5]]),
    network("deep/2", 0.1, depth=38),
    network("less/1", 0.2, fraction=0.25),
    network("plain/1", 0.9, family="plain"),
]
PAIRS = [{"first": "small/1", "second": "small/2"}, {"first": "small/1", "second": "deep/1"}]


@pytest.mark.parametrize(
    ("result", "claim", "view"),
    [
        ("fig1, depth", "", {"first": "small/1", "second": "deep/1", "view": "side"}),
        ("fig1, width", "", None),
        ("fig1-seeds", "", {"first": "deep/1", "second": "deep/2", "view": "side"}),
        ("fig2", "", {"first": "less/1", "second": "small/1", "view": "side"}),
        ("fig3", "", {"first": "plain/1", "without": "both"}),
        ("fig4-probes", "Inside the block", {"first": "deep/1", "pin": "2"}),
        ("fig5", "Without a block, alike.", {"first": "small/1", "second": "small/2", "view": "pair"}),
        ("fig5", "The block of one", {"first": "deep/1", "second": "small/1", "view": "pair"}),
        ("C", "", {"first": "plain/1"}),
        ("A", "", None),
    ],
)
def test_each_claim_is_linked_to_what_shows_it(result, claim, view):
    assert make_explorer.view_of({"result": result, "claim": claim}, NETWORKS, PAIRS) == view


def test_the_claim_on_data_is_linked_to_the_size_whose_block_changes_most():
    data = [("one", 0.0, 0.01), ("two", 0.06, 0.16), ("six", 0.05, 0.0)]
    networks = [
        network(f"{name}-{fraction}/{seed}", share + off, fraction=fraction, width=width)
        for width, (name, much, little) in enumerate(data)
        for fraction, share in ((1, much), (0.25, little))
        for seed, off in ((1, 0.3), (2, 0.0), (3, -0.3))
    ]
    # Of three seeds the middle one.
    less, more = make_explorer.most_moved_by_data(networks)
    assert (less["label"], more["label"]) == ("two-0.25/2", "two-1/2")
    # Those that differ as the medians do, at which not both are.
    data = {"little-0.25": [0.02, 0.3, 0.25], "much-1": [0.0, 0.1]}
    networks = [
        network(f"{name}/{seed}", share, fraction=float(name.split("-")[1]))
        for name, shares in data.items()
        for seed, share in enumerate(shares)
    ]
    less, more = make_explorer.most_moved_by_data(networks)
    assert (less["label"], more["label"]) == ("little-0.25/1", "much-1/1")


@pytest.mark.parametrize("result", ["fig1, depth", "fig1-seeds", "fig2", "fig3", "fig4-delete", "fig5", "C"])
def test_a_page_without_networks_has_no_views(result):
    assert make_explorer.view_of({"result": result, "claim": ""}, [], []) is None


def test_the_first_lines_show_the_largest_block_and_the_best_network_without():
    found = make_explorer.examples_of(NETWORKS[:5], 0.04)
    assert found == {"with": {"first": "deep/1", "pin": "2"}, "without": {"first": "small/2", "pin": "2"}}
    assert make_explorer.examples_of(NETWORKS[:2], 0.04)["with"] is None


def test_files_of_two_networks_in_one_folder_are_one_sentence(tmp_path, monkeypatch):
    comparison = SimpleNamespace(first=SimpleNamespace(label="one/seed1"))
    monkeypatch.setattr(results, "components_and_cka", lambda *_: (None, comparison))
    monkeypatch.setattr(metrics, "read", lambda _: {"other/seed1": {}})
    sentence = (
        r"its cka.h5 is of one/seed1 where its metrics.json is of other/seed1; give a folder whose files are of one"
    )
    with pytest.raises(UserError, match=sentence):
        make_explorer.network_of(tmp_path, None, {})


def test_a_file_with_layers_that_the_network_lacks_is_one_sentence(tmp_path):
    described = data.describe(small.write_dataset(tmp_path / "dataset.h5"))
    network = {"dataset": "blobs", "family": "resnet", "depth": 8, "width": 1, "fraction": 1}
    side = SimpleNamespace(label="one/seed1", names=["stage9.conv"])
    with pytest.raises(UserError, match=r"^one/seed1: its cka.h5 has a layer stage9.conv, and the network none; dump"):
        make_explorer.layers_of(network, side, described)
