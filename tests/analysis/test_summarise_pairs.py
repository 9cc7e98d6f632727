"""The tables of pairs of networks, and of pairs of configurations."""

import itertools

import numpy as np
import pandas as pd
import pytest
import small_network
import summarise_pairs

from widedeep import names
from widedeep.formats import tables
from widedeep.runtime.errors import UserError


def test_pairs_are_summarised_in_both_directions(tmp_path):
    """Network a: 4 layers, 1 and 2 in its block; network b: 7 layers, 5 and 6 in its block."""
    paths = [
        small_network.write_components(tmp_path / "a.h5", "a/seed1", 4, [1, 2]),
        small_network.write_components(tmp_path / "b.h5", "b/seed1", 7, [5, 6]),
    ]
    values = np.random.default_rng(0).uniform(0, 1, (4, 7))
    values[0, 3] = np.nan
    small_network.write_similarities(tmp_path / "pairs.h5", "seed1--seed1", ("a/seed1", "b/seed1"), values, values)
    summarise_pairs.main([f"--pairs={tmp_path}/pairs.h5", "--components", *paths, "--out", f"{tmp_path}/pairs.csv"])
    there, back = pd.read_csv(tmp_path / "pairs.csv").itertuples(index=False)
    assert (there.first, there.second, back.first, back.second) == ("a/seed1", "b/seed1", "b/seed1", "a/seed1")
    assert (there.block_first, there.block_second) == (pytest.approx(0.5), pytest.approx(2 / 7, abs=1e-4))
    # Layers 0, 1, 2, 3 of a are at the depth of layers 0, 2, 4, 6 of b; 0 alone is in neither block.
    assert there.equal_depth == pytest.approx(values[0, 0], abs=1e-4)
    assert there.best_inside == pytest.approx((values[1].max() + values[2].max()) / 2, abs=1e-4)
    assert there.best_outside == pytest.approx((np.nanmax(values[0]) + values[3].max()) / 2, abs=1e-4)
    assert back.best_inside == pytest.approx((values[:, 5].max() + values[:, 6].max()) / 2, abs=1e-4)
    with pytest.raises(UserError, match=r"pairs\.h5: .*b/seed1\b.*--components"):
        summarise_pairs.main([f"--pairs={tmp_path}/pairs.h5", "--components", paths[0], "--out", f"{tmp_path}/no.csv"])
    assert not (tmp_path / "no.csv").exists()


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
    summarise_pairs.main(["--pairs", "--components", "--out", f"{tmp_path}/pairs.csv"])
    assert pd.read_csv(tmp_path / "pairs.csv").empty
