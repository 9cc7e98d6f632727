"""Figure 4: probes and deleted blocks at their layers."""

import matplotlib.pyplot as plt
import numpy as np
import plot_residual_blocks
import pytest
import small_network

from widedeep.figures import residual_blocks
from widedeep.formats import similarities, tables
from widedeep.runtime.errors import UserError

FILES = {
    "cka": "cka.h5",
    "components": "pca.h5",
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
    (tmp_path / "probes.csv").write_text(
        "layer,kind,stage,block,features,train_accuracy,test_accuracy\nstage9.add,add,9,1,8,0.5,0.5\n"
    )
    (tmp_path / "deletion.csv").write_text("deletion,stage,block,deleted,accuracy\nalone,9,2,1,0.5\n")
    for probes, deletion, layer in (("probes.csv", None, "stage9.add"), (None, "deletion.csv", "stage9.block2")):
        paths = [path and tmp_path / path for path in (probes, deletion)]
        with pytest.raises(UserError, match=rf"cka\.h5: .*\b{layer}\b"):
            plot_residual_blocks.read_network(tmp_path / "cka.h5", tmp_path / "pca.h5", *paths, {})


def test_figure_4_holds_every_accuracy_at_its_layer(tmp_path):
    """Probes before and after an addition; a deleted residual block at its last layer; curves with gaps at borders."""
    small_network.write_network(tmp_path)
    side = similarities.read(tmp_path / "cka.h5").first
    probes = [
        (f"stage{stage}.block1.{name}", kind, stage, accuracy)
        for stage, accuracy in ((1, 0.5), (2, 0.6), (3, 0.7))
        for name, kind in (("bn2", "bn"), ("add", "add"))
    ]
    lines = [f"{layer},{kind},{stage},1,8,0.9,{accuracy}" for layer, kind, stage, accuracy in probes]
    (tmp_path / "probes.csv").write_text(
        "\n".join(["layer,kind,stage,block,features,train_accuracy,test_accuracy", *lines, ""])
    )
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
    row, _ = plot_residual_blocks.read_network(
        *(tmp_path / FILES[name] for name in ("cka", "components", "probes")), None, {}
    )
    figure = residual_blocks.draw_residual_blocks([row], "magma")
    (curve,) = [line for line in figure.axes[1].lines if line.get_label() == "after the addition"]
    after = [side.names.index(f"stage{stage}.block1.add") + 0.5 for stage in (1, 2, 3)]
    np.testing.assert_array_equal(curve.get_xdata(), [after[0], np.nan, after[1], np.nan, after[2]])
    np.testing.assert_array_equal(curve.get_ydata(), [0.5, np.nan, 0.6, np.nan, 0.7])
    plt.close(figure)
