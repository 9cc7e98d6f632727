"""Every measure: its declared invariances, and one file as all that a further one takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import compute_measure
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
from widedeep.networks.layers import LayerInfo
from widedeep.networks.layers import outputs as outputs_of
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
    np.testing.assert_allclose(np.diagonal(measure.cross(value, value)), measure.own(value).real, rtol=1e-9)
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


SAME_SIGN = '''
"""Share of pairs of examples whose inner products have one sign in both layers."""

import numpy as np

from widedeep.measures.measure import Measure


def signs(minibatch):
    return np.sign(minibatch.plain.triangles)


MEASURE = Measure(
    name="same_sign",
    title="same sign",
    formula="share of pairs (i, j) with the same sign of K_ij and L_ij",
    source="this test",
    invariances=frozenset({"shift", "scale", "rotation"}),
    undefined="not there",
    layer_cost="n² / 2 comparisons",
    pair_cost="n² / 2 multiplications",
    of=signs,
    cross=lambda first, second: (1 + first @ second.T / first.shape[1]) / 2,
    own=lambda found: np.ones(len(found)),
)
'''


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A copy of scripts/ with one more file in measures/kinds/."""
    copy = tmp_path_factory.mktemp("copy") / "scripts"
    shutil.copytree("scripts", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "widedeep/measures/kinds/same_sign.py").write_text(SAME_SIGN)
    return copy


def run(script, *words):
    return subprocess.run([sys.executable, str(script), *map(str, words)], capture_output=True, text=True)


def dump_of(path, seed):
    origin = dumps.Origin(ORIGIN.model, seed, ORIGIN.data_checksum, ORIGIN.split)
    return write(path / f"seed{seed}.h5", form="raw", net=network(seed), origin=origin)


def same_sign(dump, other):
    """From the activations of two raw dumps of 4 minibatches, in float64; and only of pairs whose sign is clear."""

    def grams(of):
        return [[oracles.gram(of.activations(batch, layer.name)) for batch in range(4)] for layer in of.layers]

    def share(one, two):
        rows, columns = np.triu_indices(16, 1)
        return np.mean([(np.sign(k) == np.sign(l))[rows, columns].mean() for k, l in zip(one, two, strict=True)])  # noqa: E741

    return [[share(one, two) for two in grams(other)] for one in grams(dump)]


def test_one_file_is_all_that_a_further_measure_takes(scripts, tmp_path):
    paths = [dump_of(tmp_path, seed) for seed in (1, 2)]
    assert "same_sign" in run(scripts / "compute_measure.py", "--help").stdout
    words = "--measure", "same_sign", "--with", paths[1], "--out", tmp_path / "same_sign.h5"
    assert run(scripts / "compute_measure.py", paths[0], *words).returncode == 0
    with dumps.Dump(paths[0]) as first, dumps.Dump(paths[1]) as second:
        expected = same_sign(first, second)
    read = similarities.read(tmp_path / "same_sign.h5", measure="same_sign")
    assert {*read.measures} == {"same_sign"}
    np.testing.assert_allclose(read.measures["same_sign"], expected, atol=0.01)
    code = "import sys; sys.path.insert(0, sys.argv[1]); from widedeep.study.config import Study; print(Study)"
    code += "; print(Study.model_json_schema()['properties']['measures'])"
    assert "'same_sign'" in subprocess.run([sys.executable, "-c", code, scripts], capture_output=True, text=True).stdout


def test_measures_with_a_decomposition_a_pair_compare_the_outputs_of_blocks(tmp_path):
    path = dump_of(tmp_path, 1)
    for name in ("procrustes", "rsa_pearson"):
        compute_measure.main([str(path), "--measure", name, "--out", str(tmp_path / f"{name}.h5")])
    read = {name: similarities.read(tmp_path / f"{name}.h5", measure=name) for name in ("procrustes", "rsa_pearson")}
    every, outputs = read["rsa_pearson"].first, read["procrustes"].first
    blocks = [(stage, block) for stage, block in zip(outputs.stages, outputs.blocks, strict=True) if block]
    assert len({*blocks}) == len(blocks) == len({*zip(every.stages, every.blocks, strict=True)} - {(0, 0)})
    assert all(".relu" in name for name, block in zip(outputs.names, outputs.blocks, strict=True) if block)
    outside = [name for name, block in zip(every.names, every.blocks, strict=True) if not block]
    assert [name for name, block in zip(outputs.names, outputs.blocks, strict=True) if not block] == outside
    places = [every.names.index(name) for name in outputs.names]
    assert places == sorted(places)
    with dumps.Dump(path) as dump:
        ours = [oracles.procrustes(*[dump.activations(0, name).reshape(16, -1)] * 2) for name in outputs.names[:2]]
        expected = np.mean(
            [
                oracles.procrustes(*(dump.activations(batch, name).reshape(16, -1) for name in outputs.names[:4:3]))
                for batch in range(4)
            ]
        )
    assert ours == pytest.approx([1, 1])
    assert read["procrustes"].measures["procrustes"][0, 3] == pytest.approx(expected, abs=1e-4)


def test_the_output_of_a_block_is_its_last_layer_but_for_the_shortcut():
    names = {"stem.conv": 0, "a.conv": 1, "a.relu": 1, "a.shortcut.bn": 1, "b.shortcut": 2, "b.conv": 2, "logits": 0}
    layers = [LayerInfo(name, "conv", min(block, 1), block, ()) for name, block in names.items()]
    assert [layer.name for layer in outputs_of(layers)] == ["stem.conv", "a.relu", "b.conv", "logits"]
    assert outputs_of(layers[:1]) == layers[:1]


def test_the_three_measures_of_the_figures_are_those_of_cka(tmp_path):
    path = write(tmp_path / "a.h5")
    assert run(Path("scripts/compute_cka.py"), path, "--out", tmp_path / "cka.h5").returncode == 0
    assert {*similarities.read(tmp_path / "cka.h5").measures} == {"cka", "deflated", "squared_cosine"}
    assert {*kinds.names()} == {*kinds.OF_FIGURES, *kinds.further()}
    assert not {*kinds.OF_FIGURES} & {*kinds.further()}


def test_another_measure_in_a_file_is_refused(tmp_path):
    path, out = write(tmp_path / "a.h5"), tmp_path / "rsa_pearson.h5"
    compute_measure.main([str(path), "--measure", "rsa_pearson", "--out", str(out)])
    with pytest.raises(UserError, match=r"rsa_pearson\.h5: .*compute_measure\.py --measure svcca"):
        similarities.read(out, measure="svcca")
    with pytest.raises(UserError, match=r"rsa_pearson\.h5: .*compute_cka\.py"):
        similarities.read(out)


def test_a_measure_without_a_file_is_refused(tmp_path):
    refused = run(Path("scripts/compute_measure.py"), "a.h5", "--measure", "pwcca", "--out", tmp_path / "pwcca.h5")
    assert refused.returncode == 2
    assert all(word in refused.stderr for word in ("--measure", "pwcca", "squared_cosine"))
    with pytest.raises(UserError, match="pwcca.*cka, deflated, .*squared_cosine"):
        kinds.named("pwcca")


def test_a_file_and_its_measure_have_one_name(scripts, tmp_path):
    other = scripts / "widedeep/measures/kinds/other_name.py"
    other.write_text(SAME_SIGN)
    path = write(tmp_path / "a.h5")
    words = "--measure", "other_name", "--out", tmp_path / "out.h5"
    refused = run(scripts / "compute_measure.py", path, *words)
    other.unlink()
    assert refused.returncode == 1
    assert all(word in refused.stderr for word in ("other_name.py", "'same_sign'", "'other_name'"))
    assert not (tmp_path / "out.h5").exists()
