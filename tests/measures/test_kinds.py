"""Every measure: its declared invariances, and one file as all that a further one takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_dumps import ORIGIN, network, write
from small_layers import minibatch, related, without_first_component

from widedeep.formats import dumps, similarities
from widedeep.measures import kinds
from widedeep.measures.accumulator import Accumulator
from widedeep.runtime.errors import UserError

CHANGES = {
    "shift": lambda x, rng: x + 5 * rng.standard_normal(x.shape[1]),
    "scale": lambda x, _: -300 * x,
    "rotation": lambda x, rng: x @ np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))[0],
}
CHANGES["linear"] = lambda x, rng: CHANGES["rotation"](x, rng) * np.logspace(0, 2, x.shape[1])


def similarity(measure, first, second):
    """Values of a measure, (layers of first, layers of second); from lists of minibatches, lists of layers each."""
    sums = Accumulator([measure])
    for one, other in zip(first, second, strict=True):
        sums.add(minibatch(one), minibatch(other))
    return sums.result()[measure.name].values


def minibatches(seed, p=5, q=7):
    """Three minibatches of 12 examples, of two layers that share something with each of two others."""
    layers = [related(seed + 10 * layer, 36, p, q) for layer in range(2)]
    first, second = zip(*layers, strict=True)
    return [[[x[start : start + 12] for x in side] for start in (0, 12, 24)] for side in (first, second)]


@pytest.mark.parametrize("name", kinds.names())
@pytest.mark.parametrize("change", CHANGES)
@given(seed=st.integers(0, 10**4))
def test_invariances_are_as_declared(name, change, seed):
    measure = kinds.named(name)
    assert measure.invariances <= {*CHANGES}
    if change not in measure.invariances:
        return
    first, second = minibatches(seed)
    # The same change for all minibatches: it is one of the layer, not of its examples.
    changed = [[CHANGES[change](x, np.random.default_rng(seed)) for x in layers] for layers in first]
    expected = similarity(measure, first, second)
    np.testing.assert_allclose(similarity(measure, changed, second), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(similarity(measure, second, changed), expected.T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", kinds.names())
@pytest.mark.parametrize("change", CHANGES)
def test_an_invariance_that_is_not_declared_does_not_hold(name, change):
    measure = kinds.named(name)
    if change not in measure.invariances:
        first, second = minibatches(0)
        changed = [[CHANGES[change](x, np.random.default_rng(1)) for x in layers] for layers in first]
        assert np.abs(similarity(measure, changed, second) - similarity(measure, first, second)).max() > 0.01


@pytest.mark.parametrize("name", kinds.names())
def test_swapping_the_networks_transposes_and_parts_are_parts_of_the_whole(name):
    """similarity.compare relies on both: it multiplies several networks at once, and may swap the two of a pair."""
    measure = kinds.named(name)
    first, second = (measure.of(minibatch(layers[0])) for layers in minibatches(0))
    cross = measure.cross(first, second)
    assert cross.shape == (2, 2)
    np.testing.assert_allclose(measure.cross(second, first), cross.T, rtol=1e-12)
    np.testing.assert_allclose(measure.cross(first[1:], second[:1]), cross[1:, :1], rtol=1e-9)
    np.testing.assert_allclose(measure.own(first[1:]), measure.own(first)[1:], rtol=1e-12)


@pytest.mark.parametrize("name", kinds.names())
def test_own_is_the_value_of_a_layer_with_itself(name):
    measure = kinds.named(name)
    value = measure.of(minibatch(minibatches(3)[0][0]))
    np.testing.assert_allclose(np.diagonal(measure.cross(value, value)), measure.own(value), rtol=1e-9)
    np.testing.assert_allclose(measure.cross(value, value[:]), measure.cross(value, value), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", kinds.names())
def test_values_do_not_depend_on_the_order_of_examples(name):
    measure = kinds.named(name)
    first, second = minibatches(1)
    order = np.random.default_rng(0).permutation(12)
    shuffled = [[[x[order] for x in layers] for layers in side] for side in (first, second)]
    np.testing.assert_allclose(similarity(measure, *shuffled), similarity(measure, first, second), rtol=1e-6)


def means_of_ratio(first, second, part=lambda x: x):
    """Minibatch CKA of (layer, layer) by the oracle; `part` is done to the features of each minibatch."""
    whole = [[np.concatenate([part(batch[layer]) for batch in side]) for layer in range(2)] for side in (first, second)]
    return [[oracles.minibatch_cka(x, y, 12) for y in whole[1]] for x in whole[0]]


def squared_cosines(first, second):
    """Means over minibatches, of the first left singular vectors of the centred features."""

    def vectors(layers):
        return np.stack([np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[0][:, 0] for x in layers])

    return np.mean([(vectors(one) @ vectors(other).T) ** 2 for one, other in zip(first, second, strict=True)], axis=0)


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("cka", means_of_ratio),
        ("deflated", lambda first, second: means_of_ratio(first, second, without_first_component)),
        ("squared_cosine", squared_cosines),
    ],
)
def test_the_measures_of_the_figures_equal_their_definitions(name, definition):
    first, second = minibatches(2)
    found = similarity(kinds.named(name), first, second)
    np.testing.assert_allclose(found, definition(first, second), rtol=1e-6, atol=1e-7)


BIASED = '''
"""Linear CKA with the biased HSIC (Kornblith et al. 2019): also the RV coefficient of the minibatches together."""

import numpy as np

from widedeep.measures.cka import ratio
from widedeep.measures.measure import Measure


def cross(first, second):
    return 2 * first.triangles @ second.triangles.T + first.diagonals @ second.diagonals.T


MEASURE = Measure(
    name="biased_cka",
    title="biased CKA",
    formula="<K, L> / (|K| |L|)",
    source="Kornblith et al. 2019, equation 4",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="constant",
    layer_cost="none",
    pair_cost="n² / 2 multiplications",
    of=lambda minibatch: minibatch.plain,
    cross=cross,
    own=lambda grams: np.diagonal(cross(grams, grams)),
    finish=ratio,
)
'''


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A copy of scripts/ with one more file in measures/kinds/."""
    copy = tmp_path_factory.mktemp("copy") / "scripts"
    shutil.copytree("scripts", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "widedeep/measures/kinds/biased_cka.py").write_text(BIASED)
    return copy


def run(script, *words):
    return subprocess.run([sys.executable, str(script), *map(str, words)], capture_output=True, text=True)


def biased_cka(dump, other):
    """From the activations of two raw dumps of 4 minibatches, in float64."""

    def grams(of):
        return [[oracles.gram(of.activations(batch, layer.name)) for batch in range(4)] for layer in of.layers]

    def product(one, two):
        return sum((k * l).sum() for k, l in zip(one, two, strict=True))  # noqa: E741

    return [
        [product(one, two) / np.sqrt(product(one, one) * product(two, two)) for two in grams(other)]
        for one in grams(dump)
    ]


def test_one_file_is_all_that_a_further_measure_takes(scripts, tmp_path):
    paths = [
        write(
            tmp_path / f"seed{seed}.h5",
            form="raw",
            net=network(seed),
            origin=dumps.Origin(ORIGIN.model, seed, ORIGIN.data_checksum, ORIGIN.split),
        )
        for seed in (1, 2)
    ]
    assert "biased_cka" in run(scripts / "compute_cka.py", "--help").stdout
    options = "--measures", "biased_cka", "cka"
    both = "--with", paths[1], "--out", tmp_path / "cka.h5"
    assert run(scripts / "compute_cka.py", paths[0], *options, *both).returncode == 0
    words = "--first", *paths, *options, "--out", tmp_path / "pairs.h5"
    assert run(scripts / "compute_pairs.py", *words).returncode == 0
    with dumps.Dump(paths[0]) as first, dumps.Dump(paths[1]) as second:
        expected = biased_cka(first, second)
    for path, name in ((tmp_path / "cka.h5", "/"), (tmp_path / "pairs.h5", "seed1--seed2")):
        found = similarities.read(path, name).measures
        assert {*found} == {"cka", "deflated", "squared_cosine", "biased_cka"}
        np.testing.assert_allclose(found["biased_cka"], expected, rtol=1e-5)
        assert abs(found["biased_cka"] - found["cka"]).max() > 1e-3


def test_the_three_measures_of_the_figures_are_stored_in_any_case(tmp_path):
    path = write(tmp_path / "a.h5")
    assert run(Path("scripts/compute_cka.py"), path, "--out", tmp_path / "cka.h5").returncode == 0
    assert {*similarities.read(tmp_path / "cka.h5").measures} == {"cka", "deflated", "squared_cosine"}


def test_a_measure_without_a_file_is_refused(tmp_path):
    refused = run(Path("scripts/compute_cka.py"), "a.h5", "--measures", "svcca", "--out", tmp_path / "cka.h5")
    assert refused.returncode == 2
    assert all(word in refused.stderr for word in ("--measures", "svcca", "squared_cosine"))
    with pytest.raises(UserError, match="svcca.*cka, deflated, squared_cosine"):
        kinds.named("svcca")


def test_a_file_and_its_measure_have_one_name(scripts, tmp_path):
    other = scripts / "widedeep/measures/kinds/other_name.py"
    other.write_text(BIASED)
    path = write(tmp_path / "a.h5")
    refused = run(scripts / "compute_cka.py", path, "--measures", "other_name", "--out", tmp_path / "cka.h5")
    other.unlink()
    assert refused.returncode == 1
    assert all(word in refused.stderr for word in ("other_name.py", "'biased_cka'", "'other_name'"))
    assert not (tmp_path / "cka.h5").exists()
