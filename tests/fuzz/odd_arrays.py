"""Arrays as people hand them in, with hostile values and in all forms, and the float64 values that they hold."""

import datetime
import decimal

import numpy as np
import oracles
import pandas as pd
import scipy.sparse
import torch

# The error of CKA against its definition: 1e-7, and what roundings become where U-centring takes away nearly all of a
# Gram matrix, as where one example is far from all others: those of the type in the matrix, those of float64 in sums.
SMALLEST, ROUNDINGS = 1e-7, 8
# A layer is constant, so undefined, up to a spread of 16 roundings; here from a quarter to four times as many.
_CONSTANT = 16
# Outside, the fourth power of a spread leaves float64.
_LEAST = 2.0**-455


def _at(array, rng, value):
    array = array.copy()
    array.flat[rng.randrange(array.size)] = value
    return array


def _outlier(x, rng):
    x = x.copy()
    x[rng.randrange(len(x))] *= 10.0 ** rng.randint(1, 9)
    return x


def _alone(x, rng):
    """One example, or two, differ from all others."""
    rows = rng.sample(range(len(x)), rng.choice([1, 2]))
    return np.where(np.isin(np.arange(len(x)), rows)[:, None], x, x[:1] * rng.choice([0, 1]))


VALUES = {
    "plain": lambda x, _: x,
    "scaled": lambda x, rng: x * 10.0 ** rng.randint(-60, 60),
    "scaled beyond": lambda x, rng: x * 10.0 ** rng.choice([-320, -310, -160, -90, 90, 160, 300]),
    "of a mean": lambda x, rng: x + 10.0 ** rng.randint(0, 16),
    "a feature of another scale": lambda x, rng: x * np.where(np.arange(x.shape[1]), 1, 10.0 ** rng.randint(-9, 9)),
    "one feature": lambda x, _: x[:, :1],
    "constant": lambda x, _: np.tile(x[:1], (len(x), 1)),
    "zero": lambda x, _: 0 * x,
    "features constant but for one": lambda x, _: np.where(np.arange(x.shape[1]), 5.5, x),
    "dead": lambda x, _: np.maximum(x - 1.5, 0),
    "an outlier": _outlier,
    "one alone": _alone,
    "twice": lambda x, _: x[np.arange(len(x)) // 2],
    "two clusters": lambda x, rng: x + np.where(np.arange(len(x)) % 2, 10.0 ** rng.randint(0, 8), 0)[:, None],
    "NaN": lambda x, rng: _at(x, rng, np.nan),
    "infinity": lambda x, rng: _at(x, rng, rng.choice([np.inf, -np.inf])),
    "wide": lambda x, _: np.repeat(x, 400, axis=1),
}


def _strided(x):
    room = np.zeros((2 * len(x), 3 * x.shape[1]), x.dtype)
    room[::2, ::3] = x
    return room[::2, ::3]


def _unaligned(x):
    return np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)


def _mapped(x, folder):
    mapped = np.memmap(folder / "mapped", x.dtype, "w+", shape=x.shape)
    mapped[:] = x
    (folder / "mapped").unlink()  # another one makes its own
    return mapped


LAYOUTS = {
    "plain": lambda x, _: x,
    "columns first": lambda x, _: np.asfortranarray(x),
    "reversed": lambda x, _: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "strided": lambda x, _: _strided(x),
    "read only": lambda x, _: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "unaligned": lambda x, _: _unaligned(x),
    "mapped": _mapped,
    "of many axes": lambda x, _: x.reshape(len(x), 1, -1, 1, 1),
    "a matrix": lambda x, _: np.asmatrix(x),
    "a broadcast": lambda x, _: np.broadcast_to(x[:, None], (len(x), 2, x.shape[1])),
}
TYPES = ["f2", "f4", "f8", "g", ">f2", ">f4", ">f8", "i1", "u1", "i2", ">u2", "i4", "u4", "i8", "u8", ">i8", "?"]
TYPES += ["c8", "c16", "G", ">c16"]
TENSORS = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int8, torch.uint8,
    torch.int64, torch.bool, torch.complex64, torch.complex128, torch.uint16,
]  # fmt: skip
_FORMS_OF_TENSORS = {
    "plain": lambda x: x,
    "of a graph": lambda x: x.clone().requires_grad_().view(x.shape) if x.is_floating_point() else x,
    "transposed": lambda x: x.T.contiguous().T,
    "expanded": lambda x: x[:, None].expand(len(x), 3, x.shape[1]),
    "sparse": lambda x: x.to_sparse() if x.dtype in (torch.float64, torch.float32, torch.int64) else x,
    "a parameter": lambda x: torch.nn.Parameter(x, requires_grad=False),
}


def _as_type(x, dtype):
    """Cast; integers take steps of the spread around a number in their range."""
    kind = np.dtype(dtype).kind
    if kind in "iu":
        finite = np.nan_to_num(x / (np.abs(x[np.isfinite(x)]).max(initial=0) or 1), posinf=1, neginf=-1)
        return np.rint(50 * finite + (64 if kind == "u" else 0)).astype(dtype)
    with np.errstate(all="ignore"):
        return (x > np.median(x) if kind == "b" else x + 1j * np.roll(x, 1, 0) if kind == "c" else x).astype(dtype)


def values_of(array):
    """(n, features) float64 of an array of numbers; parts of complex ones are features."""
    array = np.asarray(array)
    with np.errstate(all="ignore"):
        if array.dtype.kind == "c":
            array = np.stack([array.real, array.imag], -1)
        return array.astype(np.float64).reshape(len(array), -1)


def is_narrow(array):
    """Whether products of an array's features are computed in float32."""
    return (array.dtype.kind == "f" and array.dtype.itemsize <= 4) or (
        array.dtype.kind == "c" and array.dtype.itemsize <= 8
    )


class Given:
    """An array in the form in which it is handed in.

    Attributes:
        form: the array.
        values: (n, features) float64 that it holds; None where it must be refused.
        eps: rounding of the type in which its Gram matrix is computed.
    """

    def __init__(self, form, values, narrow=False):
        self.form, self.values = form, values
        self.eps = float(np.finfo(np.float32 if narrow else np.float64).eps)


def accepted(x, rng, folder):
    """An array of numbers, as any of those that are read."""
    form = rng.choice(["array"] * 5 + ["tensor"] * 3 + ["list", "objects", "frame", "rows", "buffer"])
    if form == "array":
        array = _as_type(x, rng.choice(TYPES))
        laid_out = LAYOUTS[rng.choice(sorted(LAYOUTS))](array, folder)
        return Given(laid_out, values_of(laid_out), is_narrow(laid_out))
    if form == "tensor":
        dtype = rng.choice(TENSORS)
        whole = dtype in (torch.int8, torch.uint8, torch.int64, torch.uint16)
        base = torch.tensor(_as_type(x, "i4" if whole else "c16" if dtype.is_complex else "f8"))
        if whole:
            base = base.abs()
        tensor = base != 0 if dtype == torch.bool else base.to(dtype)
        made = _FORMS_OF_TENSORS[rng.choice(sorted(_FORMS_OF_TENSORS))](tensor)
        dense = made.detach().to_dense() if made.layout != torch.strided else made.detach()
        held = torch.view_as_real(dense) if dtype.is_complex else dense
        narrow = dtype not in (torch.float64, torch.complex128, torch.bool) and not whole
        return Given(made, held.double().reshape(len(dense), -1).numpy(), narrow)
    made = {
        "list": lambda: rng.choice([x.tolist, lambda: tuple(map(tuple, x.tolist()))])(),
        "objects": lambda: x.astype(object),
        "frame": lambda: pd.DataFrame(x),
        "rows": lambda: rng.choice([lambda: list(x), lambda: [torch.tensor(row) for row in x]])(),
        "buffer": lambda: memoryview(np.ascontiguousarray(x)),
    }[form]()
    return Given(made, x)


class _Broken:
    def __array__(self, *_words, **_more):
        raise RuntimeError("this array was deleted")


def refused(x, rng):
    """Something that is no array of numbers of examples with features."""
    n = len(x)
    forms = {
        "masked": lambda: np.ma.masked_array(x, rng.random() < 0.5),
        "texts": lambda: x.astype(str),
        "bytes": lambda: x.astype("S"),
        "strings of numpy": lambda: x.astype(str).astype(np.dtypes.StringDType()),
        "gaps": lambda: _at(x.astype(object), rng, None),
        "decimals": lambda: [[decimal.Decimal(1), decimal.Decimal(2)]] * n,
        "complex objects": lambda: (x + 1j).astype(object),
        "integers too large": lambda: _at(x.astype(object), rng, 10**400),
        "dates": lambda: np.zeros(x.shape, "M8[s]"),
        "days": lambda: [[datetime.date(2020, 1, 1)]] * n,
        "durations": lambda: np.zeros(x.shape, "m8[s]"),
        "records": lambda: np.zeros(n, [("a", "f8"), ("b", "i4")]),
        "void": lambda: np.zeros(x.shape, "V8"),
        "sparse": lambda: scipy.sparse.csr_array(np.nan_to_num(x)),
        "ragged": lambda: [row[: 1 + place % 2] for place, row in enumerate(np.c_[x, x].tolist())],
        "a table with words": lambda: pd.DataFrame(x).assign(label="a"),
        "a table with gaps": lambda: pd.DataFrame(x).astype("Float64").mask(pd.DataFrame(x) > -1e300),
        "one number": lambda: rng.choice([3, 3.0, np.float32(3), np.array(3), torch.tensor(3), True]),
        "a text": lambda: "activations.npy",
        "nothing": lambda: None,
        "a dict": lambda: {"layer": x},
        "a set": lambda: {1.0, 2.0},
        "a generator": lambda: (row for row in x),
        "no examples": lambda: x[:0],
        "no features": lambda: rng.choice([x[:, :0], torch.zeros(n, 3, 0)]),
        "on the device meta": lambda: torch.zeros(x.shape, device="meta"),
        "broken": _Broken,
        "a function": lambda: np.mean,
    }
    return Given(forms[rng.choice(sorted(forms))](), None)


class Parts:
    """What CKA's definition says of a layer on minibatches of n examples.

    Attributes:
        grams: list of (n, n) float64 Gram matrices of the layer, divided by a power of two; None if it is not finite.
        share: part of the Gram matrices that U-centring leaves.
        is_constant: whether nothing is left of it exactly.
        may_be_undefined: whether so little is left, or its scale is such, that no CKA is promised.
    """

    def __init__(self, given, batches):
        finite = all(np.isfinite(given.values[part]).all() for part in batches)
        self.grams, self.share, self.is_constant, self.may_be_undefined = None, 0.0, False, True
        if not finite:
            return
        largest = max(np.abs(given.values[part]).max() for part in batches)
        exponent = int(np.frexp(largest)[1])
        scaled = [np.ldexp(given.values[part], -exponent) for part in batches]
        self.grams = [oracles.gram(part) for part in scaled]
        n = len(self.grams[0])
        left = sum(max(oracles.hsic1(gram, gram), 0) * n * (n - 3) for gram in self.grams)
        whole = sum((gram**2).sum() - (np.diagonal(gram) ** 2).sum() for gram in self.grams)
        self.share = float(np.sqrt(left / whole)) if whole else 0.0
        self.is_constant = all((part == part[0]).all() for part in scaled)
        spreads = [np.sqrt(np.trace(gram) / max((part**2).sum(), 1e-300)) for gram, part in zip(self.grams, scaled)]  # noqa: B905
        # In float32, whatever the type, since Gram matrices of dumps are kept so.
        degenerate = self.share < 4 * _CONSTANT * np.finfo(np.float32).eps
        traces = [np.log2(np.trace(gram) or 1) + 2 * exponent for gram in self.grams]
        out_of_range = max(map(abs, traces)) > -np.log2(_LEAST) and given.eps < 1e-10
        self.may_be_undefined = max(spreads) < 4 * _CONSTANT * given.eps or degenerate or out_of_range


def definition(first, second):
    """CKA of two Parts; None if not finite."""
    if first.grams is None or second.grams is None:
        return None
    cross = np.mean([oracles.hsic1(k, l) for k, l in zip(first.grams, second.grams, strict=True)])  # noqa: E741
    own = [np.mean([oracles.hsic1(k, k) for k in part.grams]) for part in (first, second)]
    with np.errstate(all="ignore"):
        return cross / np.sqrt(own[0]) / np.sqrt(own[1])


def check_cka(found, first, second):
    """Fail unless a CKA is right: near the definition, or NaN where that is allowed.

    Args:
        found: float.
        first, second: pairs of (Given, Parts).
    """
    if any(parts.grams is None or parts.is_constant for _, parts in (first, second)):
        assert np.isnan(found), f"{found} of a layer that has no CKA"
        return
    if np.isnan(found):
        assert any(parts.may_be_undefined for _, parts in (first, second)), "NaN without a reason"
        return
    if all(parts.share for _, parts in (first, second)):
        allowed = SMALLEST + sum(
            ROUNDINGS * (given.eps / parts.share + len(parts.grams[0]) * 2.0**-52 / parts.share**2)
            for given, parts in (first, second)
        )
        expected = definition(first[1], second[1])
        assert abs(found - expected) <= allowed, f"{found} where {expected} is right to {allowed}"
