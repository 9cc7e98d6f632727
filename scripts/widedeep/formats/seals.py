"""A checksum in front of a file, compared before anything in the file is believed.

HDF5 crashes the process on some damaged files instead of raising an error, and torch does not compare the checksums in
its own. So the first 512 bytes of such a file are ours: text that tells how many bytes follow and their CRC-32, which
takes half a second a gigabyte. A seal shows damage; against someone who seals a file of bad intent it is no help.
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
    """Write the seal of a finished file, whose first SIZE bytes are kept free for it."""
    with open(path, "r+b", buffering=0) as file:
        seal = _seal_of(file)
        file.seek(0)
        file.write(seal)


def check(path, remedy):
    """Refuse a file that is not what it was when it was sealed; one that stays as it is is read once a process.

    Args:
        path: of the file.
        remedy: what the user can do, for the error's last words.

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
                raise UserError(f"{path}: is truncated or damaged (its checksum is another one); {remedy}.")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}.") from error
    _checked.add(identity)


def _seal_of(file):
    """The SIZE bytes that belong in front of what follows them in an open file."""
    file.seek(SIZE)
    buffer = memoryview(bytearray(_CHUNK))
    crc = size = 0
    while count := file.readinto(buffer):
        crc = zlib.crc32(buffer[:count], crc)
        size += count
    return (_START + f"CRC-32 {crc:08x} of the {size} bytes after the first {SIZE}\n".encode()).ljust(SIZE, b"\0")
