"""Fashion-MNIST, from its four official files or Debian's package of them."""

import gzip
from pathlib import Path

from widedeep.data.catalogue import DataSet, Fetched
from widedeep.runtime.errors import UserError, first_line

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def official(folder, mirrors, archive):
    """Fashion-MNIST from its four official files, read by torchvision.

    Args:
        folder: for the downloads.
        mirrors: addresses of folders that hold the four files, tried before the official host.
        archive: a local folder with the four files, so that nothing is downloaded; or None.

    Returns:
        Fetched

    Raises:
        UserError: a file cannot be downloaded, or is missing or damaged.
    """
    from torchvision.datasets import FashionMNIST

    from widedeep.data import sources, transfer
    from widedeep.formats.dataset import Split

    names = [name for name, _ in FashionMNIST.resources]
    local = Path(archive) if archive else Path(folder)
    if archive is None:
        for name, md5 in FashionMNIST.resources:
            if not (local / name).exists():
                address = FashionMNIST.mirrors[0] + name
                transfer.fetch(sources.addresses(mirrors, address, name), local / name, md5)
    with sources.workplace(folder) as place:
        arrays = [_read_idx(local / name, place) for name in names]
    train, test = Split(arrays[0][:, None], arrays[1]), Split(arrays[2][:, None], arrays[3])
    return Fetched(train, test, FashionMNIST.classes, [] if archive else [local / name for name in names])


def debian(folder, mirrors, _archive):
    """Fashion-MNIST from Debian's package dataset-fashion-mnist.

    Raises:
        UserError: the package is not installed.
    """
    if not DEBIAN_FOLDER.is_dir():
        raise UserError(
            f"{DEBIAN_FOLDER}: no such folder; install Debian's package dataset-fashion-mnist, "
            "or use the source official."
        )
    return official(folder, mirrors, DEBIAN_FOLDER)


def _read_idx(path, place):
    """Read the array in a gzipped IDX file, which is unpacked into the folder `place`."""
    from torchvision.datasets.mnist import read_image_file, read_label_file

    from widedeep.data import transfer
    from widedeep.runtime import files

    unpacked = place / path.stem
    try:
        with gzip.open(path) as packed:
            content = packed.read(transfer.LARGEST // 4 + 1)
        if len(content) > transfer.LARGEST // 4:
            raise ValueError(f"it unpacks to more than {transfer.LARGEST // 4} bytes")
        with files.explaining_os_errors(unpacked):
            unpacked.write_bytes(content)
        read = read_image_file if "images" in path.name else read_label_file
        return read(str(unpacked)).numpy()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the folder must hold the four official files.") from None
    except UserError:
        raise
    except (*transfer.DAMAGED, AssertionError, RuntimeError, KeyError, TypeError) as error:
        if isinstance(error, OSError):
            files.check_was_read(path, error)
        raise UserError(f"{path}: is truncated or not an IDX file ({first_line(error)}); download it again.") from error


DATA_SETS = [
    DataSet(
        name="fashion-mnist",
        train_examples=60_000,
        test_examples=10_000,
        channels=1,
        side=28,
        classes=10,
        sources={"official": official, "debian": debian},
        checksums=(
            "a8007d7be041707b663947cf4c2d8a73d1704ccde85043273b866d5181bde6c2",
            "3581bf52f521803120533f28e81ae934decd1771980630083c739dc6da7d3bc6",
        ),
    )
]
