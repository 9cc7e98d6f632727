"""The tables of pairs of networks, and of pairs of configurations."""

import itertools

import numpy as np
import oracles
import pandas as pd
import pytest
import small_network
import summarise_pairs

from widedeep import names
from widedeep.formats import tables
from widedeep.runtime.errors import UserError


def test_pairs_are_summarised_in_both_directions(tmp_path):
    """Network a: 12 layers, 2 to 7 in its block; network b: 23 layers, 8 to 19 in its block."""
    own = {"a": small_network.with_block(12, 2, 8), "b": small_network.with_block(23, 8, 20)}
    paths = [small_network.write_cka(tmp_path / f"{name}.h5", f"{name}/seed1", cka) for name, cka in own.items()]
    values = np.random.default_rng(0).uniform(0, 1, (12, 23))
    values[0, 3] = np.nan
    small_network.write_similarities(tmp_path / "pairs.h5", "seed1--seed1", ("a/seed1", "b/seed1"), values, values)
    summarise_pairs.main([f"--pairs={tmp_path}/pairs.h5", "--cka", *paths, "--out", f"{tmp_path}/pairs.csv"])
    there, back = pd.read_csv(tmp_path / "pairs.csv").itertuples(index=False)
    assert (there.first, there.second, back.first, back.second) == ("a/seed1", "b/seed1", "b/seed1", "a/seed1")
    contrasts = oracles.contrast(own["a"], 2, 7), oracles.contrast(own["b"], 8, 19)
    assert (there.contrast_first, there.contrast_second) == pytest.approx(contrasts, abs=1e-4)
    assert (back.contrast_first, back.contrast_second) == pytest.approx(contrasts[::-1], abs=1e-4)
    # Layer i of a is at the depth of layer 2 i of b; 0, 1, 10 and 11 are in neither block.
    assert there.equal_depth == pytest.approx(np.mean([values[i, 2 * i] for i in (0, 1, 10, 11)]), abs=1e-4)
    assert there.best_inside == pytest.approx(values[2:8].max(axis=1).mean(), abs=1e-4)
    outside = [0, 1, 8, 9, 10, 11]
    assert there.best_outside == pytest.approx(np.nanmax(values[outside], axis=1).mean(), abs=1e-4)
    assert back.best_inside == pytest.approx(values[:, 8:20].max(axis=0).mean(), abs=1e-4)
    with pytest.raises(UserError, match=r"pairs\.h5: .*b/seed1\b.*--cka"):
        summarise_pairs.main([f"--pairs={tmp_path}/pairs.h5", "--cka", paths[0], "--out", f"{tmp_path}/no.csv"])
    assert not (tmp_path / "no.csv").exists()


def test_without_a_block_structure_all_layers_are_outside(tmp_path):
    """Network a has no block, network b too few residual blocks for one."""
    own = {"a": small_network.with_block(8, 0, 0), "b": np.array([[1, 0.5], [0.5, 1]])}
    paths = [small_network.write_cka(tmp_path / f"{name}.h5", f"{name}/seed1", cka) for name, cka in own.items()]
    values = np.random.default_rng(1).uniform(0, 1, (8, 2))
    small_network.write_similarities(tmp_path / "pairs.h5", "seed1--seed1", ("a/seed1", "b/seed1"), values, values)
    summarise_pairs.main([f"--pairs={tmp_path}/pairs.h5", "--cka", *paths, "--out", f"{tmp_path}/pairs.csv"])
    there, back = tables.read(tmp_path / "pairs.csv").itertuples(index=False)
    assert there.contrast_first == back.contrast_second < 0.06
    assert np.isnan([there.contrast_second, there.best_inside, back.contrast_first, back.best_inside]).all()
    assert there.best_outside == pytest.approx(values.max(axis=1).mean(), abs=1e-4)
    assert there.equal_depth == pytest.approx(np.mean([values[i, int(i >= 4)] for i in range(8)]), abs=1e-4)


@pytest.mark.parametrize(("first", "second"), [(10, None), (10, 10), (3, 10), (10, 4), (2, None), (3, 2)])
def test_the_table_of_configurations_averages_the_pairs_of_figure_f(first, second):
    """Seeds of one configuration, or of two; every pair has a value of its own."""
    first, second = (count and range(1, count + 1) for count in (first, second))
    other = "b" if second else "a"
    pairs = list(itertools.product(first, second) if second else itertools.combinations(first, 2))
    values = {pair: 2.0**-index for index, pair in enumerate(names.first_pairs(pairs, most=100))}
    lines = []
    for (one, two), value in sorted(values.items(), key=lambda item: max(item[0])):  # a file a larger seed
        there, back = f"a/seed{one}", f"{other}/seed{two}"
        lines += [(there, back, 0, 0, value, value, value), (back, there, 0, 0, value, 3 * value, value)]
    found = summarise_pairs.configurations(pd.DataFrame(lines, columns=tables.columns("pairs.csv")))
    shown = names.first_pairs(pairs)
    assert len(shown) == min(len(values), names.MOST_PAIRS)
    expected = np.mean([values[pair] for pair in shown])
    assert found.pairs.tolist() == [len(shown)] * len(found)
    assert found.equal_depth.tolist() == pytest.approx([expected] * len(found), rel=1e-12)
    # Both directions are of the same pairs.
    directions = [expected, 3 * expected] if second else [2 * expected]
    assert found.best_inside.tolist() == pytest.approx(directions, rel=1e-12)


def test_no_pairs_give_an_empty_table(tmp_path):
    summarise_pairs.main(["--pairs", "--cka", "--out", f"{tmp_path}/pairs.csv"])
    assert pd.read_csv(tmp_path / "pairs.csv").empty
