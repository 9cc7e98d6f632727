"""Files in the place of others: what they are, from their first bytes, and what takes them."""

import zipfile

from widedeep.runtime import files
from widedeep.runtime.errors import MayBeWhole, shortened

HDF5 = b"\x89HDF\r\n\x1a\n"
WEIGHTS, CHECKPOINT = "a trained network (model.safetensors)", "a checkpoint (checkpoint.pt)"
# The workflow's own HDF5 files by kind: what such a file is, and what takes it.
OWN = {
    "activations": ("a dump (activations.h5)", "scripts/compute_cka.py takes it"),
    "cka": ("a file of similarities (cka.h5)", "scripts/plot_heatmaps.py takes it"),
    "dataset": ("a data set (dataset.h5)", "scripts/train.py takes it with --data"),
    "first components": ("a file of first components (pca.h5)", "scripts/plot_components.py takes it"),
    "predictions": ("a file of predictions (predictions.h5)", "scripts/compare_predictions.py takes it"),
}
_NETWORK = "in Python, widedeep.layer_similarity takes a network with its weights"
_ARRAYS = "in Python, widedeep.cka takes arrays"
_IMAGES = "scripts/download.py takes a folder of images with --folder"
_NOTHING = "give the right file"
# By the first bytes of a file.
_FORMATS = {
    HDF5: ("an HDF5 file of another program", _ARRAYS),
    b"\x93NUMPY": ("a NumPy array (.npy)", _ARRAYS),
    b"\x89PNG\r\n": ("an image (PNG)", _IMAGES),
    b"\xff\xd8\xff": ("an image (JPEG)", _IMAGES),
    b"GIF8": ("an image (GIF)", _IMAGES),
    b"%PDF-": ("a PDF", _NOTHING),
    b"\x1f\x8b": ("a gzip archive", "scripts/download.py takes official archives with --archive"),
    **{
        bytes([128, protocol]): ("a Python pickle", "nothing here reads one, for it may run code")
        for protocol in range(2, 6)
    },
}
_HEAD = 512
# Of the header of a safetensors file; the library's own limit is larger.
_HEADER = 1 << 20


def check(path, expected, is_text=False):
    """Refuse a folder, or a file that is recognised as something else than the expected one; others pass.

    Args:
        path: of a file whose content is not the expected one.
        expected: what it should be, as in OWN.
        is_text: whether it should be a text, which no first bytes tell from another one.

    Raises:
        MayBeWhole: the message says what it is, and what takes it.
    """
    if files.is_folder(path):
        action = _IMAGES if expected == OWN["dataset"][0] else _NOTHING
        raise MayBeWhole(f"{path}: is a folder where {expected} is expected; {action}.")
    with files.reading(path, _NOTHING) as file:
        found, takes = _recognised(file, is_text)
    if found and found != expected:
        raise refusal(path, found, expected, takes)


def refusal(path, found, expected, takes):
    """Return the MayBeWhole for a file that is something else than the expected one; see OWN for the texts."""
    return MayBeWhole(f"{path}: is {found} where {expected} is expected; {takes}.")


def _recognised(file, is_text):
    """Return (what an open file is, what takes it); (None, None) if it is not recognised."""
    head = file.read(_HEAD)
    for start, known in _FORMATS.items():
        if head.startswith(start):
            return known
    if head.startswith(b"PK\x03\x04"):
        return _archive(file)
    length = int.from_bytes(head[:8], "little")
    if 2 <= length < 1 << 27 and head[8:9] == b"{":
        file.seek(8)
        if b'"widedeep"' in file.read(min(length, _HEADER)):
            return WEIGHTS, "scripts/dump_activations.py takes it"
        return "a safetensors file of another program", _NETWORK
    return (None, None) if is_text else _text(head)


def _archive(file):
    """Return the same of a file that begins as a zip archive; one that is cut off is not recognised."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None, None
    if any(name.endswith("/data.pkl") for name in names):
        return "a PyTorch file of another program", _NETWORK
    if names and all(name.endswith(".npy") for name in names):
        return "a file of NumPy arrays (.npz)", _ARRAYS
    return "a zip archive", _NOTHING


def _text(head):
    """Return the same of a file that begins as a text."""
    # The end may be in the middle of a character.
    text = head.decode(errors="ignore")
    shown = all(character.isprintable() or character in "\t\r\n" for character in text)
    if not shown or not text.strip() or len(text.encode()) < len(head) - 3:
        return None, None
    if text.lstrip().startswith(("{", "[")):
        return "a JSON file", _NOTHING
    line = text.splitlines()[0]
    kind = "a table" if "," in line or "\t" in line else "a text"
    return f"{kind} that begins with '{shortened(line[:40])}'", _NOTHING
