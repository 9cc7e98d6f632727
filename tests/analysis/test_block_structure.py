"""The block structure: against its definition, on heatmaps of known blocks, and on real ones labelled by eye."""

from pathlib import Path

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from widedeep.analysis import block_structure
from widedeep.analysis.block_structure import LEAST_CONTRAST, find_block
from widedeep.runtime.errors import UserError

# Networks trained with the paper's recipe on the first 3,000 images of CIFAR-10; the upper triangles of their CKA.
HEATMAPS = np.load(Path(__file__).with_name("cifar10_heatmaps.npz"))
# What the eye sees there: the range, as relative depth, of a clear block structure.
CLEAR = {"resnet110-w1-seed1": (0.03, 0.68), "resnet38-w1-seed1": (0.07, 0.70), "resnet56-w1-seed2": (0.12, 0.70)}
NONE = ["resnet14-w1-seed1", "resnet14-w1-seed2", "resnet26-w4-seed1", "resnet56-w1-seed1"]


def banded(layers, reach=0.3):
    """CKA that depends on the distance of layers alone, over a part `reach` of the network."""
    places = np.arange(layers)
    return np.exp(-np.abs(places[:, None] - places) / (reach * layers))


def with_block(layers, start, stop, inside=0.95, noise=0.0, seed=0):
    """banded() with a square of high CKA, and a symmetric noise."""
    cka = banded(layers)
    cka[start:stop, start:stop] = inside
    added = np.random.default_rng(seed).normal(0, noise, cka.shape)
    cka += (added + added.T) / 2
    np.fill_diagonal(cka, 1)
    return cka


def labels(layers, size=5):
    """Residual blocks of `size` layers each."""
    return np.arange(layers) // size


def heatmap(name):
    """(CKA of all layers, stages, blocks) of one of HEATMAPS."""
    stages, blocks = (HEATMAPS[f"{name}/{key}"].tolist() for key in ("stage", "block"))
    cka = np.eye(len(stages))
    cka[np.triu_indices(len(cka), 1)] = HEATMAPS[f"{name}/cka"]
    return np.maximum(cka, cka.T), stages, blocks


def random_cka(rng, layers):
    """A symmetric matrix in (-0.1, 1) with coarse values, so that pairs lie on levels, and ones on the diagonal."""
    cka = rng.choice([-0.1, 0.0, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 1.0], (layers, layers))
    cka = np.where(rng.random((layers, layers)) < 0.5, cka, rng.random((layers, layers)))
    cka = np.triu(cka, 1)
    return cka + cka.T + np.eye(layers)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 16))
def test_the_block_is_that_of_the_definition(seed, layers):
    rng = np.random.default_rng(seed)
    cka = random_cka(rng, layers)
    blocks = np.sort(rng.integers(0, 6, layers)).tolist()
    found, expected = find_block(cka, blocks), oracles.find_block(cka, blocks)
    if expected is None:
        assert found is None
        return
    assert (found.start, found.stop, found.size) == expected[:3]
    assert found.contrast == pytest.approx(expected[3])
    assert found.is_block == (found.contrast >= LEAST_CONTRAST)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 12))
def test_the_contrast_of_any_range_is_that_of_the_definition(seed, layers):
    rng = np.random.default_rng(seed)
    cka = random_cka(rng, layers)
    a, b = sorted(rng.choice(layers, 2, replace=False).tolist())
    if b - a + 1 < layers:
        assert block_structure.contrast(cka, a, b + 1) == pytest.approx(oracles.contrast(cka, a, b))


@pytest.mark.parametrize("layers", [15, 47, 131, 600])
@pytest.mark.parametrize(("start", "stop"), [(0.0, 0.5), (0.2, 0.7), (0.5, 1.0)])
def test_a_known_block_is_found_at_its_place(layers, start, stop):
    start, stop = round(start * layers), round(stop * layers)
    found = find_block(with_block(layers, start, stop, noise=0.02), labels(layers, max(1, layers // 12)))
    assert found.is_block
    assert abs(found.start - start) <= 0.03 * layers
    assert abs(found.stop - stop) <= 0.03 * layers
    assert found.size == (found.stop - found.start) / layers


def test_of_two_blocks_the_larger_one_is_found():
    cka = with_block(100, 5, 60)
    cka[65:95, 65:95] = 0.95
    found = find_block(cka, labels(100))
    assert found.is_block
    assert (found.start, found.stop) == (5, 60)


@pytest.mark.parametrize("reach", [0.02, 0.1, 0.5, 2])
@pytest.mark.parametrize("layers", [15, 60, 200])
def test_a_similarity_of_distance_alone_has_no_contrast(layers, reach):
    """Bands without a block: neighbours are alike, in a small network most layers are."""
    found = find_block(banded(layers, reach), labels(layers, 2))
    assert found.contrast <= 1e-9
    assert not found.is_block


@pytest.mark.parametrize("layers", [60, 200])
def test_noise_is_no_block(layers):
    for seed in range(5):
        assert not find_block(with_block(layers, 0, 0, noise=0.1, seed=seed), labels(layers)).is_block


@pytest.mark.parametrize("name", CLEAR)
def test_the_clear_blocks_of_real_networks_are_found(name):
    found = block_structure.block_of_network(*heatmap(name))
    layers = len(heatmap(name)[0])
    assert found.is_block
    assert (found.start / layers, found.stop / layers) == pytest.approx(CLEAR[name], abs=0.06)


@pytest.mark.parametrize("name", NONE)
def test_real_networks_without_a_block_have_none(name):
    found = block_structure.block_of_network(*heatmap(name))
    assert not found.is_block
    assert found.contrast < 0.037


def test_soft_squares_stay_below_the_threshold_and_above_networks_without_a_block():
    """The eight heatmaps' one in doubt: stages as soft squares, on which two looks disagreed."""
    found = block_structure.block_of_network(*heatmap("resnet38-w1-seed2"))
    assert 0.037 < found.contrast < LEAST_CONTRAST


@pytest.mark.parametrize("name", [*list(CLEAR)[1:], *NONE])  # the deepest one takes long
def test_each_layer_twice_changes_nothing_much(name):
    cka, stages, blocks = heatmap(name)
    once = block_structure.block_of_network(cka, stages, blocks)
    twice = block_structure.block_of_network(
        np.repeat(np.repeat(cka, 2, 0), 2, 1), np.repeat(stages, 2).tolist(), np.repeat(blocks, 2).tolist()
    )
    assert twice.contrast == pytest.approx(once.contrast, abs=0.01)
    assert twice.is_block == once.is_block


def test_the_order_of_depth_does_not_matter():
    cka = with_block(60, 10, 40, noise=0.05)
    found, mirrored = find_block(cka, labels(60)), find_block(cka[::-1, ::-1], labels(60))
    assert (60 - mirrored.stop, 60 - mirrored.start) == (found.start, found.stop)
    assert mirrored.contrast == pytest.approx(found.contrast)


def test_undefined_layers_are_left_out_and_counted_in_no_size():
    cka = with_block(40, 10, 30)
    padded = np.full((43, 43), np.nan)
    kept = [layer for layer in range(43) if layer not in (0, 15, 40)]
    padded[np.ix_(kept, kept)] = cka
    blocks = np.full(43, 99)
    blocks[kept] = labels(40)
    found = find_block(padded, blocks.tolist())
    assert (found.start, found.stop) == (11, 32)
    assert found.size == 20 / 40
    assert found.contrast == find_block(cka, labels(40)).contrast
    assert block_structure.contrast(padded, 11, 32) == pytest.approx(found.contrast)


def test_pooled_features_and_logits_are_left_out_of_a_network():
    cka = with_block(30, 5, 20)
    stages = [0] * 2 + [1] * 12 + [2] * 12 + [0] * 4
    blocks = [0] * 2 + [1] * 6 + [2] * 6 + [1] * 6 + [2] * 6 + [0] * 4
    found = block_structure.block_of_network(cka, stages, blocks)
    assert found == find_block(cka[:26, :26], list(zip(stages, blocks, strict=True))[:26])
    assert found.size == (found.stop - found.start) / 26


def test_without_three_residual_blocks_there_is_no_verdict():
    cka = with_block(40, 10, 30)
    assert find_block(cka, [0] * 20 + [1] * 20) is None
    assert find_block(cka, [None] * 40) is None
    assert block_structure.block_of_network(cka, [0] * 40, [0] * 40) is None
    assert find_block(np.ones((0, 0)), []) is None
    assert find_block(np.full((5, 5), np.nan), labels(5, 1)) is None
    assert find_block(cka, [0] + [1] * 38 + [2]) is None  # only the range of all layers has three
    # The stem counts as one: of three residual blocks and a stem, three make a range.
    assert find_block(cka, ["stem"] * 2 + [1] * 13 + [2] * 13 + [3] * 12) is not None


def test_a_block_has_at_least_a_quarter_of_the_layers():
    cka = banded(40)
    cka[10:18, 10:18] = 0.97  # a fifth
    assert find_block(cka, labels(40, 2)).size >= 0.25


def test_a_wrong_matrix_is_refused():
    cka = with_block(20, 5, 15)
    with pytest.raises(UserError, match="19 labels"):
        find_block(cka, labels(19))
    with pytest.raises(UserError, match="shape"):
        find_block(cka[:, :19], labels(20))
    lopsided = cka.copy()
    lopsided[3, 9] = 0
    with pytest.raises(UserError, match="symmetric"):
        find_block(lopsided, labels(20))
    holed = cka.copy()
    holed[3, 9] = holed[9, 3] = np.nan
    with pytest.raises(UserError, match="3 and 9"):
        find_block(holed, labels(20))


@pytest.mark.parametrize(
    ("matrix", "blocks", "words"),
    [
        (np.ma.masked_less(with_block(20, 5, 15), 0.5), labels(20), "masked"),
        (with_block(20, 5, 15) + 0j, labels(20), "complex128"),
        (with_block(20, 5, 15).astype(str), labels(20), "<U"),
        (None, labels(20), "NoneType"),
        ([[1, 2], [1]], [0, 1], "no array"),
        (100 * with_block(20, 5, 15), labels(20), "layers 0 and 1 .*above 1"),
        (with_block(20, 5, 15), None, "one NoneType"),
        (with_block(20, 5, 15), dict.fromkeys(range(20), 0), "one dict"),
        (with_block(20, 5, 15), [[0]] * 20, r"layer 0 is \[0\]"),
        (with_block(20, 5, 15), [0] * 19 + [float("nan")], "layer 19 is nan"),
    ],
)
def test_what_is_no_matrix_or_no_labels_is_named(matrix, blocks, words):
    with pytest.raises(UserError, match=words):
        find_block(matrix, blocks)


@pytest.mark.parametrize("form", [torch.tensor, lambda cka: torch.tensor(cka, requires_grad=True), np.ndarray.tolist])
def test_a_matrix_may_be_a_tensor_or_a_list_and_the_labels_any_iterable(form):
    cka = with_block(20, 5, 15)
    assert find_block(form(cka), iter(labels(20))) == find_block(cka, labels(20))


def test_the_layers_of_a_block():
    block = block_structure.Block(2, 4, 0.5, 0.1, True)
    assert block_structure.layers_in(block, 5).tolist() == [False, False, True, True, False]
    assert not block_structure.layers_in(block_structure.Block(2, 4, 0.5, 0.01, False), 5).any()
    assert block_structure.layers_in(None, 5).tolist() == [False] * 5


def test_means_inside_and_across_the_edges():
    """Layers 1 to 3 of five: at distance 1 across the edges 0-1 and 3-4, at distance 2 0-2 and 2-4."""
    values = np.eye(5)
    for (one, other), value in {
        (1, 2): 0.9, (2, 3): 0.6, (1, 3): 0.3, (0, 1): 0.4, (3, 4): 0.2, (0, 2): 0.1, (2, 4): 0.5,
    }.items():  # fmt: skip
        values[one, other] = values[other, one] = value
    inside, across = block_structure.means_inside_and_across(values, 1, 4)
    assert inside == pytest.approx(0.6)
    assert across == pytest.approx((2 * 0.3 + 1 * 0.3) / 3)
    assert np.isnan(block_structure.means_inside_and_across(values, 0, 5)).all()
    assert np.isnan(block_structure.contrast(values, 1, 2))


@given(st.integers(0, 10**6), st.integers(1, 12), st.floats(0.1, 0.9))
def test_the_similar_range_is_the_largest_one(seed, layers, threshold):
    rng = np.random.default_rng(seed)
    values = rng.random((layers, layers))
    values = np.maximum(values, values.T)
    np.fill_diagonal(values, 1)
    start, end = sorted(rng.integers(0, layers + 1, 2))
    values[start:end, start:end] = np.maximum(values[start:end, start:end], 0.95)
    if layers > 3:
        values[:, 2] = values[2] = np.nan  # an undefined layer ends a range
    assert block_structure.similar_range(values, threshold) == oracles.similar_range(values, threshold)


def test_the_similar_range_of_a_known_square():
    values = np.eye(10)
    values[3:8, 3:8] = 0.93
    assert block_structure.similar_range(values) == 5
    assert block_structure.similar_range(values, 0.95) == 1
    assert block_structure.similar_range(np.full((4, 4), np.nan)) == 0


def test_squared_cosines_of_known_vectors():
    values = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0, 1], [np.nan] * 3])
    found = block_structure.squared_cosines(values)
    assert found[0, 1] == pytest.approx(0.36)
    assert found[0, 2] == 0
    assert found[1, 1] == 1
    assert np.isnan(found[3]).all()


def test_equal_depth_maps_ends_to_ends():
    assert block_structure.equal_depth(4, 7).tolist() == [0, 2, 4, 6]
    assert block_structure.equal_depth(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert block_structure.equal_depth(7, 4)[[0, -1]].tolist() == [0, 3]


def test_the_similar_range_at_the_threshold_and_beside_what_is_undefined():
    values = np.full((6, 6), 0.9)
    assert block_structure.similar_range(values, 0.9) == 6  # at least, not more than
    values[1, 4] = np.nextafter(0.9, 0)  # in one of its two places: CKA is symmetric but for rounding
    assert block_structure.similar_range(values, 0.9) == 4
    values[3] = values[:, 3] = np.nan
    assert block_structure.similar_range(values, 0.9) == 3
    assert block_structure.similar_range(np.zeros((0, 0))) == 0
    assert block_structure.similar_range(np.array([[1.0]])) == 1


def test_a_contrast_that_is_rounded_is_on_the_same_side_of_every_threshold():
    thresholds = [step / 100 for step in range(31)]
    near = [threshold + off for threshold in thresholds for off in (0, 1e-17, 4e-4, 6e-4, -1e-9, -4e-4, -6e-4)]
    near += [np.nextafter(threshold, end) for threshold in thresholds for end in (-1, 1)]
    for contrast in [*near, *np.random.default_rng(0).uniform(-0.1, 0.4, 200)]:
        rounded = block_structure.rounded_down(contrast)
        assert [rounded >= threshold for threshold in thresholds] == [contrast >= threshold for threshold in thresholds]
        assert abs(rounded - contrast) < 0.001 + 1e-12
        assert len(f"{abs(rounded)!r}") <= len("0.123")
