"""Arrays handed to the library: the numbers of the definition in float64, or one sentence; NaN only with its reason."""

import json
import shutil
from pathlib import Path

import children
import numpy as np
import odd_arrays
import oracles
import pytest
import torch
from cases import results_of, rng_of
from damage import damaged
from small_layers import related
from torch import nn

from widedeep import LayerSimilarity, MinibatchCKA, cka, find_block, layer_cka, layer_similarity
from widedeep.measures.hsic import hsic1
from widedeep.measures.kinds import cka as measure  # noqa: F401 (before the children are born)


def computed(compute, folder):
    """(Outcome, what `compute` returned, by way of JSON, or None) of a child."""

    def main():
        found = compute()
        Path("out").mkdir()
        Path("out/found.json").write_text(json.dumps(found))

    shutil.rmtree(folder / "out", ignore_errors=True)
    outcome = children.run(main, folder)
    files = results_of(outcome, folder)
    return outcome, json.loads(files["found.json"]) if files else None


def layer(rng, folder, n, seed, side=0):
    """A layer of n examples with hostile values, in any form that is read, or now and then in one that is not."""
    x = related(seed, n, rng.randint(2, 9), rng.randint(2, 9))[side]
    x = odd_arrays.VALUES[rng.choice(sorted(odd_arrays.VALUES))](x, rng)
    return odd_arrays.refused(x, rng) if rng.random() < 0.08 else odd_arrays.accepted(x, rng, folder)


def slices(n, size):
    return [slice(start, start + size) for start in range(0, n - size + 1, size)]


def test_cka_of_two_layers(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "cka", case)
        n, seed = rng.choice([4, 5, 16, 40]), rng.getrandbits(30)
        x = layer(rng, tmp_path, n, seed)
        y = layer(rng, tmp_path, n + (rng.random() < 0.05), seed, side=1)
        size = rng.choice([None, None, 4, n, rng.choice([n + 1, 3, 0, -4, 4.0, "4", True, [4], np.nan, 10**30])])
        is_refused = x.values is None or y.values is None or len(x.values) != len(y.values)
        is_refused |= size is not None and (type(size) is not int or not 4 <= size <= n)
        outcome, found = computed(lambda x=x, y=y, size=size: cka(x.form, y.form, size), tmp_path)
        assert (found is None) == is_refused, f"case {case}: {outcome}, {found}"
        if not is_refused:
            parts = [odd_arrays.Parts(one, slices(n, size or n)) for one in (x, y)]
            odd_arrays.check_cka(found, (x, parts[0]), (y, parts[1]))
        ended[outcome.ending] += 1


def _streamed(minibatches, second):
    similarity = MinibatchCKA()
    for one, other in minibatches:
        similarity.add(one, other if second else None)
    found = similarity.result()
    return [found.values.tolist(), found.undefined_first, found.undefined_second, found.minibatches]


def check_matrix(values, undefined_first, undefined_second, first, second):
    """Fail unless the CKA of all pairs of layers is right, and NaN has a reason, which nothing else has.

    Args:
        values, undefined_first, undefined_second: see cka.Similarity.
        first, second: lists of (Given, Parts).
    """
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            odd_arrays.check_cka(values[row][column], one, other)
            assert np.isnan(values[row][column]) == bool(undefined_first[row] or undefined_second[column])


def test_cka_of_minibatches(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "minibatches", case)
        n, number, second = rng.choice([4, 8, 20]), rng.randint(1, 3), rng.random() < 0.5
        seed = rng.getrandbits(30)
        sides = [[layer(rng, tmp_path, n * number, seed, side) for _ in range(rng.randint(1, 3))] for side in (0, 1)]
        used = sides if second else sides[:1]
        forms = [[split(one, n, number) for one in side] for side in sides]
        minibatches = [tuple([parts[place] for parts in side] for side in forms) for place in range(number)]
        is_refused = any(one.values is None for side in used for one in side)
        if rng.random() < 0.15:
            spoil(minibatches, rng)
            is_refused = True
        outcome, found = computed(lambda m=minibatches, s=second: _streamed(m, s), tmp_path)
        assert (found is None) == is_refused, f"case {case}: {outcome}, {found}"
        if not is_refused:
            known = [[(one, odd_arrays.Parts(one, slices(n * number, n))) for one in side] for side in used]
            check_matrix(*found[:3], known[0], known[-1])
            assert found[3] == number
        ended[outcome.ending] += 1


def split(given, n, number):
    """The minibatches of an array, in its form where that can be cut."""
    if given.values is None:
        return [given.form] * number
    if (
        isinstance(given.form, np.ndarray | torch.Tensor)
        and getattr(given.form, "layout", torch.strided) == torch.strided
    ):
        return [given.form[part] for part in slices(n * number, n)]
    return [given.values[part] for part in slices(n * number, n)]


def spoil(minibatches, rng):
    """Other numbers of examples or layers, or what is no list of layers, in the last minibatch."""
    one, other = minibatches[-1]
    longer = [np.ones((5, 2)), np.ones((6, 2))]
    minibatches[-1] = rng.choice(
        [
            (longer, longer),
            (np.ones((8, 2)), other),
            ({"layer": np.ones((8, 2))}, other),
            ([], other),
            (None, other),
            ([np.ones((3, 2))], [np.ones((3, 2))]),
            (3, other),
            ("ab", other),
        ]
    )


def test_hsic_of_gram_matrices(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "hsic1", case)
        n, seed = rng.choice([4, 5, 16, 40]), rng.getrandbits(30)
        held, forms, is_refused = [], [], False
        for x in related(seed, n, 5, 6):
            gram = x @ x.T * 10.0 ** rng.choice([0, 0, 0, -300, -150, -30, 30, 100])
            gram = (gram + gram.T) / 2
            spoiled = rng.random() < 0.15
            if spoiled:
                gram = rng.choice(
                    [np.triu, lambda k: k[:-1], lambda k: k * np.nan, lambda k: k + 0j, lambda k: k[None]]
                )(gram)
            given = odd_arrays.Given(gram, gram)
            if not spoiled and rng.random() < 0.5:
                given = odd_arrays.refused(gram, rng) if rng.random() < 0.2 else _gram_in_a_form(gram, rng, tmp_path)
            is_refused |= spoiled or given.values is None
            held.append(given.values)
            forms.append(given.form)
        outcome, found = computed(lambda forms=forms: hsic1(*forms), tmp_path)
        if is_refused:
            assert found is None, f"case {case}: {found}"
        else:
            exponents = [int(np.frexp(np.abs(k).max())[1]) for k in held]
            scaled = [np.ldexp(k, -exponent) for k, exponent in zip(held, exponents, strict=True)]
            expected, size = oracles.hsic1(*scaled), np.prod([np.linalg.norm(k) for k in scaled])
            if found is None:
                assert sum(exponents) > 990, f"case {case}: {outcome}"
            elif sum(exponents) > -990:
                assert abs(np.ldexp(found, -sum(exponents)) - expected) <= 1e-13 * size, (
                    f"case {case}: {found}, {expected}"
                )
        ended[outcome.ending] += 1


def _gram_in_a_form(gram, rng, folder):
    """In any type of real numbers, and any layout."""
    dtype = rng.choice(["f4", "f8", "g", ">f8", "i4", "?"])
    array = np.rint(10 * gram / np.abs(gram).max()).astype(dtype) if dtype in ("i4", "?") else gram.astype(dtype)
    form = odd_arrays.LAYOUTS[rng.choice(["plain", "columns first", "reversed", "strided", "read only", "mapped"])](
        array, folder
    )
    held = array.astype(np.float64)
    return odd_arrays.Given(
        rng.choice([lambda x: x, lambda x: x.tolist()])(form), held if np.isfinite(held).all() else None
    )


def test_blocks_in_matrices(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "blocks", case)
        layers = rng.randint(1, 13)
        noise = np.random.default_rng(rng.getrandbits(30)).uniform(-0.1, 0.1, (layers, layers))
        place = np.arange(layers)
        matrix = np.exp(-np.abs(place[:, None] - place) / rng.choice([2, 5, 20])) + noise + noise.T
        start, stop = sorted(rng.sample(range(layers + 1), 2))
        matrix[start:stop, start:stop] = rng.choice([0.9, matrix[start:stop, start:stop]])
        matrix = np.clip(matrix, -1, 1)
        dead = rng.sample(range(layers), rng.choice([0, 0, 1, layers]))
        matrix[dead], matrix[:, dead] = np.nan, np.nan
        labels = (place // rng.choice([1, 2, 3])).tolist()
        form = rng.choice([lambda m: m, np.ndarray.tolist, lambda m: m.astype("g"), torch.tensor, np.asfortranarray])(
            matrix
        )
        labels_form = rng.choice([list, tuple, np.array, iter, lambda x: [str(one) for one in x], torch.tensor])(labels)
        spoiled = rng.random() < 0.25
        if spoiled:
            form, labels_form = _no_matrix_of_layers(matrix, labels, rng)
        outcome, found = computed(lambda m=form, b=labels_form: _block(m, b), tmp_path)
        assert (found is None) == spoiled, f"case {case}: {outcome}"
        if not spoiled:
            kept = [one for one in range(layers) if one not in dead]
            # A layer alone has no pair, so it counts as undefined.
            kept = kept if len(kept) > 1 else []
            expected = oracles.find_block(matrix[np.ix_(kept, kept)], [labels[one] for one in kept])
            if expected is None:
                assert found == [], f"case {case}: {found}"
            else:
                first, last, size, contrast = expected
                assert found[:2] == [kept[first], kept[last - 1] + 1], f"case {case}: {found}, {expected}"
                assert found[2:] == pytest.approx([size, contrast], abs=1e-9)
        ended[outcome.ending] += 1


def _block(matrix, labels):
    found = find_block(matrix, labels)
    return [found.start, found.stop, found.size, found.contrast] if found else []


def _no_matrix_of_layers(matrix, labels, rng):
    """Two arguments of find_block that it must refuse."""
    whole = np.nan_to_num(matrix)
    if rng.random() < 0.5:
        given = odd_arrays.refused(np.c_[whole, whole], rng)
        return given.form, labels
    return rng.choice(
        [
            (whole[None], labels),
            (np.c_[whole, whole], labels),
            (whole + 0j, labels),
            (np.ones((2, 2)) * 7, [0, 1]),
            (np.array([[1, 0.5], [0.2, 1]]), [0, 1]),
            (np.array([[1, np.nan, 0.5], [np.nan, 1, 0.5], [0.5, 0.5, 1]]), [0, 1, 2]),
            (whole, [*labels, 0]),
            (whole, None),
            (whole, 3),
            (whole, dict.fromkeys(labels)),
            (whole, [[one] for one in labels]),
            (whole, [float("nan")] * len(labels)),
            (whole, np.array(labels)[:, None]),
        ]
    )


pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")
# Others lose digits in the network itself.
OF_DATA = ["plain", "plain", "constant", "zero", "features constant but for one", "dead", "one alone", "twice", "NaN"]
OF_DATA += ["infinity"]
NETWORK = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)).double().eval()


@torch.no_grad()
def activations(x):
    """Outputs of linear layer, ReLU and linear layer, computed without torch's modules."""
    (w1, b1), (w2, b2) = ((one.weight.numpy(), one.bias.numpy()) for one in (NETWORK[0], NETWORK[2]))
    first = x @ w1.T + b1
    hidden = np.where(first > 0, first, np.where(np.isnan(first), np.nan, 0))
    return {"0": first, "1": hidden, "2": hidden @ w2.T + b2}


def as_data(x, n, rng, folder):
    """(data for layer_similarity, the examples that it holds, whether it must be refused)."""
    whole = np.ascontiguousarray(x)
    array = whole.astype(rng.choice(["f8", "f8", "f4", ">f8", ">f4", "g", "f2"]))
    array = odd_arrays.LAYOUTS[rng.choice(["plain", "columns first", "reversed", "strided", "read only", "mapped"])](
        array, folder
    )
    held = array.astype(np.float64)
    parts = [array[part] for part in slices(len(x), n)]
    form = rng.choice(["array", "tensor", "arrays", "tuples", "dicts", "generator", "incomplete", "refused", "refused"])
    if form == "array" and len(x) <= 256:
        return array, [held], len(x) < 4
    if form == "refused":
        return _no_data(whole, n, rng), None, True
    given = {
        "array": lambda: parts,
        "tensor": lambda: [torch.tensor(part.astype(np.float64)) for part in parts],
        "arrays": lambda: parts,
        "tuples": lambda: [(part, "label") for part in parts],
        "dicts": lambda: [{"input": part, "labels": np.zeros(len(part))} for part in parts],
        "generator": lambda: (part for part in parts),
        "incomplete": lambda: [*parts, parts[0][: n - 1]],
    }[form]()
    return given, [held[part] for part in slices(len(x), n)], n < 4


def _no_data(x, n, rng):
    parts = [x[part] for part in slices(len(x), n)]
    return rng.choice(
        [
            lambda: np.ma.masked_array(x),
            lambda: [np.ma.masked_array(part) for part in parts],
            lambda: x.astype(object),
            lambda: x.astype(str),
            lambda: np.zeros(x.shape, "M8[s]"),
            lambda: np.zeros(len(x), [("a", "f8")]),
            lambda: x[:3],
            lambda: x[:0],
            lambda: x[:, :3],
            lambda: x.astype(int) if np.isfinite(x).all() and np.abs(x).max() < 1e9 else x[:2],
            lambda: x + 1j,
            lambda: torch.tensor(x).float(),
            lambda: torch.zeros(x.shape, device="meta"),
            lambda: torch.tensor(x).to_sparse(),
            lambda: [*parts, np.concatenate([parts[0], parts[0]])],
            lambda: [parts[0], parts[0][:-1], parts[0]],
            lambda: [],
            lambda: 3,
            lambda: None,
            lambda: "data",
            lambda: b"data",
            lambda: memoryview(x),
            lambda: x.tolist(),
            lambda: [None],
            lambda: [()],
            lambda: {"a": x, "b": x[:-1]},
            lambda: {"a": x, "b": x},
            lambda: [{"a": parts[0], "b": parts[0]}],
            lambda: odd_arrays.pd.DataFrame(x),
        ]
    )()


def _of_network(data, alone):
    if alone:
        found = layer_cka(NETWORK, data)
        names, left_out, one = found.names_first, {}, found
    else:
        similarity = layer_similarity(NETWORK, data, progress=False)
        names, left_out, one = similarity.names_first, similarity.left_out, similarity.measures["cka"]
    return [names, [*left_out], one.values.tolist(), one.undefined_first, one.undefined_second]


def test_layers_of_networks(tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        rng = rng_of(fuzz_seed, "networks", case)
        n, number, alone = rng.choice([3, 4, 8, 16, 16]), rng.randint(1, 3), rng.random() < 0.3
        x = np.random.default_rng(rng.getrandbits(30)).standard_normal((n * number, 5))
        kind = rng.choice(OF_DATA)
        data, held, is_refused = as_data(odd_arrays.VALUES[kind](x, rng), n, rng, tmp_path)
        outcome, found = computed(lambda data=data, alone=alone: _of_network(data, alone), tmp_path)
        if is_refused:
            assert found is None, f"case {case}: {found}"
        elif found is None:  # of a network whose rows show nothing of their order
            assert "has no layer" in outcome.said, f"case {case}: {outcome}"
        else:
            names, left_out, *matrix = found
            assert alone or {*names, *left_out} >= {"0", "1", "2"}
            with np.errstate(all="ignore"):
                outputs = [activations(part) for part in held]
            layers = []
            for name in names:
                given = odd_arrays.Given(None, np.concatenate([one[name] for one in outputs]))
                layers.append((given, odd_arrays.Parts(given, slices(len(given.values), len(held[0])))))
            check_matrix(*matrix, layers, layers)
        ended[outcome.ending] += 1


def test_damaged_files_of_similarities(tmp_path, fuzz_cases, fuzz_seed, ended):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((16, 5)))
    layer_similarity(NETWORK, x, progress=False).save(tmp_path / "found.npz")

    def read():
        found = LayerSimilarity.load("found.npz")
        return [
            found.values.tolist(),
            found.names_first,
            found.left_out,
            found.minibatches,
            found.batch_size,
            repr(found),
        ]

    whole = (tmp_path / "found.npz").read_bytes()
    _, right = computed(read, tmp_path)
    assert right
    for case in range(fuzz_cases):
        (tmp_path / "found.npz").write_bytes(damaged(whole, rng_of(fuzz_seed, "similarities", case)))
        outcome, found = computed(read, tmp_path)
        assert found in (None, right), f"case {case}: another result"
        ended[outcome.ending] += 1
