"""Writing and opening HDF5 files: a stamp with their kind and version, a seal, and messages for damaged files."""

import contextlib
import io
import math
from pathlib import Path

import h5py
import numpy as np

from widedeep.formats import foreign, seals
from widedeep.runtime import files
from widedeep.runtime.errors import MayBeWhole, UserError, first_line, shortened

# Characters of an attribute's text, as of a path.
_LONGEST = 4096


@contextlib.contextmanager
def creating(path):
    """Yield a new HDF5 file, which is sealed and appears at `path` when the block ends without an error.

    The seal (seals.py) is in HDF5's user block, which readers of HDF5 skip.

    Yields:
        h5py.File, writable.

    Raises:
        UserError: the file cannot be written; see files.replacing.
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
    """The file that HDF5 writes to. It hides the first error from HDF5, keeps it, and drops all later writes.

    HDF5 also writes while it closes datasets, where h5py prints errors and goes on: a chunk would be lost and the file
    would look whole. A file that cannot be closed can even crash the process. `creating` raises the error at the end.
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
            raise self.error  # dropped content cannot be read
        return self._file.readinto(buffer)

    def truncate(self, size):
        if not self.error:
            self._file.truncate(size)


def stamp(file, kind, schema_version):
    """Write the kind and the schema version of a file, which `open_stamped` checks."""
    file.attrs["kind"] = kind
    file.attrs["schema_version"] = schema_version


def open_sealed(path, remedy, expected="a file of this workflow"):
    """Open an HDF5 file of any kind for reading, after comparing its checksum.

    It is opened without HDF5's lock, which not every file system has. A file that can be opened is never written again:
    another one replaces it.

    Args:
        path: of the file.
        remedy: what the user can do; the error ends with it.
        expected: what it should be, as in foreign.OWN.

    Returns:
        h5py.File

    Raises:
        UserError: the file is missing or damaged.
        MayBeWhole: the system does not read the file, or it is something else.
    """
    seals.check(path, remedy, expected)
    if seals.start_of_content(path, remedy).startswith(b"PK"):
        raise foreign.refusal(path, foreign.CHECKPOINT, expected, "scripts/train.py goes on from it")
    with explaining_damage(path, remedy), files.explaining_unreadable(path, remedy):
        return h5py.File(path, "r", locking=False)


def open_stamped(path, kind, schema_version, remedy):
    """Open an HDF5 file for reading, after checking that it is undamaged and of the expected kind and version.

    Args:
        path: of the file.
        kind: the kind that the file must have, as `cka`.
        schema_version: the version that its layout must have.
        remedy: what the user can do; the error ends with it.

    Returns:
        h5py.File

    Raises:
        UserError: the file is missing, damaged, or something else.
    """
    expected = foreign.OWN.get(kind, (f"a file of {kind}", ""))[0]
    file = open_sealed(path, remedy, expected)
    with explaining_damage(path, remedy):
        found, version = file.attrs.get("kind"), file.attrs.get("schema_version")
    if not isinstance(found, str) or found != kind:
        file.close()
        if isinstance(found, str) and found in foreign.OWN:
            what, takes = foreign.OWN[found]
            raise foreign.refusal(path, what, expected, takes)
        raise UserError(f"{path}: holds {shortened(found)} where {kind} is expected; {remedy}.")
    if not isinstance(version, int | np.integer) or version != schema_version:
        file.close()
        raise UserError(
            f"{path}: has schema version {first_line(version)} where {schema_version} is expected; {remedy}."
        )
    return file


def values(group, name, dtype, shape):
    """Read a whole dataset, after checking its type and shape, before any memory is allocated for it.

    Args:
        group: h5py.Group of the dataset.
        name: of the dataset.
        dtype: numpy's, or str for texts.
        shape: of the array; None for a size that is free.

    Returns:
        array; of str objects for texts.

    Raises:
        ValueError, KeyError, AttributeError: the file is damaged; see explaining_damage.
    """
    dataset = checked(group, name, dtype, shape)
    return dataset.asstr()[:] if dtype is str else dataset[:]


def attribute(holder, name, kind):
    """Return an attribute of a file or group, after checking its type.

    Args:
        holder: h5py.File or h5py.Group.
        name: of the attribute.
        kind: int or str; a text must be one printable line of at most 4096 characters.

    Raises:
        ValueError, KeyError: the file is damaged; see explaining_damage.
    """
    value = holder.attrs[name]
    right = isinstance(value, int | np.integer) if kind is int else isinstance(value, str)
    if not right or (kind is str and not (value.isprintable() and len(value) <= _LONGEST)):
        raise ValueError(f"{name} is {value!r}")
    return kind(value)


def checked(group, name, dtype, shape):
    """Return the h5py.Dataset itself, to be read in parts, after the same checks as `values`."""
    dataset = group[name]
    right_type = h5py.check_string_dtype(dataset.dtype) if dtype is str else dataset.dtype == dtype
    sizes = dataset.shape or ()
    if not right_type or len(sizes) != len(shape) or any(b not in (a, None) for a, b in zip(sizes, shape, strict=True)):
        raise ValueError(f"{name} is of type {dataset.dtype} and shape {sizes}")
    # The workflow writes datasets whole and without compression.
    claimed = math.prod(sizes) * dataset.id.get_type().get_size()
    if claimed > min(dataset.id.get_storage_size(), Path(dataset.file.filename).stat().st_size):
        raise ValueError(f"{name} claims {claimed} bytes, more than the file holds")
    return dataset


@contextlib.contextmanager
def explaining_damage(path, remedy):
    """Turn the exceptions of h5py and numpy on a truncated or altered file into a UserError; a UserError passes.

    A file that the system does not read is not called damaged.

    Args:
        path: of the file.
        remedy: what the user can do; the error ends with it.
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise MayBeWhole(f"{path}: does not fit into the free memory; run again where more is free.") from error
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError, ArithmeticError) as error:
        if isinstance(error, OSError):
            files.check_was_read(path, error)
        raise UserError(f"{path}: is truncated or damaged ({first_line(error)}); {remedy}.") from error
