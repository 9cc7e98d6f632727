"""Arrays that people hand in: what is accepted has the CKA of its values, and what is no numbers is refused."""

import numpy as np
import oracles
import pandas as pd
import pytest
import scipy.sparse
import torch
from small_layers import features, related

from widedeep.measures import arrays, cka
from widedeep.runtime.errors import UserError

X, Y = related(0, 64, 5, 7)

ACCEPTED = {
    "a list": (X.tolist(), X),
    "float32": (X.astype("f4"), X.astype("f4")),
    "half precision whose squares overflow": ((300 * X).astype("f2"), (300 * X).astype("f2")),
    "wider than float64": (X.astype("g"), X),
    "another byte order": (X.astype(">f4"), X.astype("f4")),
    "columns first": (np.asfortranarray(X), X),
    "reversed": (X[:, ::-1], X),
    "read only": (np.frombuffer(X.tobytes()).reshape(64, 5), X),
    "8 bits whose squares overflow": ((20 * X).astype("i1"), (20 * X).astype("i1")),
    "unsigned": ((20 * X + 100).astype("u1"), (20 * X + 100).astype("u1")),
    "64 bits that float32 rounds": ((1e9 * X).astype("i8"), (1e9 * X).astype("i8")),
    "booleans": (X > 0, X > 0),
    "Python's numbers": (X.astype(object), X),
    "one feature": (X[:, 0], X[:, :1]),
    "a DataFrame": (pd.DataFrame(X), X),
    "a DataFrame of several types": (pd.DataFrame(X).assign(on=X[:, 0] > 0), np.c_[X, X[:, 0] > 0]),
    "a tensor": (torch.tensor(X), X),
    "a tensor in a graph": (torch.tensor(X, requires_grad=True) * 2, X),
    "bfloat16": (torch.tensor(X).bfloat16(), torch.tensor(X).bfloat16().double().numpy()),
    "booleans of torch": (torch.tensor(X > 0), X > 0),
    "a sparse tensor": (torch.tensor(X).to_sparse(), X),
    "a tensor with a negative bit": (torch.complex(torch.zeros(64, 5).double(), torch.tensor(-X)).conj().imag, X),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_numbers_are_accepted_with_their_values(name):
    given, values = ACCEPTED[name]
    expected = oracles.minibatch_cka(values, Y, 32)
    assert cka.cka(given, Y, 32) == pytest.approx(expected, abs=1e-7)
    assert cka.cka(Y, given, 32) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("dtype", ["g", "G"])
@pytest.mark.filterwarnings("error")
def test_values_beyond_float64_are_undefined_without_a_warning(dtype):
    stream = cka.MinibatchCKA()
    stream.add([Y, X.astype(dtype) * np.longdouble("1e400")])
    assert stream.result().undefined_first == ["", cka.NOT_FINITE]


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.clongdouble, ">c8"])
@pytest.mark.parametrize("library", [np.asarray, lambda x: torch.tensor(np.asarray(x, x.dtype.newbyteorder("=")))])
def test_the_gram_matrix_of_complex_features_is_the_real_part(dtype, library):
    z = (X + 3j * features(1, 64, 5)).astype(dtype)
    if library is not np.asarray and dtype == np.clongdouble:
        pytest.skip("torch has no such type")
    expected = oracles.minibatch_cka(np.c_[z.real, z.imag], Y, 64)
    for rotated in (z, 1j * z, np.exp(0.7j).astype(z.dtype) * z):
        assert cka.cka(library(rotated.astype(dtype)), Y) == pytest.approx(expected, abs=1e-6)
    assert cka.cka(library(z), Y) != pytest.approx(cka.cka(z.real, Y), abs=1e-3)


def test_conjugated_tensors_are_those_of_their_values():
    z = torch.tensor(X + 1j * features(1, 64, 5))
    np.testing.assert_allclose(cka.cka(z.conj(), Y), cka.cka(z.conj().resolve_conj(), Y), rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "precision"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("g", "f8"), ("i1", "f8"), ("?", "f8"), ("c8", "f4"), ("c16", "f8")],
)
def test_types_keep_their_precision(given, precision):
    assert arrays.real(np.ones((4, 2), given)).dtype == precision


class Deleted:
    """As the arrays of a library that frees them."""

    def __array__(self, *_words, **_more):
        raise RuntimeError("Array has been deleted")


REFUSED = {
    "an integer that float64 does not hold": ([[10**400, 1]] * 64, "integer"),
    "a deleted array": (Deleted(), "deleted"),
    "a tensor without values": (torch.zeros(64, 5, device="meta"), "float32 on meta"),
    "masked": (np.ma.masked_less(X, 0), "masked"),
    "strings": (X.astype(str), "<U"),
    "bytes": (X.astype("S"), r"\|S"),
    "strings as objects": (X.astype(str).astype(object), "str"),
    "something that is no number": (np.array([[None, 1.0]] * 64), "NoneType"),
    "a DataFrame with a column of words": (pd.DataFrame(X).assign(label="a"), r"str \(a\)"),
    "a DataFrame with a gap": (pd.DataFrame(X).astype("Float64").mask(X > 1), "NAType"),
    "dates": (np.zeros((64, 5), "M8[s]"), "datetime64"),
    "records": (np.zeros(64, [("a", "f8"), ("b", "f8")]), "a"),
    "sparse": (scipy.sparse.csr_array(X), r"csr_array.*\.toarray\(\)"),
    "rows of different lengths": ([[1.0, 2.0], [3.0]] * 32, "inhomogeneous"),
    "nested tensors": (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "nested"),
    "one number": (3.0, "single float"),
    "one tensor": (torch.tensor(3.0), "single number"),
    "a file's name": ("x.npy", "single str"),
    "nothing": (None, "single NoneType"),
    "no examples": (X[:0], r"\(0, 5\)"),
    "no features": (X[:, :0], r"\(64, 0\)"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_is_no_array_of_numbers_is_refused(name):
    given, words = REFUSED[name]
    with pytest.raises(UserError, match=rf"^x .*{words}" if name != "nested tensors" else words):
        cka.cka(given, Y)
    with pytest.raises(UserError, match=rf"^layer 1 .*{words}" if name != "nested tensors" else words):
        cka.MinibatchCKA().add([Y, given])


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (X, "one ndarray"),
        (np.stack([X, X]), "one ndarray"),
        (torch.tensor(X), "one Tensor"),
        (pd.DataFrame(X), "one DataFrame"),
        (np.ma.masked_less(X, 0), "one MaskedArray"),
        (X.tolist(), "64 lists of numbers"),
        ({"layer": X}, r"a dict.*list\(activations\.values\(\)\)"),
        ([], "empty"),
        (None, "one NoneType"),
    ],
)
def test_layers_are_a_list(layers, words):
    with pytest.raises(UserError, match=words):
        cka.MinibatchCKA().add(layers)
    if layers is not None:
        with pytest.raises(UserError, match=words):
            cka.MinibatchCKA().add([Y], layers)


@pytest.mark.parametrize("several", [list, tuple, iter, lambda layers: dict(enumerate(layers)).values()])
def test_layers_come_in_any_order_that_python_has(several):
    stream = cka.MinibatchCKA()
    stream.add(several([X, Y]))
    assert stream.result().values[0, 1] == pytest.approx(oracles.minibatch_cka(X, Y, 64))
