"""Figure 3: the table of all that is drawn."""

import numpy as np
import pandas as pd
import plot_components
import pytest
import small
import small_network
from small_dumps import ORIGIN

from widedeep.analysis import block_structure
from widedeep.figures.components import draw_components
from widedeep.formats import components, dumps, similarities
from widedeep.runtime.errors import UserError


def test_figure_3_holds_every_value_and_refuses_components_of_another_network(tmp_path):
    small_network.write_network(tmp_path)
    files = [f"--cka={tmp_path}/cka.h5", f"--components={tmp_path}/pca.h5", f"--metrics={tmp_path}/metrics.json"]
    plot_components.main([*files, "--out", *(f"{tmp_path}/fig3.{end}" for end in ("pdf", "png", "csv"))])
    table = pd.read_csv(tmp_path / "fig3.csv")
    comparison = similarities.read(tmp_path / "cka.h5")
    _, first = components.read(tmp_path / "pca.h5")
    for column, values in (
        ("cka", comparison.cka),
        ("cka_without_first_component", comparison.deflated),
        ("squared_cosine", block_structure.squared_cosines(first.values)),
        ("share_first", np.repeat(first.share, 28)),
        ("squared_cosine_in_minibatches", comparison.squared_cosine),
        ("share_first_in_minibatches", np.repeat(comparison.first.share, 28)),
    ):
        np.testing.assert_allclose(table[column].to_numpy(), values.ravel(), atol=1e-6)
    assert (tmp_path / "fig3.pdf").exists()
    other = dumps.Origin(ORIGIN.model, 2, ORIGIN.data_checksum, ORIGIN.split)
    small.write_components(tmp_path / "pca.h5", first, other)
    with pytest.raises(UserError, match=r"pca\.h5: .*/seed2\b.*cka\.h5 .*/seed1\b"):
        plot_components.main([*files, "--out", f"{tmp_path}/other.png"])
    assert not (tmp_path / "other.png").exists()


def test_figure_3_outlines_the_block_structure_of_cka_in_all_its_heatmaps(tmp_path):
    cka, deflated = small_network.with_block(20, 4, 14), small_network.with_block(20, 0, 0)
    files = [small_network.write_cka(tmp_path / "cka.h5", "a/seed1", cka, deflated)]
    files.append(small_network.write_components(tmp_path / "pca.h5", "a/seed1", 20, [*range(4, 14)]))
    row = plot_components.row_of(*files, {})
    assert (row.block.start, row.block.stop) == (4, 14)
    figure = draw_components([row], "magma")
    first, second, share, fourth = figure.axes[:4]
    for axis in (first, second, fourth):
        assert {tuple(patch.get_bbox().extents) for patch in axis.patches} == {(4, 4, 14, 14)}
    (shaded,) = share.patches
    assert (shaded.get_x(), shaded.get_width()) == (4, 10)
