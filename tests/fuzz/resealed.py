"""Files that say something else than ours, under a checksum that is right: so that what parses them is reached."""

import io
import json

import h5py
import numpy as np
import safetensors.torch
import torch
from damage import damaged

from widedeep.formats import seals, weights

_DEEP = "[" * 100_000
_VALUES = [
    0, 1, -1, 3, 1 << 62, 1 << 80, 0.5, float("nan"), float("inf"), True, None, "", "x" * 10_000, "é\n", "../..", "1",
    "{}", _DEEP, b"\xff", [], [1, 2], [[1], [2]], ["a"], {}, {"a": 1}, [-1, 1 << 40], "raw", "gram", "seed",
]  # fmt: skip
_MANY = 1 << 34


def bytes_of(path, rng):
    """Any bytes behind the seal of a file: what the libraries themselves make of them."""
    path.write_bytes(path.read_bytes()[: seals.SIZE] + damaged(path.read_bytes()[seals.SIZE :], rng))
    seals.write(path)


def hdf5(path, rng):
    """One to three attributes, datasets or groups of an HDF5 file that are missing or others."""
    with h5py.File(path, "r+") as file:
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            places = ["/"]
            file.visit(places.append)
            place = rng.choice(places)
            if rng.random() < 0.4 and len(file[place].attrs):
                _change_attribute(file[place].attrs, rng)
            elif (getattr(file[place], "size", 0) or 0) > _MANY // 2:
                pass  # by an earlier change; its values do not fit into memory
            elif place != "/":
                rng.choice(_CHANGES if isinstance(file[place], h5py.Dataset) else [_remove, _link, _scalar])(
                    file, place, rng
                )
    seals.write(path)


def _change_attribute(attributes, rng):
    name = rng.choice(sorted(attributes))
    value = rng.choice([*_VALUES, h5py.Empty("f4"), np.float32(1), np.arange(3.0)])
    if rng.random() < 0.2:
        del attributes[name]
    else:
        try:
            attributes[name] = value
        except (TypeError, ValueError, OSError, RuntimeError):  # HDF5 has no such value, or no room for it
            attributes[name] = str(value)[:1000]


def _put(file, place, **how):
    del file[place]
    file.create_dataset(place, **how)


def _remove(file, place, _rng):
    del file[place]


def _link(file, place, rng):
    del file[place]
    file[place] = h5py.SoftLink(rng.choice([place, "/none", "/"]))


def _group(file, place, _rng):
    del file[place]
    file.create_group(place)


def _scalar(file, place, rng):
    _put(file, place, data=rng.choice([0, -1, "text", 0.5]))


def _text(file, place, _rng):
    _put(file, place, data=np.full(file[place].shape, "1", object), dtype=h5py.string_dtype())


def _other_shape(file, place, rng):
    values = file[place][()]
    shapes = [lambda x: x[None], lambda x: x.ravel(), lambda x: x[:0], lambda x: x.T, lambda x: x[: len(x) // 2]]
    shapes += [lambda x: np.concatenate([x, x]), lambda x: x[..., :1], lambda x: x[..., None], lambda x: x[..., :0]]
    values = rng.choice(shapes)(np.atleast_1d(values))
    _put(file, place, data=values, dtype=file[place].dtype)


def _other_type(file, place, rng):
    values = file[place][()]
    kinds = ["f2", "f4", "f8", "i1", "u8", "i8", "bool", "c16", ">f4", "S3", [("a", "f4")], h5py.ref_dtype]
    _put(file, place, shape=np.shape(values), dtype=np.dtype(rng.choice(kinds)))
    file[place].fillvalue  # noqa: B018


def _other_chunks(file, place, rng):
    """Also compressed, and unwritten: chunks are read directly in dumps."""
    values = np.atleast_1d(file[place][()])
    chunk = tuple(rng.randint(1, max(1, size)) for size in values.shape)
    how = rng.choice(
        [{}, {"chunks": chunk}, {"chunks": chunk, "compression": "gzip"}, {"chunks": chunk, "shuffle": True}]
    )
    written = {"data": values} if rng.random() < 0.7 else {"shape": values.shape}
    _put(file, place, **written, dtype=file[place].dtype, **(how if values.size else {}))


def _huge(file, place, rng):
    """Some bytes that claim to be hundreds of gigabytes."""
    shape = tuple(np.atleast_1d(file[place][()]).shape)
    shape = rng.choice([(_MANY, *shape[1:]), (*shape[:-1], _MANY), (_MANY,)])
    how = rng.choice(
        [{}, {"chunks": (1,) * len(shape)}, {"chunks": tuple(min(64, size) for size in shape), "compression": "gzip"}]
    )
    _put(file, place, shape=shape, dtype=file[place].dtype, **how)


def _other_values(file, place, rng):
    values = np.array(file[place][()])
    if values.dtype.kind in "iu":
        values = np.full_like(values, rng.choice([0, -1, 1 << 30, 1 << 62]) if values.itemsize == 8 else 1)
    elif values.dtype.kind == "f":
        values = np.full_like(values, rng.choice([0, -1, np.nan, np.inf, 1e30]))
    else:
        values = np.full(values.shape, rng.choice(["", "x", "x" * 10_000]), object)
    _put(file, place, data=values, dtype=file[place].dtype)


_CHANGES = [
    _remove,
    _link,
    _group,
    _scalar,
    _text,
    _other_shape,
    _other_shape,
    _other_type,
    _other_chunks,
    _other_chunks,
    _huge,
    _other_values,
]


def changed(value, rng):
    """JSON-like content with one value, key or entry that is another."""
    places = list(_places(value))
    if not places or rng.random() < 0.05:
        return rng.choice(_VALUES)
    place, key = rng.choice(places)
    act = rng.random()
    if act < 0.2:
        del place[key]
    elif act < 0.3 and isinstance(place, dict):
        place["other"] = place.pop(key)
    else:
        place[key] = rng.choice(_VALUES)
    return value


def _places(value):
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield value, key
        yield from _places(inner)


def json_text(path, rng):
    """A JSON file with other values, or none at all, or without end."""
    if rng.random() < 0.2:
        path.write_bytes(rng.choice([_DEEP.encode(), b'{"a":' * 100_000, b"", b"[]", b"1" * 10_000, b"\xff", b"NaN"]))
    elif rng.random() < 0.3:
        path.write_bytes(damaged(path.read_bytes(), rng))
    else:
        content = changed(json.loads(path.read_text()), rng)
        path.write_text(json.dumps(content, default=repr), "utf-8", "replace")


def checkpoint(path, rng):
    """A checkpoint with other content."""
    content = torch.load(io.BytesIO(path.read_bytes()[seals.SIZE :]), weights_only=True)
    buffer = io.BytesIO(bytes(seals.SIZE))
    buffer.seek(seals.SIZE)
    torch.save(changed(_with_tensors_changed(content, rng), rng), buffer)
    path.write_bytes(buffer.getvalue())
    seals.write(path)


def _with_tensors_changed(content, rng):
    for place, key in list(_places(content)):
        if isinstance(place[key], torch.Tensor) and rng.random() < 0.05:
            place[key] = _other_tensor(place[key], rng)
    return content


def _other_tensor(tensor, rng):
    kinds = [lambda x: x[None], lambda x: x.ravel()[:1], lambda x: x.long(), lambda x: x.to(torch.complex64)]
    kinds += [lambda x: torch.full_like(x, float("nan")) if x.is_floating_point() else x - 1]
    return rng.choice(kinds)(tensor).contiguous()


def safetensors_file(path, rng):
    """Weights with another header or other tensors, and the checksum of them."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["widedeep"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del header["checksum"]
    if rng.random() < 0.6:
        header = changed(header, rng)
    else:
        name = rng.choice(sorted(tensors))
        other = _other_tensor(tensors.pop(name), rng)
        tensors |= rng.choice([{}, {"other": other}, {name: other}])
    if isinstance(header, dict):
        header = json.loads(json.dumps(header, default=repr))
        header["checksum"] = weights._checksum(header, tensors)
    text = _DEEP if rng.random() < 0.05 else json.dumps(header, sort_keys=True, default=repr)
    path.write_bytes(safetensors.torch.save(tensors, {"widedeep": text}))


def table(path, rng):
    """A CSV file with other cells, columns or lines."""
    if rng.random() < 0.4:
        path.write_bytes(damaged(path.read_bytes(), rng))
        return
    lines = [line.split(",") for line in path.read_text().splitlines()]
    line = rng.choice(lines)
    act = rng.random()
    if act < 0.15:
        for one in lines:
            del one[0]
    elif act < 0.3:
        lines.remove(line)
    elif act < 0.4:
        lines = lines[:1]
    else:
        line[rng.randrange(len(line))] = rng.choice(["", "nan", "inf", "-1", "x", "1e400", '"', "0", "9" * 30, "é"])
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
