"""What all HDF5 files of the workflow share: a stamp that says what they are, and clear words when they are damaged."""

import contextlib
from pathlib import Path

import h5py

from widedeep.errors import UserError


def stamp(file, kind, schema_version):
    """Write what `open_stamped` will ask for."""
    file.attrs["kind"] = kind
    file.attrs["schema_version"] = schema_version


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
        found, version = file.attrs.get("kind"), file.attrs.get("schema_version")
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
