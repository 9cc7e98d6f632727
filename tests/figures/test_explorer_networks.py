"""What the explorer's page holds of a network and of a pair, from their files."""

import json
from types import SimpleNamespace

import numpy as np
import oracles
import pytest
import small
import small_network

from widedeep.figures.explorer import contents, networks, page
from widedeep.formats import components, dataset, dumps, metrics, network_files, similarities
from widedeep.runtime.errors import UserError


def comparison(first, second):
    values = np.eye(3)
    sides = (SimpleNamespace(label=label) for label in (first, second))
    return SimpleNamespace(**dict(zip(("first", "second"), sides, strict=True)), cka=values, deflated=values)


def test_only_pairs_of_networks_on_the_page_are_counted(monkeypatch):
    pairs = {name: comparison(*name.split("--")) for name in ("a--b", "a--c", "b--a", "a--a")}
    monkeypatch.setattr(similarities, "names", lambda _: [*pairs])
    monkeypatch.setattr(similarities, "read", lambda _, name: pairs[name])
    every, number = networks.pairs_among({"a", "b"}, ["some.h5"], 10_000)
    assert ([(pair["first"], pair["second"]) for pair in every], number) == ([("a", "b"), ("b", "a"), ("a", "a")], 3)
    assert networks.pairs_among({"a", "b"}, ["some.h5"], page.size_of(every[0]) + 1) == (every[:1], 3)
    # Pairs of networks that are not there are no reason to speak of the size.
    assert contents.left_out(2, 2, len(every), number) == ""


def test_files_of_two_networks_in_one_folder_are_named(tmp_path, monkeypatch):
    comparison = SimpleNamespace(first=SimpleNamespace(label="one/seed1"))
    monkeypatch.setattr(network_files, "components_and_cka", lambda *_: (None, comparison))
    monkeypatch.setattr(metrics, "read", lambda _: {"other/seed1": {}})
    with pytest.raises(UserError, match=rf"{tmp_path}: .*cka\.h5 .*one/seed1\b.*metrics\.json .*other/seed1\b"):
        networks.network_of(tmp_path, "dataset.h5", None, {})


def test_metrics_without_a_number_are_refused(tmp_path, monkeypatch):
    one = SimpleNamespace(first=SimpleNamespace(label="one/seed1"))
    monkeypatch.setattr(network_files, "components_and_cka", lambda *_: (None, one))
    found = {"model": "one", "dataset": "blobs", "family": "resnet", "depth": 8, "width": 1, "fraction": 1, "seed": 1}
    (tmp_path / "metrics.json").write_text(json.dumps(found | {"test_accuracy": "high"}))
    with pytest.raises(UserError, match=r"metrics\.json: .*\btest_accuracy\b"):
        networks.network_of(tmp_path, "dataset.h5", None, {})


def test_another_data_set_than_that_of_the_networks_is_refused(tmp_path):
    path = tmp_path / "pca.h5"
    described = dataset.describe(small.write_dataset(tmp_path / "dataset.h5"))
    found = components.FirstComponents(["stem.conv"], np.ones(1), np.zeros(1), np.ones((1, 40)))
    for checksum in (described.test_checksum, "0" * 64):
        small.write_components(path, found, dumps.Origin("one", 1, checksum, "test"))
        if checksum == described.test_checksum:
            network_files.check_data(path, described, "dataset.h5")
    found = described.test_checksum[:12]
    with pytest.raises(UserError, match=rf"pca\.h5: .*\b0{{12}}\b.*dataset\.h5 .*\b{found}\b"):
        network_files.check_data(path, described, "dataset.h5")


def test_probes_and_blocks_stand_at_their_layers_and_need_them(tmp_path):
    names = ["stage1.block1.bn2", "stage1.block1.add", "stage1.block1.relu2", "stage1.block2.relu2"]
    side = SimpleNamespace(names=names, stages=[1] * 4, blocks=[1, 1, 1, 2])
    assert (networks.probes_of(tmp_path, side), networks.deletion_of(tmp_path, side)) == ([], [])
    probes = ["layer,kind,stage,block,features,train_accuracy,test_accuracy,test_accuracy_at_half"]
    probes += [f"{layer},{kind},1,1,8,0.5,0.75," for layer, kind in ((names[0], "bn"), (names[1], "add"), ("fc", "fc"))]
    (tmp_path / "probes.csv").write_text("\n".join([*probes, ""]))
    deletion = ["deletion,stage,block,deleted,accuracy", "none,0,0,0,0.9", "alone,1,1,1,0.25", "from the end,1,2,1,0.5"]
    (tmp_path / "deletion.csv").write_text("\n".join([*deletion, ""]))
    assert networks.probes_of(tmp_path, side) == [[0, "before", 0.75], [1, "after", 0.75]]
    assert networks.deletion_of(tmp_path, side) == [[2, "alone", 0.25], [3, "from the end", 0.5]]
    # Of a dump of some layers.
    fewer = SimpleNamespace(names=names[:1], stages=[1], blocks=[1])
    for read, layer in ((networks.probes_of, names[1]), (networks.deletion_of, "stage1.block2")):
        with pytest.raises(UserError, match=rf"cka\.h5: .*\b{layer}\b"):
            read(tmp_path, fewer)


def test_a_file_with_layers_that_the_network_lacks_is_refused(tmp_path):
    described = dataset.describe(small.write_dataset(tmp_path / "dataset.h5"))
    network = {"dataset": "blobs", "family": "resnet", "depth": 8, "width": 1, "fraction": 1}
    side = SimpleNamespace(label="one/seed1", names=["stage9.conv"])
    with pytest.raises(UserError, match=r"^one/seed1: .*cka\.h5 .*\bstage9\.conv\b"):
        networks.layers_of(network, side, described)


def stages_and_blocks(layers):
    """One stage of blocks of three layers, then two layers after the last block."""
    return [1] * (layers - 2) + [0, 0], [1 + layer // 3 for layer in range(layers - 2)] + [0, 0]


def test_the_range_of_layers_is_that_of_the_rule_with_and_without_first_components():
    layers = 20
    places = np.arange(layers)
    cka = np.exp(-abs(places[:, None] - places) / 5)
    cka[4:14, 4:14] = 0.9
    # Layers after the last residual block, and without a value, do not count.
    cka[-2:] = cka[:, -2:] = 0.9
    cka[6] = cka[:, 6] = np.nan
    np.fill_diagonal(cka, 1)
    deflated = cka**3
    stages, blocks = stages_and_blocks(layers)
    comparison = SimpleNamespace(cka=cka, deflated=deflated, first=SimpleNamespace(stages=stages, blocks=blocks))
    found = networks.block_of(comparison)
    assert (found["start"], found["stop"], found["size"]) == (4, 14, round(9 / 17, 4))
    for name, values in (("contrast", cka), ("deflated", deflated)):
        exact = oracles.contrast(np.delete(np.delete(values[:18, :18], 6, 0), 6, 1), 4, 12)
        assert exact - 0.001 < found[name] <= exact
    # Without its first component nothing may be left of a layer, or of all of them.
    comparison.deflated = np.full_like(cka, np.nan)
    assert networks.block_of(comparison)["deflated"] is None
    comparison.first.blocks = [1] * (layers - 2) + [0, 0]
    assert networks.block_of(comparison) is None


def test_a_matrix_that_is_of_no_network_with_itself_is_refused_with_its_file(tmp_path):
    (tmp_path / "one").mkdir()
    values = np.random.default_rng(0).uniform(0, 1, (12, 12))
    small_network.write_cka(tmp_path / "one/cka.h5", "one/seed1", values)
    with pytest.raises(UserError, match=rf"^{tmp_path}/one/cka\.h5: .*symmetric"):
        networks.network_of(tmp_path / "one", "dataset.h5", None, {})
