"""Seals: a checksum at the start of a file, compared before any other part of the file is read.

HDF5 crashes the process on some damaged files instead of raising an error, and torch does not compare the checksums in
its files. So the first 512 bytes of these files are a seal: a text with the number of the bytes that follow and their
CRC-32, which takes half a second a gigabyte. A seal detects damage, not attacks: anyone can seal a file.
"""

import os
import zlib

from widedeep.formats import foreign
from widedeep.runtime import files
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


def check(path, remedy, expected="a file of this workflow"):
    """Refuse a file that has changed since it was sealed; a process reads an unchanged file only once.

    Args:
        path: of the file.
        remedy: what the user can do; the error ends with it.
        expected: what it should be, as in foreign.OWN.

    Raises:
        UserError: the file is missing, truncated or damaged, or has no seal.
        MayBeWhole: the system does not read the file, or it is something else.
    """
    if files.is_folder(path):
        foreign.check(path, expected)
    with files.reading(path, remedy) as file:
        about = os.fstat(file.fileno())
        identity = about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
        if identity in _checked:
            return
        found = file.read(SIZE)
        if found.startswith(foreign.HDF5):
            raise UserError(
                f"{path}: is an HDF5 file of another program, or of an older version (it does not begin with a "
                f"checksum); {remedy}."
            )
        if not found.startswith(_START):
            if not _START.startswith(found):
                foreign.check(path, expected)
            raise UserError(
                f"{path}: is truncated, damaged or something else (it does not begin with a checksum); {remedy}."
            )
        if found != _seal_of(file):
            raise UserError(f"{path}: is truncated or damaged (its checksum does not match); {remedy}.")
    _checked.add(identity)


def start_of_content(path, remedy):
    """Return the first bytes of what a sealed file holds, which tell HDF5 from a checkpoint; raises as `check`."""
    with files.reading(path, remedy) as file:
        file.seek(SIZE)
        return file.read(8)


def _seal_of(file):
    """Return the seal, SIZE bytes, for the rest of an open file."""
    file.seek(SIZE)
    buffer = memoryview(bytearray(_CHUNK))
    crc = size = 0
    while count := file.readinto(buffer):
        crc = zlib.crc32(buffer[:count], crc)
        size += count
    return (_START + f"CRC-32 {crc:08x} of the {size} bytes after the first {SIZE}\n".encode()).ljust(SIZE, b"\0")
