"""Numbers for the block structure against their definitions."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widedeep.analysis import block_structure


@given(st.integers(0, 10**6), st.integers(1, 12), st.floats(0.1, 0.9))
def test_block_size_is_the_largest_range(seed, layers, threshold):
    rng = np.random.default_rng(seed)
    values = rng.random((layers, layers))
    values = np.maximum(values, values.T)
    np.fill_diagonal(values, 1)
    start, end = sorted(rng.integers(0, layers + 1, 2))
    values[start:end, start:end] = np.maximum(values[start:end, start:end], 0.95)
    if layers > 3:
        values[:, 2] = values[2] = np.nan  # an undefined layer ends a range
    assert block_structure.block_size(values, threshold) == oracles.block_size(values, threshold)


def test_block_size_of_a_known_block():
    values = np.eye(10)
    values[3:8, 3:8] = 0.93
    assert block_structure.block_size(values) == 5
    assert block_structure.block_size(values, 0.95) == 1
    assert block_structure.block_size(np.full((4, 4), np.nan)) == 0


def test_squared_cosines_of_known_vectors():
    values = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0, 1], [np.nan] * 3])
    found = block_structure.squared_cosines(values)
    assert found[0, 1] == pytest.approx(0.36)
    assert found[0, 2] == 0
    assert found[1, 1] == 1
    assert np.isnan(found[3]).all()


def test_a_known_block_is_found_and_a_network_without_one_has_none():
    """Layers 3 to 8 of 12 share one dominant component, layer 10 has one of its own."""
    rng = np.random.default_rng(0)
    dominant = rng.standard_normal((200, 1))
    activations = [rng.standard_normal((200, 20)) for _ in range(12)]
    for layer in range(3, 9):
        activations[layer] = activations[layer] + 10 * dominant @ rng.standard_normal((1, 20))
    activations[10] = activations[10] + 10 * rng.standard_normal((200, 1)) @ rng.standard_normal((1, 20))
    u, s, _ = zip(*(np.linalg.svd(x - x.mean(axis=0), full_matrices=False) for x in activations), strict=True)
    share = np.array([values[0] ** 2 / (values**2).sum() for values in s])
    vectors = np.stack([vector[:, 0] for vector in u])
    found = block_structure.layers_in_block(share, block_structure.squared_cosines(vectors))
    assert found.tolist() == [3 <= layer < 9 for layer in range(12)]
    without = [0, 1, 2, 9, 11]
    assert not block_structure.layers_in_block(
        share[without], ((vectors @ vectors.T) ** 2)[np.ix_(without, without)]
    ).any()


@given(st.integers(0, 10**6), st.integers(1, 9))
def test_layers_in_block_are_those_of_the_definition(seed, layers):
    """With shares and cosines exactly at their thresholds among them, and layers that have neither."""
    rng = np.random.default_rng(seed)
    share = rng.choice([0.3, 0.5, 0.6, 0.9], layers)
    agreement = rng.choice([0.1, 0.8, 0.9, 0.95], (layers, layers))
    agreement = np.maximum(agreement, agreement.T)
    np.fill_diagonal(agreement, 1)
    undefined = rng.random(layers) < 0.1
    share[undefined] = agreement[undefined] = agreement[:, undefined] = np.nan
    assert block_structure.layers_in_block(share, agreement).tolist() == oracles.layers_in_block(share, agreement)


def test_means_among_layers_are_over_the_same_pairs_and_leave_out_the_diagonal():
    """Layers 0, 1 and 3: of their three pairs one has no CKA without the first component, one none at all."""
    values = np.arange(16.0).reshape(4, 4)
    deflated = values + 100
    chosen = np.array([True, True, False, True])
    assert block_structure.means_among(values, deflated, chosen) == ((1 + 3 + 7) / 3, 100 + (1 + 3 + 7) / 3, 0)
    deflated[0, 3] = np.nan
    assert block_structure.means_among(values, deflated, chosen) == ((1 + 7) / 2, 100 + (1 + 7) / 2, 1)
    values[1, 3] = np.nan
    assert block_structure.means_among(values, deflated, chosen) == (1, 101, 2)
    deflated[0, 1] = np.nan
    *means, left_out = block_structure.means_among(values, deflated, chosen)
    assert np.isnan(means).all()
    assert left_out == 3
    *means, left_out = block_structure.means_among(values, deflated, np.array([True, False, False, False]))
    assert np.isnan(means).all()
    assert left_out == 0


def test_equal_depth_maps_ends_to_ends():
    assert block_structure.equal_depth(4, 7).tolist() == [0, 2, 4, 6]
    assert block_structure.equal_depth(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert block_structure.equal_depth(7, 4)[[0, -1]].tolist() == [0, 3]


def test_block_size_at_the_threshold_and_beside_what_is_undefined():
    values = np.full((6, 6), 0.9)
    assert block_structure.block_size(values, 0.9) == 6  # at least, not more than
    values[1, 4] = np.nextafter(0.9, 0)  # in one of its two places: CKA is symmetric but for rounding
    assert block_structure.block_size(values, 0.9) == 4
    values[3] = values[:, 3] = np.nan
    assert block_structure.block_size(values, 0.9) == 3
    assert block_structure.block_size(np.zeros((0, 0))) == 0
    assert block_structure.block_size(np.array([[1.0]])) == 1
