"""Several measures over minibatches, from Grams alone."""

import numpy as np
import pytest
from small_layers import deflated, features, minibatch, related

from widedeep.measures import cka, deflation, kinds
from widedeep.measures.accumulator import Accumulator
from widedeep.measures.gram_matrices import Grams
from widedeep.measures.measure import Minibatch
from widedeep.runtime.errors import UserError

ALL = [kinds.named(name) for name in kinds.names()]


def batches(seed, number=3):
    """Minibatches of 16 examples of two layers, which share something between seeds."""
    layers = [related(seed + 10 * batch, 16, 6, 4) for batch in range(number)]
    return [[layer + features(9, 16, layer.shape[1]) for layer in two] for two in layers]


def test_a_network_with_itself_is_the_same_as_two_equal_ones():
    together, apart = Accumulator(ALL), Accumulator(ALL)
    for batch in batches(0):
        first = minibatch(batch)
        together.add(first, first)
        apart.add(minibatch(batch), minibatch(batch))
    for name, found in together.result().items():
        np.testing.assert_allclose(found.values, apart.result()[name].values, rtol=1e-9)
        np.testing.assert_allclose(np.diagonal(found.values), 1, rtol=1e-9)
        assert (found.minibatches, found.undefined_first, found.undefined_second) == (3, ["", ""], ["", ""])


def test_values_are_those_of_minibatch_cka():
    ours, theirs = Accumulator(ALL), cka.MinibatchCKA()
    for one, other in zip(batches(0), batches(1), strict=True):
        ours.add(minibatch(one), minibatch(other[:1]))
        theirs.add(one, other[:1])
    np.testing.assert_allclose(ours.result()["cka"].values, theirs.result().values, rtol=1e-12)


def test_a_measure_without_finish_is_the_mean_over_minibatches():
    cosine = kinds.named("squared_cosine")
    whole, each = Accumulator([cosine]), []
    for one, other in zip(batches(0), batches(1), strict=True):
        whole.add(minibatch(one), minibatch(other))
        alone = Accumulator([cosine])
        alone.add(minibatch(one), minibatch(other))
        each.append(alone.result()["squared_cosine"].values)
    np.testing.assert_allclose(whole.result()["squared_cosine"].values, np.mean(each, axis=0), rtol=1e-12)


@pytest.mark.parametrize("measure", ALL, ids=lambda measure: measure.name)
@pytest.mark.parametrize("value", [5.0, np.nan, np.inf])
def test_a_layer_that_is_constant_or_not_finite_is_nan_with_a_reason(measure, value):
    found = Accumulator([measure])
    for batch in batches(0):
        broken = np.full((16, 3), 5.0)
        broken[3] = value
        found.add(minibatch([*batch, broken]), minibatch([broken, *batch]))
    found = found.result()[measure.name]
    expected = np.zeros((3, 3), bool)
    expected[2] = expected[:, 0] = True
    np.testing.assert_array_equal(np.isnan(found.values), expected)
    assert [bool(reason) for reason in found.undefined_first] == [False, False, True]
    assert [bool(reason) for reason in found.undefined_second] == [True, False, False]


def test_other_examples_and_no_minibatch_are_refused():
    similarity = Accumulator(ALL)
    with pytest.raises(UserError, match="minibatch"):
        similarity.result()
    first, second = (minibatch([features(0, n, 3)]) for n in (16, 17))
    with pytest.raises(UserError, match="16 and 17 examples"):
        similarity.add(first, second)


def test_a_minibatch_of_grams_is_deflated_only_where_a_measure_asks(monkeypatch):
    layers = [*batches(0)[0], np.ones((16, 2))]
    grams = Grams.of(layers)
    without, _, vectors = deflated(grams)
    asked = Minibatch(grams)
    np.testing.assert_array_equal(asked.deflated.triangles, without.triangles)
    np.testing.assert_array_equal(asked.deflated.diagonals, without.diagonals)
    np.testing.assert_array_equal(asked.vectors, vectors)
    np.testing.assert_array_equal(grams.triangles, Grams.of(layers).triangles)
    monkeypatch.setattr(deflation, "first_scores", None)
    similarity = Accumulator([kinds.named("cka")])
    similarity.add(Minibatch(grams), Minibatch(grams))
    with pytest.raises(TypeError):
        Accumulator([kinds.named("deflated")]).add(Minibatch(grams), Minibatch(grams))


def test_cka_takes_torch_tensors():
    torch = pytest.importorskip("torch")
    similarity = {kind: Accumulator([kinds.named("cka")]) for kind in ("numpy", "torch")}
    for one, other in zip(batches(0), batches(1), strict=True):
        grams = [Grams.of(one), Grams.of(other)]
        similarity["numpy"].add(*map(Minibatch, grams))
        arrays = [map(torch.from_numpy, (of.triangles, of.diagonals, of.row_sums)) for of in grams]
        tensors = [Grams(triangles, 16, *rest) for triangles, *rest in arrays]
        similarity["torch"].add(*map(Minibatch, tensors))
    found, expected = (similarity[kind].result()["cka"] for kind in ("torch", "numpy"))
    assert type(found.values) is np.ndarray
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)


@pytest.mark.parametrize("measure", ALL, ids=lambda measure: measure.name)
def test_a_record_is_told_in_plain_text(measure):
    for name in ("title", "formula", "source", "undefined", "layer_cost", "pair_cost"):
        text = getattr(measure, name)
        assert text.strip() == text != ""
        assert not text.endswith(".")
        assert "\n" not in text
