"""Archives: downloads that resume, checksums, and safe extraction."""

import gzip
import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from widedeep.runtime import files
from widedeep.runtime.errors import UserError, first_line

_TIMEOUT = 60
_CHUNK = 1 << 20
# Largest archive in bytes, packed and unpacked, and most members of an archive; the official ones are far smaller.
LARGEST = 1 << 30
_MEMBERS = 1000
# The exceptions of Python for damaged archives.
DAMAGED = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, MemoryError)


def fetch(addresses, path, md5):
    """Download a file from the first address that delivers the whole file.

    The part from an interrupted download stays beside `path` as `NAME.partial`, and the next call goes on from there.

    Args:
        addresses: list of URLs, tried in order.
        path: of the file to write.
        md5: MD5 that the file must have, in hexadecimal.

    Raises:
        UserError: no address delivered the file; the message gives the reason for each address.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    with files.explaining_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for address in addresses:
        resumed = partial.exists()
        failure = _transfer(address, partial) or _wrong_content(partial, md5)
        if failure and resumed and not partial.exists():
            # The part from before may have been the start of another file.
            failure = _transfer(address, partial) or _wrong_content(partial, md5)
        if not failure:
            partial.replace(path)
            return
        failures.append(f"{address} {failure}")
    raise UserError(
        f"{path.name}: could not be downloaded: {'; '.join(failures)}; "
        "run again to go on, or give another --mirror or a local --archive."
    )


def md5_of(path):
    """Return the MD5 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def extract(archive, members, folder):
    """Copy the named regular files out of a gzipped tar archive, and nothing else.

    Each is written into the folder under the last part of its name, so paths, links and devices in the archive have no
    effect.

    Args:
        archive: path of a .tar.gz.
        members: names in the archive.
        folder: for the files; it must exist.

    Raises:
        UserError: the archive is missing or damaged, unpacks to more than LARGEST bytes, or a member is missing or not
            a regular file.
    """
    try:
        with gzip.open(archive) as unpacked, tarfile.open(fileobj=_AtMost(unpacked, LARGEST), mode="r:") as tar:
            present = {}
            for member in tar:
                present[member.name] = member
                if len(present) > _MEMBERS:
                    raise UserError(f"{archive}: has more than {_MEMBERS} files; give the official archive.")
            for name in members:
                if name not in present or not present[name].isreg():
                    raise UserError(f"{archive}: has no regular file {name}; give the official archive.")
                unpacked = Path(folder, Path(name).name)
                with files.explaining_os_errors(unpacked), open(unpacked, "wb") as file:
                    shutil.copyfileobj(tar.extractfile(present[name]), file)
    except FileNotFoundError:
        raise UserError(f"{archive}: no such file; give the path of the official archive.") from None
    except UserError:
        raise
    except DAMAGED as error:
        if isinstance(error, OSError):
            files.check_was_read(archive, error)
        raise UserError(
            f"{archive}: is truncated or not a tar archive ({first_line(error)}); download it again."
        ) from error


class _AtMost:
    """An open file that refuses to read beyond `most` bytes: a small archive can unpack to more than a disk holds.

    It has the methods that tarfile needs.
    """

    def __init__(self, file, most):
        self._file, self._most = file, most
        self.tell = file.tell

    def read(self, size):
        self._check(size)
        self._check(self.tell() + size)
        return self._file.read(size)

    def seek(self, position):
        self._check(position)
        return self._file.seek(position)

    def _check(self, number):
        if not 0 <= number <= self._most:
            raise ValueError(f"byte {number} is outside the {self._most} bytes allowed")


def _transfer(address, partial):
    """Download the missing rest of a file, and append it to `partial`; return the reason of a failure, or None."""
    from tqdm import tqdm

    have = partial.stat().st_size if partial.exists() else 0
    try:
        request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            if have and response.status != http.client.PARTIAL_CONTENT:
                have = 0  # the server sends the whole file again
            expected = response.headers.get("Content-Length")
            total = have + int(expected) if expected else None
            with (
                files.explaining_os_errors(partial),
                open(partial, "ab" if have else "wb") as file,
                tqdm(desc=partial.stem, initial=have, total=total, unit="B", unit_scale=True) as progress,
            ):
                while chunk := response.read(_CHUNK):
                    if file.tell() > LARGEST:
                        return f"sends more than {LARGEST} bytes"
                    file.write(chunk)
                    progress.update(len(chunk))
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None  # nothing is missing; the checksum decides
        return f"answers {error.code} ({error.reason})"
    except UserError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: of the address
        return f"fails ({getattr(error, 'reason', None) or error})"
    arrived = partial.stat().st_size
    if total is not None and arrived < total:
        return f"stopped after {arrived} of {total} bytes"
    return None


def _wrong_content(partial, md5):
    """Compare a complete download with its MD5; remove a wrong one and return what it is, or return None."""
    if not partial.exists():
        return "sent nothing"
    found = md5_of(partial)
    if found == md5:
        return None
    with open(partial, "rb") as file:
        is_page = file.read(512).lstrip()[:1] == b"<"
    partial.unlink()
    return "sent a web page" if is_page else f"sent a file with MD5 {found} where {md5} is expected"
