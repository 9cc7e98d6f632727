"""Seals: a checksum at the start of a file, compared before any other part of the file is read.

HDF5 crashes the process on some damaged files instead of raising an error, and torch does not compare the checksums in
its files. So the first 512 bytes of these files are a seal: a text with the number of the bytes that follow and their
CRC-32, which takes half a second a gigabyte. A seal detects damage, not attacks: anyone can seal a file.
"""

import os
import zlib
from pathlib import Path

from widedeep.runtime.errors import UserError

SIZE = 512
_START = b"widedeep: "
_CHUNK = 1 << 20
_checked = set()


def write(path):
    """Write the seal of a finished file into its first SIZE bytes."""
    with open(path, "r+b", buffering=0) as file:
        seal = _seal_of(file)
        file.seek(0)
        file.write(seal)


def check(path, remedy):
    """Refuse a file that has changed since it was sealed; a process reads an unchanged file only once.

    Args:
        path: of the file.
        remedy: what the user can do; the error ends with it.

    Raises:
        UserError: the file is missing, truncated or damaged, or has no seal.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; {remedy}.")
    try:
        with open(path, "rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            identity = about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
            if identity in _checked:
                return
            found = file.read(SIZE)
            if not found.startswith(_START):
                raise UserError(
                    f"{path}: is truncated, damaged or of an older version (it does not begin with a checksum); "
                    f"{remedy}."
                )
            if found != _seal_of(file):
                raise UserError(f"{path}: is truncated or damaged (its checksum does not match); {remedy}.")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}.") from error
    _checked.add(identity)


def _seal_of(file):
    """Return the seal, SIZE bytes, for the rest of an open file."""
    file.seek(SIZE)
    buffer = memoryview(bytearray(_CHUNK))
    crc = size = 0
    while count := file.readinto(buffer):
        crc = zlib.crc32(buffer[:count], crc)
        size += count
    return (_START + f"CRC-32 {crc:08x} of the {size} bytes after the first {SIZE}\n".encode()).ljust(SIZE, b"\0")
