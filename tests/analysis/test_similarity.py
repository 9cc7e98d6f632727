"""Many pairs at once against one pair at a time, and the files they end in."""

import collections
import itertools

import compute_cka
import compute_pairs
import h5py
import numpy as np
import pytest
from small_dumps import ORIGIN, network, write

from widedeep.analysis import similarity
from widedeep.data import minibatches
from widedeep.formats import dumps, hdf5, seals, similarities
from widedeep.measures import cka, memory
from widedeep.measures.measure import Measure
from widedeep.networks import tracing
from widedeep.runtime import command
from widedeep.runtime.errors import UserError


@pytest.fixture
def paths(tmp_path):
    """Dumps of one configuration with seeds 1, 2 and 3."""
    result = []
    for seed in (1, 2, 3):
        origin = dumps.Origin(ORIGIN.model, seed, ORIGIN.data_checksum, ORIGIN.split)
        result.append(write(tmp_path / f"seed{seed}.h5", net=network(seed), origin=origin))
    return result


def test_many_pairs_equal_one_at_a_time_and_read_each_dump_once_a_minibatch(paths, monkeypatch):
    reads, original = collections.Counter(), dumps.Dump.read

    def counting(dump, minibatch, *into):
        reads[dump.seed, minibatch] += 1
        return original(dump, minibatch, *into)

    opened = [dumps.Dump(path) for path in paths]
    pairs = [(opened[0], opened[1]), (opened[0], opened[2]), (opened[1], opened[2]), (opened[2], opened[2])]
    alone = [similarity.compare([pair])[0] for pair in pairs]
    monkeypatch.setattr(dumps.Dump, "read", counting)
    together = similarity.compare(pairs)
    assert set(reads.values()) == {1}
    assert len(reads) == 3 * 4
    for one, other in zip(alone, together, strict=True):
        check_equal(one, other)
    np.testing.assert_array_equal(together[0].share_second, together[2].share_first)
    np.testing.assert_array_equal(together[2].share_second, together[3].share_first)
    assert not np.array_equal(together[2].share_first, together[2].share_second)
    assert together[3].measures["cka"].values[5, 5] == pytest.approx(1)
    assert together[0].measures["cka"].values[5, 5] < 0.999999


def check_equal(one, other):
    assert one.measures.keys() == other.measures.keys()
    for name, found in one.measures.items():
        np.testing.assert_allclose(found.values, other.measures[name].values, rtol=0, atol=1e-12)
    for found, same in zip(one[1:], other[1:], strict=True):
        np.testing.assert_allclose(found, same, rtol=0, atol=1e-12)


@pytest.mark.parametrize("networks_at_once", [1, 2, 4])
def test_more_dumps_than_the_memory_holds_give_the_same_in_groups(tmp_path, monkeypatch, networks_at_once):
    opened = [
        dumps.Dump(write(tmp_path / f"{seed}.h5", net=network(seed), origin=dumps.Origin("m", seed, "sum", "test")))
        for seed in range(5)
    ]
    pairs = list(itertools.combinations_with_replacement(opened, 2))
    at_once = similarity.compare(pairs)
    largest, original = [], similarity._compare_in_memory
    monkeypatch.setattr(
        similarity,
        "_compare_in_memory",
        lambda used, pairs, measures: largest.append(len(used)) or original(used, pairs, measures),
    )
    of_one = memory.grams_bytes(len(opened[0].layers), 16, 4)
    monkeypatch.setattr(memory, "AT_ONCE", networks_at_once * of_one)
    in_groups = similarity.compare(pairs)
    assert max(largest) == max(2, networks_at_once)
    assert memory.held_bytes([len(opened[0].layers)] * 5, 16, 4) == max(2, networks_at_once) * of_one
    for one, other in zip(at_once, in_groups, strict=True):
        check_equal(one, other)


@pytest.mark.parametrize("seeds", [((1, 2, 3), ()), ((1, 2, 3), (1, 2, 3)), ((1, 2), (1, 2, 3)), ((1, 2, 3), (1, 2))])
def test_a_file_of_pairs_multiplies_only_the_layers_of_its_pairs(tmp_path, seeds):
    net = network()
    layers, sides = tracing.layers_of(net), []
    for model, part, number in (("a", seeds[0], 3), ("b", seeds[1], 5)):
        origins = [dumps.Origin(model, seed, "sum", "test") for seed in part]
        paths = [tmp_path / f"{model}{origin.seed}.h5" for origin in origins]
        for path, origin in zip(paths, origins, strict=True):
            write(path, net=net, layers=layers[:number], origin=origin)
        sides.append([dumps.Dump(path) for path in paths])
    pairs, multiplied = list(compute_pairs.pairs_of_larger_seed(*sides).values()), []

    def cross(first, second):
        multiplied.append(len(first) * len(second))
        return first @ second.T

    words = dict.fromkeys(("title", "formula", "source", "undefined", "layer_cost", "pair_cost"), "")
    own = {"own": lambda vectors: np.ones(len(vectors))}
    counting = Measure("counting", **words, invariances=frozenset(), of=lambda batch: batch.vectors, cross=cross, **own)
    similarity.compare(pairs, [counting])
    asked = sum(len(first.layers) * len(second.layers) for first, second in pairs)
    assert sum(multiplied) == asked * len(pairs[0][0].sample_ids)


def test_a_file_holds_what_was_computed(paths, tmp_path):
    assert compute_cka.main([str(paths[0]), "--with", str(paths[1]), "--out", str(tmp_path / "cka.h5")]) is None
    with dumps.Dump(paths[0]) as first, dumps.Dump(paths[1]) as second:
        ((measures, share_first, share_second),) = similarity.compare([(first, second)])
        names = [layer.name for layer in first.layers]
    read = similarities.read(tmp_path / "cka.h5")
    for name in ("cka", "deflated", "squared_cosine"):
        np.testing.assert_array_equal(getattr(read, name), measures[name].values)
    np.testing.assert_array_equal(read.first.share, share_first)
    np.testing.assert_array_equal(read.second.share, share_second)
    assert (read.first.label, read.second.label) == (f"{ORIGIN.model}/seed1", f"{ORIGIN.model}/seed2")
    assert read.first.names == names
    assert read.first.stages[0] == 0
    assert read.first.kinds[:3] == ["conv", "bn", "relu"]
    assert (read.minibatches, read.batch_size) == (4, 16)


def test_why_a_layer_is_undefined_is_kept(tmp_path):
    import torch

    net = network()
    with torch.no_grad():
        net.stem.bn.weight.zero_()
        net.stem.bn.bias.fill_(-1.0)  # a dead ReLU behind it
    compute_cka.main([str(write(tmp_path / "a.h5", net=net)), "--out", str(tmp_path / "cka.h5")])
    read = similarities.read(tmp_path / "cka.h5")
    dead = read.first.names.index("stem.relu")
    assert read.first.undefined["cka"][dead] == cka.CONSTANT
    assert np.isnan(read.cka[dead]).all()
    assert read.first.undefined["cka"][0] == ""


def test_pairs_are_those_of_the_larger_seed(paths, tmp_path):
    out = tmp_path / "pairs.h5"
    compute_pairs.main(["--first", *map(str, paths), "--out", str(out)])
    assert similarities.names(out) == ["seed1--seed3", "seed2--seed3"]
    pair = similarities.read(out, "seed2--seed3")
    assert (pair.first.label[-5:], pair.second.label[-5:]) == ("seed2", "seed3")
    compute_pairs.main(["--first", *map(str, paths[:2]), "--second", *map(str, paths), "--out", str(out)])
    assert similarities.names(out) == ["seed1--seed3", "seed2--seed3"]
    compute_pairs.main(["--first", *map(str, paths[:2]), "--second", *map(str, paths[:2]), "--out", str(out)])
    assert similarities.names(out) == ["seed1--seed2", "seed2--seed1", "seed2--seed2"]
    with pytest.raises(UserError, match=rf"--first {paths[0]}: .*pair"):
        compute_pairs.main(["--first", str(paths[0]), "--out", str(out)])


def test_refuses_files_that_are_missing_something_else_or_without_the_pair(paths, tmp_path):
    with pytest.raises(UserError, match=r"cka\.h5: .*no such file.*compute_cka\.py"):
        similarities.read(tmp_path / "cka.h5")
    with hdf5.creating(tmp_path / "empty.h5"):
        pass
    with pytest.raises(UserError, match=r"empty\.h5: .*\bcka\b.*compute_cka\.py"):
        similarities.read(tmp_path / "empty.h5")
    with pytest.raises(UserError, match=rf"{paths[0]}: .*activations.*\bcka\b"):
        similarities.read(paths[0])
    compute_cka.main([str(paths[0]), "--out", str(tmp_path / "cka.h5")])
    with pytest.raises(UserError, match=r"cka\.h5: .*compute_cka\.py"):
        similarities.read(tmp_path / "cka.h5", "seed8--seed9")
    with h5py.File(tmp_path / "cka.h5", "a") as file:
        del file["first/kind"]
    seals.write(tmp_path / "cka.h5")
    with pytest.raises(UserError, match=r"cka\.h5: .*compute_cka\.py"):
        similarities.read(tmp_path / "cka.h5")


def test_other_examples_leave_no_file_behind(paths, tmp_path):
    other = write(tmp_path / "other.h5", sample_ids=minibatches.minibatches(40, 16, 2, 7))
    with pytest.raises(UserError, match=r"other\.h5: .*sample ids"):
        compute_cka.main([str(paths[0]), "--with", str(other), "--out", str(tmp_path / "cka.h5")])
    assert not (tmp_path / "cka.h5").exists()
    command.release()
    assert not list(tmp_path.glob(".*"))
