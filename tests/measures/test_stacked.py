"""Stacks of Gram matrices, which go block by block, against whole Gram matrices in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_layers import features, scores_of

from widedeep.measures import deflation, hsic, stacked
from widedeep.measures.gram_matrices import Grams

FIRST, SECOND = slice(0, 3), slice(2, 7)


def filled(n, dtype, pairs):
    """A Stack of seven layers, and (plain, deflated) Grams of the same.

    The last three layers are constant, have a single component, and are not finite. As in dumps, the matrices are
    rounded to float32, so rows do not quite sum to zero.
    """
    layers = [features(seed, n, 3 + seed) for seed in range(4)]
    plain = Grams.of([*layers, np.ones((n, 2)), features(8, n, 1), features(9, n, 2)])
    rounded = [array.astype(np.float32).astype(np.float64) for array in (plain.triangles, plain.diagonals)]
    rounded[0][6, 1] = np.nan
    plain = Grams(rounded[0], n, rounded[1])
    stack = stacked.Stack(7, n, dtype, pairs)
    stack.triangles[:], stack.diagonals[:], stack.scores[:] = *rounded, scores_of(plain)
    deflated = plain.copy()
    deflation.deflate(deflated, stack.scores)
    return stack, (plain, deflated)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(n=st.integers(4, 20), block=st.sampled_from([1, 1000, 5000, 10**6]))
def test_hsic_is_that_of_whole_matrices(dtype, n, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacked, "BLOCK", block)
        stack, expected = filled(n, dtype, [(FIRST, SECOND), (SECOND, SECOND)])
        found = stack.minibatch()
    for grams, whole in zip((found.plain, found.deflated), expected, strict=True):
        scale = np.nanmax(np.abs(hsic.self_hsic(whole)))
        for pair in ((FIRST, SECOND), (SECOND, SECOND), (SECOND, FIRST), (slice(1, 2), slice(0, 7))):
            values, same = (hsic.cross_hsic(*(one[part] for part in pair)) for one in (grams, whole))
            np.testing.assert_allclose(values, same, rtol=1e-12, atol=1e-12 * scale)
        own, same = hsic.self_hsic(grams), hsic.self_hsic(whole)
        np.testing.assert_allclose(own, same, rtol=1e-12, atol=1e-12 * scale)
        np.testing.assert_array_equal(own.real <= own.imag, same.real <= same.imag)


def test_every_array_of_grams_is_there_for_further_measures():
    stack, expected = filled(9, np.float32, [])
    found = stack.minibatch()
    for grams, whole in zip((found.plain, found.deflated), expected, strict=True):
        for name in ("triangles", "diagonals", "row_sums", "squared_norms"):
            for part in (slice(None), slice(2, 6)):
                array, same = (getattr(one[part], name) for one in (grams, whole))
                assert array.dtype == np.float64
                np.testing.assert_allclose(array, same, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(grams[2:6][1:3].diagonals, whole.diagonals[3:5], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found.vectors, deflation.unit_vectors(stack.scores))


def test_asked_products_make_no_whole_triangles_in_float64(monkeypatch):
    stack, _ = filled(9, np.float32, [(FIRST, SECOND)])
    minibatch = stack.minibatch()
    monkeypatch.setattr(stacked, "Grams", None)
    hsic.cross_hsic(minibatch.deflated[FIRST], minibatch.deflated[SECOND])
    hsic.self_hsic(minibatch.deflated)
    with pytest.raises(TypeError):
        hsic.cross_hsic(minibatch.deflated[SECOND], minibatch.deflated[FIRST])


@given(n=st.integers(4, 40), most=st.integers(0, 500))
def test_blocks_have_all_rows_once_and_in_order(n, most):
    rows, columns, size = [], np.triu_indices(n, 1)[0], 0
    for block, of_block in stacked.row_blocks(n, most):
        assert block.start == size
        size = block.stop
        assert block.stop - block.start <= most or len(of_block) == 1
        for row, entries in of_block:
            assert (columns[block][entries] == row).all()
            assert entries.stop - entries.start == n - 1 - row
            rows.append(row)
    assert rows == list(range(n - 1))
    assert size == len(columns)
