"""Figure 4: probes and deleted blocks at their layers."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import plot_residual_blocks
import pytest
import small_network
from matplotlib.patches import Rectangle

from widedeep.figures import residual_blocks
from widedeep.formats import similarities, tables
from widedeep.runtime.errors import UserError

PROBES = "layer,kind,stage,block,features,train_accuracy,test_accuracy,test_accuracy_at_half"
FILES = {
    "cka": "cka.h5",
    "probes": "probes.csv",
    "deletion": "deletion.csv",
    "metrics": "metrics.json",
}


def test_probes_and_deletions_are_read_from_their_tables_alone(tmp_path):
    (tmp_path / "some.csv").write_text("layer,kind\n")
    for name, named in (("some.csv", "block"), ("missing.csv", "no such file")):
        with pytest.raises(UserError, match=rf"{name}: .*\b{named}\b"):
            plot_residual_blocks.read_probes(tmp_path / name)


def test_layers_that_were_not_dumped_are_named(tmp_path):
    small_network.write_network(tmp_path)
    (tmp_path / "probes.csv").write_text(f"{PROBES}\nstage9.add,add,9,1,8,0.5,0.5,0.5\n")
    (tmp_path / "deletion.csv").write_text("deletion,stage,block,deleted,accuracy\nalone,9,2,1,0.5\n")
    for probes, deletion, layer in (("probes.csv", None, "stage9.add"), (None, "deletion.csv", "stage9.block2")):
        paths = [path and tmp_path / path for path in (probes, deletion)]
        with pytest.raises(UserError, match=rf"cka\.h5: .*\b{layer}\b"):
            plot_residual_blocks.read_network(tmp_path / "cka.h5", *paths, {})


def test_figure_4_holds_every_accuracy_at_its_layer(tmp_path):
    """Probes before and after an addition; a deleted residual block at its last layer; curves with gaps at borders."""
    small_network.write_network(tmp_path)
    side = similarities.read(tmp_path / "cka.h5").first
    probes = [
        (f"stage{stage}.block1.{name}", kind, stage, accuracy)
        for stage, accuracy in ((1, 0.5), (2, 0.6), (3, 0.7))
        for name, kind in (("bn2", "bn"), ("add", "add"))
    ]
    lines = [f"{layer},{kind},{stage},1,8,0.9,{accuracy},{accuracy / 2}" for layer, kind, stage, accuracy in probes]
    (tmp_path / "probes.csv").write_text("\n".join([PROBES, *lines, ""]))
    (tmp_path / "deletion.csv").write_text(
        "deletion,stage,block,deleted,accuracy\nnone,0,0,0,0.875\nalone,1,1,1,0.25\nfrom the end,1,1,1,0.125\n"
    )
    options = [f"--{name}={tmp_path}/{file}" for name, file in FILES.items()]
    plot_residual_blocks.main([*options, "--out", f"{tmp_path}/fig4.csv", f"{tmp_path}/fig4.png"])
    table = tables.read(tmp_path / "fig4.csv", "E.csv")
    found = list(table[["deletion", "kind", "layer", "accuracy"]].itertuples(index=False, name=None))
    assert found[:6] == [("probe", kind, layer, accuracy) for layer, kind, _, accuracy in probes]
    assert found[6:] == [
        ("alone", "block", "stage1.block1.relu2", 0.25),
        ("from the end", "block", "stage1.block1.relu2", 0.125),
    ]
    assert [side.names[position] for position in table.position] == table.layer.tolist()
    assert set(table.network_accuracy) == {0.875}
    assert table.accuracy_at_half[:6].tolist() == [accuracy / 2 for *_, accuracy in probes]
    assert table.accuracy_at_half[6:].isna().all()
    row, _ = plot_residual_blocks.read_network(tmp_path / "cka.h5", tmp_path / "probes.csv", None, {})
    figure = residual_blocks.draw_residual_blocks([row], "magma")
    (curve,) = [line for line in figure.axes[1].lines if line.get_label() == "after the addition"]
    after = [side.names.index(f"stage{stage}.block1.add") + 0.5 for stage in (1, 2, 3)]
    np.testing.assert_array_equal(curve.get_xdata(), [after[0], np.nan, after[1], np.nan, after[2]])
    np.testing.assert_array_equal(curve.get_ydata(), [0.5, np.nan, 0.6, np.nan, 0.7])
    plt.close(figure)


def network_with(monkeypatch, folder, cka, blocks=range(1, 29)):
    """Read a network with probes on all layers, whose CKA and residual blocks are those given; all are in one stage."""
    small_network.write_network(folder)
    read = similarities.read(folder / "cka.h5")
    side = replace(read.first, stages=[1] * 28, blocks=[*blocks])
    lines = [f"{name},add,1,1,8,0.5,0.5,0.5" for name in side.names]
    (folder / "probes.csv").write_text("\n".join([PROBES, *lines, ""]))
    monkeypatch.setattr(similarities, "read", lambda _: replace(read, first=side, measures={"cka": cka}))
    return plot_residual_blocks.read_network(folder / "cka.h5", folder / "probes.csv", None, {})


SQUARE = np.full((28, 28), 0.3)
SQUARE[9:18, 9:18] = 0.95


def rectangles(axis):
    """(first, last) layer of each rectangle that is drawn on an axis."""
    patches = [patch.get_bbox() for patch in axis.patches if isinstance(patch, Rectangle)]
    return {(box.x0, box.x1) for box in patches}


def test_the_block_structure_of_figure_4_is_that_of_the_cka(tmp_path, monkeypatch):
    """Of 28 layers, 9 to 17 are a square; the table, the outline and the grey area say so."""
    row, table = network_with(monkeypatch, tmp_path, SQUARE)
    assert (row.block.start, row.block.stop) == (9, 18)
    assert table.position[table.in_block].tolist() == [*range(9, 18)]
    assert set(table.contrast) == {row.block.contrast}
    assert f"contrast {row.block.contrast:.3f}" in row.name
    figure = residual_blocks.draw_residual_blocks([row], "magma")
    assert [rectangles(axis) for axis in figure.axes[:2]] == [{(9, 18)}, {(9, 18)}]
    plt.close(figure)


def test_without_a_block_structure_nothing_is_grey(tmp_path, monkeypatch):
    places = np.arange(28)
    by_distance = np.exp(-np.abs(places[:, None] - places) / 10)
    row, table = network_with(monkeypatch, tmp_path, by_distance)
    assert not table.in_block.any()
    assert set(table.contrast) == {row.block.contrast}
    figure = residual_blocks.draw_residual_blocks([row], "magma")
    assert [rectangles(axis) for axis in figure.axes[:2]] == [set(), set()]
    plt.close(figure)


def test_a_network_with_too_few_residual_blocks_has_no_contrast(tmp_path, monkeypatch):
    row, table = network_with(monkeypatch, tmp_path, SQUARE, blocks=[1] * 28)
    assert row.block is None
    assert table.contrast.isna().all()
    assert not table.in_block.any()
    assert "too few residual blocks" in row.name
    plt.close(residual_blocks.draw_residual_blocks([row], "magma"))
