"""Training curves: what is drawn and tabled is each network's history, and of no other network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import plot_training
import pytest

from widedeep.formats import metrics, tables
from widedeep.runtime.errors import UserError

NETWORKS = (("digits-resnet8-w1-f100", 1), ("digits-resnet8-w1-f100", 2), ("digits-resnet14-w1-f100", 1))


@pytest.fixture
def files(tmp_path):
    """Paths of the history.csv and metrics.json of three networks; the first was not tested after its first epoch."""
    paths = {"history": [], "metrics": []}
    for number, (model, seed) in enumerate(NETWORKS):
        folder = tmp_path / str(number)
        folder.mkdir()
        rows = [[epoch, 0.1, 1 / (epoch + number), 0.5, 2 / epoch, epoch / (9 + number)] for epoch in (1, 2, 3)]
        table = pd.DataFrame(rows, columns=tables.columns("history.csv"))
        table.loc[0, ["test_loss", "test_accuracy"]] = [np.nan, np.nan] if number == 0 else table.iloc[0, 4:]
        table.to_csv(folder / "history.csv", index=False)
        depth = int(model.split("-")[1].removeprefix("resnet"))
        content = {"model": model, "family": "resnet", "depth": depth, "width": 1.0, "fraction": 1.0, "seed": seed}
        (folder / "metrics.json").write_text(json.dumps({**content, "test_accuracy": 3 / (9 + number)}))
        for name, end in (("history", "csv"), ("metrics", "json")):
            paths[name].append(str(folder / f"{name}.{end}"))
    return paths


def test_each_line_is_the_history_of_its_network(files):
    known = metrics.read(files["metrics"])
    figure = plot_training.draw_training(plot_training.table_of(files["history"], known), known, "magma")
    losses, accuracies = figure.axes[:2], figure.axes[2:]
    assert [axis.get_title() for axis in losses] == ["ResNet-8 1x", "ResNet-14 1x"]
    lines = [[line for axis in row for line in axis.lines] for row in (losses, accuracies)]
    assert [line.get_label() for line in lines[0]] == ["seed 1", "seed 2", "seed 1"]
    for number, (loss, accuracy) in enumerate(zip(*lines, strict=True)):
        history = pd.read_csv(files["history"][number])
        tested = history.test_accuracy.notna()
        np.testing.assert_allclose(loss.get_xydata(), history[["epoch", "train_loss"]])
        np.testing.assert_allclose(accuracy.get_xdata(), history.epoch[tested])
        np.testing.assert_allclose(accuracy.get_ydata(), 100 * history.test_accuracy[tested])


def test_the_table_holds_every_epoch(files, tmp_path):
    out = [str(tmp_path / f"training.{end}") for end in ("pdf", "png", "csv")]
    plot_training.main(["--history", *files["history"], "--metrics", *files["metrics"], "--out", *out])
    for path in out:
        tables.check(path)
    table = tables.read(out[2])
    assert table.network.unique().tolist() == [f"{model}/seed{seed}" for model, seed in NETWORKS]
    assert table.epoch.tolist() == [1, 2, 3] * 3


def test_the_history_of_another_network_is_refused(files):
    known = metrics.read(files["metrics"])
    swapped = [files["history"][place] for place in (1, 0, 2)]
    with pytest.raises(UserError, match=rf"{swapped[0]}.*resnet8-w1-f100/seed1"):
        plot_training.table_of(swapped, known)
    with pytest.raises(UserError, match="--history: 2 .* 3 .*--metrics"):
        plot_training.table_of(swapped[:2], known)


def test_settings_of_a_users_matplotlib_change_no_bit(files, tmp_path):
    """A drawing that asks for LaTeX, where there may be none, is that of a user without settings."""
    drawn = []
    for settings in ("", "text.usetex: True\nlines.linewidth: 20\n"):
        (tmp_path / "matplotlibrc").write_text(settings)
        out = [str(tmp_path / f"training.{end}") for end in ("pdf", "png", "csv")]
        words = [sys.executable, Path("scripts/plot_training.py").resolve(), "--history", *files["history"]]
        subprocess.run(
            [*words, "--metrics", *files["metrics"], "--out", *out],
            cwd=tmp_path,
            check=True,
            env={**os.environ, "MPLBACKEND": "tkagg"},
        )
        drawn.append([Path(path).read_bytes() for path in out])
    assert drawn[0] == drawn[1]
