"""activations.h5: a dump of a network's activations on fixed minibatches, or of their Gram matrices.

    /                       attributes: kind, schema_version, form, model, seed, data_checksum, split, versions
    /sample_ids             (minibatches, n) int64: which examples, in which order
    /layers/NAME            attributes: kind, stage, block, shape; groups in forward order
        gram                (minibatches, n (n - 1) / 2) float32: centred Gram matrix, strict upper triangle by rows;
                            NaN where it is not finite, or where float32 cannot hold it
        diagonal            (minibatches, n) float32: diagonal of the centred Gram matrix
        squared_norms       (minibatches, n) float64: squared norms of the uncentred features
        first_scores        (minibatches, n) float32: scores of the first component, NaN where the layer is constant or
                            its Gram matrix NaN
        activations         (minibatches, n, ...): in the raw forms, in place of the four datasets above

The `gram` form gives CKA, deflated CKA, and both for smaller minibatches, exact to rounding, at a size that does not
depend on the width. The raw forms serve every other analysis, on small networks. Dump reads all forms, which give the
same CKA. Scores follow from the Gram matrix, but that takes time, so they are stored and not computed again for every
pair of networks.
"""

import json
from dataclasses import dataclass
from functools import cache

import h5py
import numpy as np

from widedeep.formats import hdf5
from widedeep.measures import deflation, gram_matrices
from widedeep.names import label
from widedeep.networks.layers import LayerInfo
from widedeep.runtime.errors import UserError, first_line

KIND = "activations"
SCHEMA_VERSION = 3
_REMEDY = "dump the activations again (scripts/dump_activations.py)"
# Below, the step of float16, 2^-24, is more than its precision, 2^-11, of the largest activation.
_LEAST_IN_FLOAT16 = 2.0**-13
FORMS = {"gram": None, "raw": np.float32, "raw16": np.float16}


@dataclass(frozen=True)
class Origin:
    """The network and the examples that a dump was made from, recorded in the dump.

    Attributes:
        model: name of the configuration, as `cifar10-resnet38-w10-f100`.
        seed: of the network.
        data_checksum: of the evaluation split.
        split: name of the evaluation split.
    """

    model: str
    seed: int
    data_checksum: str
    split: str


class Writer:
    """Writes a dump to an open HDF5 file, one minibatch of one layer at a time.

    Args:
        file: h5py.File, writable.
        form: one of FORMS.
        origin: Origin.
        sample_ids: (minibatches, n) int64.
        versions: dict of package versions.
    """

    def __init__(self, file, form, origin, sample_ids, versions):
        hdf5.stamp(file, KIND, SCHEMA_VERSION)
        said = {**vars(origin), "form": form, "versions": json.dumps(versions, sort_keys=True)}
        file.attrs.update(said)
        file.create_dataset("sample_ids", data=sample_ids)
        self._layers = file.create_group("layers", track_order=True)
        self._dtype = FORMS[form]
        self._minibatches = len(sample_ids)
        self._datasets = {}

    def add_layer(self, layer):
        """Add the group of a LayerInfo; call it for the layers in forward order."""
        group = self._layers.create_group(layer.name)
        group.attrs.update({"kind": layer.kind, "stage": layer.stage, "block": layer.block, "shape": layer.shape})

    def put_gram(self, name, minibatch, gram, scores=None):
        """Write the Gram matrix of a layer on a minibatch; NaN if it is too large or too small for float32.

        Args:
            name: of the layer.
            minibatch: number of the minibatch.
            gram: gram_matrices.PackedGram.
            scores: (n,) scores of its first component; None computes them here.
        """
        if not gram_matrices.float32_holds(gram.diagonal):
            parts = (gram.triangle, gram.diagonal, gram.diagonal)
            triangle, diagonal, scores = (np.full_like(part, np.nan) for part in parts)
            gram = gram_matrices.PackedGram(triangle, diagonal, gram.squared_norms)
        self._put(name, "gram", minibatch, gram.triangle, np.float32)
        self._put(name, "diagonal", minibatch, gram.diagonal, np.float32)
        self._put(name, "squared_norms", minibatch, gram.squared_norms, np.float64)
        if scores is None:
            scores = deflation.first_scores(gram.triangle, gram.diagonal)
        self._put(name, "first_scores", minibatch, scores, np.float32)

    def put_activations(self, name, minibatch, activations):
        """Write the activations (n, ...) of a layer on a minibatch.

        Raises:
            UserError: a value is too large for float16, or all are too small for its precision.
        """
        with np.errstate(over="ignore"):
            stored = activations.astype(self._dtype)
        if self._dtype == np.float16 and 0 < np.abs(activations).max() < _LEAST_IN_FLOAT16:
            raise UserError(
                f"layer {name}: activations of at most {np.abs(activations).max():.3g} are too small for float16; "
                "use dumps.form raw or gram."
            )
        if np.isinf(stored).any() and np.isfinite(activations).all():
            raise UserError(
                f"layer {name}: an activation of {np.abs(activations).max():.3g} is too large for float16; "
                "use dumps.form raw or gram."
            )
        self._put(name, "activations", minibatch, stored, self._dtype)

    def _put(self, layer, name, minibatch, values, dtype):
        if (layer, name) not in self._datasets:
            shape, chunk = (self._minibatches, *values.shape), (1, *values.shape)
            self._datasets[layer, name] = self._layers[layer].create_dataset(name, shape, dtype, chunks=chunk)
        # A chunk is a whole minibatch, so it is written directly, without h5py's selections.
        with np.errstate(over="ignore"):
            chunk = np.ascontiguousarray(values, dtype=dtype)
        self._datasets[layer, name].id.write_direct_chunk((minibatch,) + (0,) * values.ndim, chunk)


class Dump:
    """A dump that is open for reading; a context manager.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        form: one of FORMS.
        model, seed, data_checksum, split: see Origin.
        layers: list of LayerInfo in forward order.
        sample_ids: (minibatches, n) int64.

    Raises:
        UserError: the file is missing, truncated, not a dump, or of another schema version.
    """

    def __init__(self, path):
        self.path = path
        self._file = hdf5.open_stamped(path, KIND, SCHEMA_VERSION, _REMEDY)
        with hdf5.explaining_damage(path, _REMEDY):
            words = (hdf5.attribute(self._file, name, str) for name in ("form", "model", "split", "data_checksum"))
            self.form, self.model, self.split, self.data_checksum = words
            self.seed = hdf5.attribute(self._file, "seed", int)
            self.sample_ids = hdf5.values(self._file, "sample_ids", np.int64, (None, None))
            self.layers = [_layer_info(name, group) for name, group in self._file["layers"].items()]
            self._shapes = {layer.name: layer.shape for layer in self.layers}
            self._opened = {}
            if self.form not in FORMS or self.sample_ids.shape[1] < 4 or not len(self.sample_ids) or not self.layers:
                raise ValueError(
                    f"form {first_line(self.form)}, {self.sample_ids.shape} ids, {len(self.layers)} layers"
                )

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._opened.clear()
        self._file.close()

    @property
    def label(self):
        """Label of the network, as `cifar10-resnet38-w10-f100/seed3`."""
        return label(self.model, self.seed)

    @property
    def precision(self):
        """The type that holds the triangles of its Gram matrices without rounding, float32 or float64."""
        return np.float32 if self.form == "gram" else np.float64

    def select(self, layers):
        """Read only some of the layers from now on.

        Args:
            layers: list of those of `layers`, in the same order.
        """
        self.layers = layers

    def read(self, minibatch, triangles, diagonals, scores):
        """Read one minibatch of all layers into arrays.

        Args:
            minibatch: number of the minibatch.
            triangles: (layers, n (n - 1) / 2) array of at least this precision, to fill as in gram_matrices.Grams.
            diagonals: (layers, n) float64 array to fill in the same way.
            scores: (layers, n) float64 array to fill with the scores of the first components.
        """
        with hdf5.explaining_damage(self.path, _REMEDY):
            for index, layer in enumerate(self.layers):
                if self.form == "gram":
                    triangle, diagonal = triangles[index], diagonals[index]
                    self._chunk(layer.name, "gram", minibatch, np.float32, triangle.shape, triangle)
                    diagonal[:] = self._chunk(layer.name, "diagonal", minibatch, np.float32, diagonal.shape)
                    scores[index] = self._chunk(layer.name, "first_scores", minibatch, np.float32, diagonal.shape)
                else:
                    gram = gram_matrices.packed_gram(self.activations(minibatch, layer.name))
                    triangles[index], diagonals[index] = gram.triangle, gram.diagonal
                    scores[index] = deflation.first_scores(gram.triangle, gram.diagonal)

    def activations(self, minibatch, layer):
        """Read the float32 activations (n, ...) of a layer on a minibatch, from a dump in a raw form."""
        with hdf5.explaining_damage(self.path, _REMEDY):
            shape = (self.sample_ids.shape[1], *self._shapes[layer])
            return self._chunk(layer, "activations", minibatch, FORMS[self.form], shape).astype(np.float32)

    def _chunk(self, layer, name, minibatch, dtype, shape, out=None):
        """Read one minibatch of a dataset of this type and shape, into `out` if it is given."""
        # Opened once, and not as self._file["layers"][layer][name]: both take longer than reading the chunk.
        if (layer, name) not in self._opened:
            dataset = h5py.h5d.open(self._file.id, f"layers/{layer}/{name}".encode(), _without_cache())
            if dataset.dtype != dtype or dataset.shape != (len(self.sample_ids), *shape):
                raise ValueError(f"{name} of {layer} is of type {dataset.dtype} and shape {dataset.shape}")
            self._opened[layer, name] = dataset
        # Straight into an array of the same type: memory for a copy would take longer than reading.
        room = out.view(np.uint8) if out is not None and out.dtype == dtype else None
        _, content = self._opened[layer, name].read_direct_chunk((minibatch,) + (0,) * len(shape), out=room)
        values = np.frombuffer(content, dtype).reshape(shape)
        if out is not None and room is None:
            out[:] = values
        return values


@cache
def _without_cache():
    """Return the access properties of a dataset without a chunk cache; chunks are read whole, so it would be unused."""
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(1, 0, 1.0)
    return access


def check_aligned(dumps):
    """Refuse dumps that do not hold the same examples in the same order.

    Args:
        dumps: list of Dump.

    Raises:
        UserError: data, split, sample ids or their order differ.
    """
    first = dumps[0]
    for other in dumps[1:]:
        for what in ("data_checksum", "split"):
            if getattr(first, what) != getattr(other, what):
                raise UserError(
                    f"{other.path}: was made from other data than {first.path} ({what} {getattr(other, what)} where "
                    f"{getattr(first, what)} is expected); dump both on the same data."
                )
        if first.sample_ids.shape != other.sample_ids.shape or (first.sample_ids != other.sample_ids).any():
            raise UserError(
                f"{other.path}: its sample ids or their order differ from those of {first.path} (shapes "
                f"{other.sample_ids.shape} and {first.sample_ids.shape}); dump both with the same batch size, passes "
                "and seed."
            )


def _layer_info(name, group):
    shape = tuple(int(size) for size in group.attrs["shape"])
    stage, block = (hdf5.attribute(group, place, int) for place in ("stage", "block"))
    return LayerInfo(name, hdf5.attribute(group, "kind", str), stage, block, shape)
