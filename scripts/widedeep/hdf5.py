"""What all HDF5 files of the workflow share: a stamp that says what they are, and clear words when they are damaged."""

import contextlib
import hashlib
import io
from pathlib import Path

import h5py
import numpy as np

from widedeep import files
from widedeep.errors import UserError


@contextlib.contextmanager
def creating(path):
    """Yield a new HDF5 file that takes its place at `path` when the block ends well (files.replacing).

    Yields:
        h5py.File, writable.

    Raises:
        UserError: the place cannot be written to (full, read-only, no permission).
    """
    with files.replacing(path) as unfinished, open(unfinished, "w+b", buffering=0) as file:
        disk = _Disk(file)
        try:
            with h5py.File(disk, "w") as created:
                yield created
        finally:
            if disk.error:
                raise disk.error


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
    file.attrs["kind"] = fixed(kind)
    file.attrs["schema_version"] = schema_version


def fixed(text):
    """A string as HDF5 stores it in an attribute itself: in a damaged file, one in the heap can crash h5py's reader."""
    return np.bytes_(text.encode())


def text(attribute):
    """The str of an attribute, whichever way it is stored."""
    return attribute.decode() if isinstance(attribute, bytes) else attribute


def seal(file):
    """Write a checksum of all that an open file holds, for `check_seal`; nothing may be added afterwards."""
    file.attrs["checksum"] = content_checksum(file)


def check_seal(path, remedy):
    """Refuse a file whose content is not what it was when it was sealed.

    Raises:
        UserError: the file cannot be read, or its content was altered.
    """
    with explaining_damage(path, remedy), h5py.File(path, "r") as file:
        recorded, found = file.attrs.get("checksum"), content_checksum(file)
    if found != recorded:
        raise UserError(f"{path}: its content does not have the checksum that it was written with; {remedy}.")


def content_checksum(file):
    """SHA-256 over the names, attributes and values of all groups and datasets of an open file; reads all of it.

    The attribute `checksum` of the root is left out. Datasets are read a chunk of rows at a time.
    """
    digest = hashlib.sha256()

    def add(name, item):
        attributes = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        if name == "/":
            attributes.pop("checksum", None)
        digest.update(f"{name} {sorted(attributes.items())}\n".encode())
        if isinstance(item, h5py.Dataset):
            digest.update(f"{item.shape} {item.dtype.str}\n".encode())
            for values in _parts(item):
                digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())

    add("/", file)
    file.visititems(add)
    return digest.hexdigest()


def _parts(dataset):
    """The values of a dataset, as many rows at a time as are stored together."""
    if dataset.ndim == 0 or not dataset.chunks:
        yield np.asarray(dataset[()])
        return
    rows = dataset.chunks[0]
    for start in range(0, len(dataset), rows):
        yield dataset[start : start + rows]


def open_stamped(path, kind, schema_version, remedy):
    """Open an HDF5 file for reading if it is of the expected kind and version.

    Args:
        path: of the file.
        kind: what the file must say that it is.
        schema_version: which version its layout must have.
        remedy: what the user can do, for the error's last words.

    Returns:
        h5py.File

    Raises:
        UserError: the file is missing, truncated, or something else.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; {remedy}.")
    with explaining_damage(path, remedy):
        file = h5py.File(path, "r")
    with explaining_damage(path, remedy):
        found, version = text(file.attrs.get("kind")), file.attrs.get("schema_version")
    if found != kind:
        file.close()
        raise UserError(f"{path}: holds {found or 'something unknown'} where {kind} is expected; {remedy}.")
    if version != schema_version:
        file.close()
        raise UserError(f"{path}: has schema version {version} where {schema_version} is expected; {remedy}.")
    return file


@contextlib.contextmanager
def explaining_damage(path, remedy):
    """Turn what h5py and numpy raise on a truncated or altered file into a UserError; a UserError passes."""
    try:
        yield
    except UserError:
        raise
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: is truncated or damaged ({reason}); {remedy}.") from error
