"""What all HDF5 files of the workflow share: a stamp that says what they are, and clear words when they are damaged."""

import contextlib
import io
import math
from pathlib import Path

import h5py

from widedeep.formats import seals
from widedeep.runtime import files
from widedeep.runtime.errors import UserError, first_line


@contextlib.contextmanager
def creating(path):
    """Yield a new HDF5 file that is sealed and takes its place at `path` when the block ends well (files.replacing).

    The seal lies in what HDF5 calls a user block, which its readers skip.

    Yields:
        h5py.File, writable.

    Raises:
        UserError: the place cannot be written to (full, read-only, no permission).
    """
    with files.replacing(path) as unfinished:
        with open(unfinished, "w+b", buffering=0) as file:
            disk = _Disk(file)
            try:
                with h5py.File(disk, "w", userblock_size=seals.SIZE) as created:
                    yield created
            finally:
                if disk.error:
                    raise disk.error
        seals.write(unfinished)


class _Disk(io.RawIOBase):
    """What HDF5 writes to: a file, until the first error, which it keeps; later writes are dropped.

    HDF5 writes late, also while datasets are closed, where h5py drops errors with a printed traceback: a chunk would be
    lost and the file would look whole. A file that cannot be closed can even crash the process. So HDF5 never learns of
    an error, and `creating` raises it in the end.
    """

    def __init__(self, file):
        self._file = file
        self.error = None

    def seek(self, *where):
        return self._file.seek(*where)

    def tell(self):
        return self._file.tell()

    def write(self, content):
        rest = memoryview(content)
        try:
            while rest and not self.error:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.error = error
        return len(content)

    def readinto(self, buffer):
        if self.error:
            raise self.error  # what was dropped cannot be read
        return self._file.readinto(buffer)

    def truncate(self, size):
        if not self.error:
            self._file.truncate(size)


def stamp(file, kind, schema_version):
    """Write what `open_stamped` will ask for."""
    file.attrs["kind"] = kind
    file.attrs["schema_version"] = schema_version


def open_stamped(path, kind, schema_version, remedy):
    """Open an HDF5 file for reading if it is as it was written, and of the expected kind and version.

    Args:
        path: of the file.
        kind: what the file must say that it is.
        schema_version: which version its layout must have.
        remedy: what the user can do, for the error's last words.

    Returns:
        h5py.File

    Raises:
        UserError: the file is missing, damaged, or something else.
    """
    seals.check(path, remedy)
    with explaining_damage(path, remedy):
        file = h5py.File(path, "r")
    with explaining_damage(path, remedy):
        found, version = file.attrs.get("kind"), file.attrs.get("schema_version")
    if found != kind:
        file.close()
        raise UserError(f"{path}: holds {first_line(found or 'something unknown')} where {kind} is expected; {remedy}.")
    if version != schema_version:
        file.close()
        raise UserError(
            f"{path}: has schema version {first_line(version)} where {schema_version} is expected; {remedy}."
        )
    return file


def values(group, name, dtype, shape):
    """A whole dataset as it was written, or one that is no such thing is refused, before memory is taken for it.

    Args:
        group: h5py.Group that holds it.
        name: of the dataset.
        dtype: numpy's, or str for texts.
        shape: of the array; None for a size that may be any.

    Returns:
        array; of str objects for texts.

    Raises:
        ValueError, KeyError, AttributeError: of damage; see explaining_damage.
    """
    dataset = held(group, name, dtype, shape)
    return dataset.asstr()[:] if dtype is str else dataset[:]


def held(group, name, dtype, shape):
    """The h5py.Dataset itself, for what is too large to be read at once; the rest as of `values`."""
    dataset = group[name]
    right_type = h5py.check_string_dtype(dataset.dtype) if dtype is str else dataset.dtype == dtype
    sizes = dataset.shape or ()
    if not right_type or len(sizes) != len(shape) or any(b not in (a, None) for a, b in zip(sizes, shape, strict=True)):
        raise ValueError(f"{name} is of type {dataset.dtype} and shape {sizes}")
    # Ours are written whole and without compression.
    claimed = math.prod(sizes) * dataset.id.get_type().get_size()
    if claimed > min(dataset.id.get_storage_size(), Path(dataset.file.filename).stat().st_size):
        raise ValueError(f"{name} claims {claimed} bytes, more than the file holds")
    return dataset


@contextlib.contextmanager
def explaining_damage(path, remedy):
    """Turn what h5py and numpy raise on a truncated or altered file into a UserError; a UserError passes."""
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path}: does not fit into the free memory; run again where more is free.") from error
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is truncated or damaged ({first_line(error)}); {remedy}.") from error
