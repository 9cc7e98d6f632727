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

from widedeep.figures import explorer
from widedeep.findings import decisions
from widedeep.formats import components, dataset, dumps, metrics, network_files, similarities, tables
from widedeep.runtime.errors import UserError

NAN = float("nan")


def unpacked(record):
    """What dataset.js makes of a packed matrix."""
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


def a_network(model, size=0):
    """As with_architectures reads it, of so many bytes more than nothing."""
    return {"model": model, "own": "x" * size}


def test_layers_of_configurations_count_and_only_those_of_networks_are_kept():
    networks = [a_network("one"), a_network("one", 100), a_network("two", 50)]
    architectures = {name: {"names": ["x" * 200]} for name in ("one", "two", "three")}
    each = len(explorer.as_json({"one": architectures["one"]}))
    # The third configuration is of a network that did not fit.
    kept, used, left = make_explorer.with_architectures(networks, architectures, 1000)
    assert (kept, [*used], left) == (networks, ["one", "two"], 1000 - len(explorer.as_json(used)))
    # The second one's layers do not fit: its network goes, and gives back its room.
    kept, used, left = make_explorer.with_architectures(networks, architectures, each)
    assert (kept, [*used], left) == (networks[:2], ["one"], explorer.size_of(networks[2]))
    assert make_explorer.with_architectures(networks[:1], architectures, 10)[0] == []


def arguments(*networks, **options):
    defaults = {"data": "dataset.h5", "pairs": [], "findings": None, "family": None, "study": "small"}
    return SimpleNamespace(networks=[Path(network) for network in networks], **defaults | options)


def test_a_network_that_is_too_large_for_a_page_is_one_sentence(monkeypatch):
    monkeypatch.setattr(dataset, "describe", lambda _: None)
    monkeypatch.setattr(make_explorer, "network_of", lambda *_: a_network("one", 10_000))
    with pytest.raises(UserError, match=r"^one/seed1: this network alone makes a page of more than 20 MB; dump fewer"):
        make_explorer.study_of(arguments("one/seed1"), 10_000)


def comparison(first, second):
    values = np.eye(3)
    sides = (SimpleNamespace(label=label) for label in (first, second))
    return SimpleNamespace(**dict(zip(("first", "second"), sides, strict=True)), values=values, deflated=values)


def test_only_pairs_of_networks_on_the_page_are_counted(monkeypatch):
    pairs = {name: comparison(*name.split("--")) for name in ("a--b", "a--c", "b--a", "a--a")}
    monkeypatch.setattr(similarities, "names", lambda _: [*pairs])
    monkeypatch.setattr(similarities, "read", lambda _, name: pairs[name])
    every, number = make_explorer.pairs_among({"a", "b"}, ["some.h5"], 10_000)
    assert ([(pair["first"], pair["second"]) for pair in every], number) == ([("a", "b"), ("b", "a"), ("a", "a")], 3)
    assert make_explorer.pairs_among({"a", "b"}, ["some.h5"], explorer.size_of(every[0]) + 1) == (every[:1], 3)
    # Pairs of networks that are not there are no reason to speak of the size.
    assert make_explorer.left_out(2, 2, len(every), number) == ""


def test_findings_may_be_a_file_of_any_name(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "describe", lambda _: None)
    whole = network("one/seed1", cka={"step": 0.0}, deflated={"step": 0.0})
    monkeypatch.setattr(make_explorer, "network_of", lambda *_: whole)
    (tmp_path / "mine.csv").write_text(
        " ".join(tables.COLUMNS["findings.csv"].split()).replace("*", "").replace(" ", ",")
    )
    with (tmp_path / "mine.csv").open("a") as file:
        file.write("\nA,A claim.,,not decidable,\n")
    study = make_explorer.study_of(arguments("one/seed1", findings=tmp_path / "mine.csv"), 100_000)
    assert [(finding["claim"], finding["view"]) for finding in study["findings"]] == [("A claim.", None)]
    assert "dataset" not in study


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
    known |= {"train_accuracy": accuracy}
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
    finding = {"result": result, "claim": claim}
    assert make_explorer.view_of(finding, *make_explorer.as_findings_see(NETWORKS, None), PAIRS) == view


def labels(networks):
    return [network["label"] for network in networks]


def test_the_family_of_the_findings_decides_figures_1_and_2():
    others = [network(f"other{depth}/1", depth=depth, family="bottleneck") for depth in (20, 38, 56)]
    networks = [*NETWORKS, *others[:2]]
    assert labels(make_explorer.as_findings_see(networks, "bottleneck")[0]) == ["other20/1", "other38/1"]
    # Of most networks, where none or one that the page lacks is named.
    for family in (None, "plain", "stagethree"):
        assert labels(make_explorer.as_findings_see(networks, family)[0]) == labels(NETWORKS[:5])
    assert make_explorer.as_findings_see(NETWORKS[5:], None) == ([], NETWORKS[5:])
    deciding, trained = make_explorer.as_findings_see(networks, "bottleneck")
    view = make_explorer.view_of({"result": "fig1, depth", "claim": ""}, deciding, trained, [])
    assert view == {"first": "other20/1", "second": "other38/1", "view": "side"}


def test_networks_that_hardly_trained_are_not_linked_to():
    poor = network("wide/1", 0.9, 0.8 - decisions.HARDLY_TRAINED - 0.05, width=4, probes=[[1, "after", 0.5]])
    plain = network("plainer/1", 0.95, 0.5, family="plain")
    deciding, trained = make_explorer.as_findings_see([*NETWORKS, poor, plain], None)
    assert poor in deciding
    assert labels(trained) == labels(NETWORKS)
    pairs = [{"first": "wide/1", "second": "small/1"}, *PAIRS]
    for result, view in (
        ("fig3", {"first": "plain/1", "without": "both"}),
        ("fig4-probes", {"first": "deep/1", "pin": "2"}),
        ("fig5", {"first": "deep/1", "second": "small/1", "view": "pair"}),
        ("C", {"first": "plain/1"}),
    ):
        assert make_explorer.view_of({"result": result, "claim": ""}, deciding, trained, pairs) == view


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
        for name, shares in dataset.items()
        for seed, share in enumerate(shares)
    ]
    less, more = make_explorer.most_moved_by_data(networks)
    assert (less["label"], more["label"]) == ("little-0.25/1", "much-1/1")


@pytest.mark.parametrize("result", ["fig1, depth", "fig1-seeds", "fig2", "fig3", "fig4-delete", "fig5", "C"])
def test_a_page_without_networks_has_no_views(result):
    finding = {"result": result, "claim": ""}
    assert make_explorer.view_of(finding, *make_explorer.as_findings_see([], "resnet"), []) is None


def test_the_first_lines_show_the_largest_block_and_the_best_network_without():
    found = make_explorer.examples_of(NETWORKS[:5], 0.04)
    assert found == {"with": {"first": "deep/1", "pin": "2"}, "without": {"first": "small/2", "pin": "2"}}
    assert make_explorer.examples_of(NETWORKS[:2], 0.04)["with"] is None


def test_files_of_two_networks_in_one_folder_are_one_sentence(tmp_path, monkeypatch):
    comparison = SimpleNamespace(first=SimpleNamespace(label="one/seed1"))
    monkeypatch.setattr(network_files, "components_and_cka", lambda *_: (None, comparison))
    monkeypatch.setattr(metrics, "read", lambda _: {"other/seed1": {}})
    sentence = (
        r"its cka.h5 is of one/seed1 where its metrics.json is of other/seed1; give a folder whose files are of one"
    )
    with pytest.raises(UserError, match=sentence):
        make_explorer.network_of(tmp_path, "dataset.h5", None, {})


def test_metrics_without_a_number_are_one_sentence(tmp_path, monkeypatch):
    one = SimpleNamespace(first=SimpleNamespace(label="one/seed1"))
    monkeypatch.setattr(network_files, "components_and_cka", lambda *_: (None, one))
    found = {"model": "one", "dataset": "blobs", "family": "resnet", "depth": 8, "width": 1, "fraction": 1, "seed": 1}
    (tmp_path / "metrics.json").write_text(json.dumps(found | {"test_accuracy": "high"}))
    with pytest.raises(
        UserError, match=r"metrics\.json: lacks a right value of test_accuracy; train the network again"
    ):
        make_explorer.network_of(tmp_path, "dataset.h5", None, {})


def test_another_data_set_than_that_of_the_networks_is_one_sentence(tmp_path):
    path = tmp_path / "pca.h5"
    described = dataset.describe(small.write_dataset(tmp_path / "dataset.h5"))
    found = components.FirstComponents(["stem.conv"], np.ones(1), np.zeros(1), np.ones((1, 40)))
    for checksum in (described.test_checksum, "0" * 64):
        small.write_components(path, found, dumps.Origin("one", 1, checksum, "test"))
        if checksum == described.test_checksum:
            network_files.check_data(path, described, "dataset.h5")
    sentence = (
        r"pca\.h5: was computed on images with checksum 0{12}, and those of dataset\.h5 have [0-9a-f]{12}; give the"
    )
    with pytest.raises(UserError, match=sentence):
        network_files.check_data(path, described, "dataset.h5")


def test_probes_and_blocks_stand_at_their_layers_and_need_them(tmp_path):
    names = ["stage1.block1.bn2", "stage1.block1.add", "stage1.block1.relu2", "stage1.block2.relu2"]
    side = SimpleNamespace(names=names, stages=[1] * 4, blocks=[1, 1, 1, 2])
    assert (make_explorer.probes_of(tmp_path, side), make_explorer.deletion_of(tmp_path, side)) == ([], [])
    probes = ["layer,kind,stage,block,features,train_accuracy,test_accuracy"]
    probes += [f"{layer},{kind},1,1,8,0.5,0.75" for layer, kind in ((names[0], "bn"), (names[1], "add"), ("fc", "fc"))]
    (tmp_path / "probes.csv").write_text("\n".join([*probes, ""]))
    deletion = ["deletion,stage,block,deleted,accuracy", "none,0,0,0,0.9", "alone,1,1,1,0.25", "from the end,1,2,1,0.5"]
    (tmp_path / "deletion.csv").write_text("\n".join([*deletion, ""]))
    assert make_explorer.probes_of(tmp_path, side) == [[0, "before", 0.75], [1, "after", 0.75]]
    assert make_explorer.deletion_of(tmp_path, side) == [[2, "alone", 0.25], [3, "from the end", 0.5]]
    # Of a dump of some layers.
    fewer = SimpleNamespace(names=names[:1], stages=[1], blocks=[1])
    for read, layer in ((make_explorer.probes_of, names[1]), (make_explorer.deletion_of, "stage1.block2")):
        with pytest.raises(UserError, match=rf"cka\.h5: has no layer {layer}, which has a probe or a block; dump all"):
            read(tmp_path, fewer)


def test_a_file_with_layers_that_the_network_lacks_is_one_sentence(tmp_path):
    described = dataset.describe(small.write_dataset(tmp_path / "dataset.h5"))
    network = {"dataset": "blobs", "family": "resnet", "depth": 8, "width": 1, "fraction": 1}
    side = SimpleNamespace(label="one/seed1", names=["stage9.conv"])
    with pytest.raises(UserError, match=r"^one/seed1: its cka.h5 has a layer stage9.conv, and the network none; dump"):
        make_explorer.layers_of(network, side, described)
