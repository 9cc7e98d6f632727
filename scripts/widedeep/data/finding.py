"""Finds the splits, classes and images of a folder, and counts what is left out.

Only names are read, no images.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from widedeep.runtime.errors import UserError, named

# The suffixes that torchvision accepts, repeated here because importing it takes seconds.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})
# Names of splits, in lower case; _role knows variants as `Training_Set`.
ROLES = {
    "train": "training",
    "training": "training",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
# What systems add to folders, in lower case, beside names that begin with a dot.
SYSTEM = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
    | {"thumbs.db", "desktop.ini"}
)
# Classes and reasons that a summary lists.
_LISTED = 20


@dataclass(frozen=True)
class Found:
    """The images of a folder, in the order of their names.

    Attributes:
        folder: Path.
        splits: paths of the folders of training and test images; empty if every fifth image of a class is a test image.
        train, test: lists of (path relative to the folder, label).
        classes: list of class names; labels count from 0 in their order.
        left_out: Counter of what is no image of the data set, by kind.
    """

    folder: Path
    splits: tuple
    train: list
    test: list
    classes: list
    left_out: Counter = field(default_factory=Counter)

    def summary(self):
        """Return lines for the user: images of each split and class, and what is left out."""
        train, test = (Counter(label for _, label in samples) for samples in (self.train, self.test))
        counts = [f"{named(name)} {train[label]} + {test[label]}" for label, name in enumerate(self.classes)]
        origin = " and ".join(named(split) for split in self.splits) or "every fifth image of a class is a test image"
        left_out = [f"{number} {kind}" for kind, number in self.left_out.most_common() if number]
        return "\n".join(
            [
                f"{named(self.folder)}: {len(self.train)} training and {len(self.test)} test images ({origin})",
                f"classes: {_some(counts)}",
                f"left out: {_some(left_out) or 'nothing'}",
            ]
        )


def find(folder):
    """Find the images of a folder: FOLDER/train/CLASS and FOLDER/test/CLASS, or FOLDER/CLASS alone.

    Splits are found by ROLES in any case, and without `test`, `val` is the test split. Without splits, every fifth
    image of a class, by name, is a test image. A single folder around all of this, as archives have it, is entered.
    Images are files with one of SUFFIXES at any depth in a class. Hidden and system entries are left out.

    Args:
        folder: of the images.

    Returns:
        Found

    Raises:
        UserError: a folder or link cannot be read; it is unclear which folders are the splits; there are fewer than two
            classes; a class is empty; the splits differ in classes.
    """
    folder, left_out = Path(folder), Counter()
    if not folder.is_dir():
        raise UserError(f"{named(folder)}: no such folder; give a folder with one folder for each class.")
    place, folders, files = _inner(folder, left_out)
    _count_loose(files, left_out)
    train_folder, test_folder = _splits(place, folders)
    if train_folder is None:
        classes, samples = _samples(place, folders, left_out)
        train, test = [s for s in samples if s[2] % 5 != 4], [s for s in samples if s[2] % 5 == 4]
        if {label for _, label, _ in test} != set(range(len(classes))):
            raise UserError(f"{named(place)}: a class has fewer than 5 images, so it has no test image; add images.")
        splits = ()
    else:
        splits = train_folder, test_folder
        left_out.update(f"folder beside the splits: {named(one.name)}" for one in folders if one not in splits)
        (classes, train), (test_classes, test) = (_samples_of_split(split, left_out) for split in splits)
        if classes != test_classes:
            different = sorted(set(classes) ^ set(test_classes))[0]
            raise UserError(
                f"{named(place)}: class {named(different)} is only in one of {train_folder.name} and "
                f"{test_folder.name}; both need the same classes."
            )
    if len(classes) < 2:
        raise UserError(
            f"{named(place)}: has the class {named(classes[0])} alone, and networks need two or more; give a folder "
            "with one folder for each class."
        )
    relative = ([(path.relative_to(folder), label) for path, label, _ in samples] for samples in (train, test))
    return Found(folder, splits, *relative, classes, left_out)


def _some(texts):
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more


def _entries(folder, left_out):
    """Return the (folders, files) in a folder, sorted lists of Path, without hidden and system entries."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{named(folder)}: cannot be listed ({error.strerror}); repair or remove it.") from error
    visible = [entry for entry in found if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM]
    left_out["hidden or system entries"] += len(found) - len(visible)
    folders, files = [], []
    for entry in visible:
        path = folder / entry.name
        _check_name(path)
        (folders if _is_folder(entry, path) else files).append(path)
    return folders, files


def _is_folder(entry, path):
    """Return whether an entry of os.scandir is a folder, or a link to one, and not a file.

    Raises:
        UserError: it is a link that leads nowhere, which may stand for a class, or it has the name of an image and is
            no file.
    """
    try:
        if entry.is_dir() or entry.is_file():
            return entry.is_dir()
        leads_nowhere = entry.is_symlink()
    except OSError:  # as of links in a circle
        leads_nowhere = True
    if leads_nowhere:
        raise UserError(f"{named(path)}: is a link to a file or folder that is missing; repair or remove the link.")
    if _is_image(path):
        raise UserError(f"{named(path)}: is no file; remove it.")
    return False


def _check_name(path):
    try:
        str(path).encode()
    except UnicodeEncodeError:  # HDF5 and checksums need UTF-8
        raise UserError(f"{str(path)!r}: its name is not UTF-8; rename it.") from None


def _inner(place, left_out):
    """Return (place, folders, files) of the folder that holds splits or classes, inside of single outer folders."""
    folders, files = _entries(place, left_out)
    while len(folders) == 1 and not _role(folders[0]) and not any(map(_is_image, files)):
        below, files_below = _entries(folders[0], hidden := Counter())
        if not below:
            break
        _count_loose(files, left_out)
        left_out.update(hidden)
        place, folders, files = folders[0], below, files_below
    return place, folders, files


def _role(folder):
    """Return the split that a folder holds by its name: training, test or validation; None for any other name."""
    words = re.sub(r"\d{4}$", "", folder.name.lower())  # a year
    words = re.sub(r"[\W_]*(set|data|images|split)?[\W_]*$", "", words)
    return ROLES.get(words)


def _last_role(folder):
    """Return the split by the last word of a folder's name, as `seg_train`."""
    return _role(folder.with_name(re.split(r"[\W_]+", folder.name.strip("_-. "))[-1] or folder.name))


def _splits(place, folders):
    """Return the folders of training and test images; (None, None) if the folders are classes.

    Raises:
        UserError: one of both splits is missing, or two folders could be the same split.
    """
    of_role = {role: [one for one in folders if _role(one) == role] for role in ROLES.values()}
    if not any(of_role.values()):
        of_role = {role: [one for one in folders if _last_role(one) == role] for role in ROLES.values()}
        if not (of_role["training"] and (of_role["test"] or of_role["validation"])):
            return None, None
    for role, found in of_role.items():
        if len(found) > 1:
            raise UserError(
                f"{named(place)}: {named(found[0].name)} and {named(found[1].name)} could both be the {role} split; "
                "rename or remove one."
            )
    test = of_role["test"] or of_role["validation"]
    if of_role["training"] and test:
        return of_role["training"][0], test[0]
    only, missing = (of_role["training"], "test or val") if of_role["training"] else (test, "train")
    name = named(only[0].name)
    raise UserError(
        f"{named(place)}: has {name} and no folder {missing}; add it, or, if {name} is a class, give it another name."
    )


def _samples_of_split(split, left_out):
    place, folders, files = _inner(split, left_out)
    _count_loose(files, left_out)
    if not folders and any(map(_is_image, files)):
        raise UserError(
            f"{named(place)}: has images and no folder for each class; sort them into folders, or remove it."
        )
    return _samples(place, folders, left_out)


def _samples(place, folders, left_out):
    """Return (classes, [(path, label, position in its class)]) of a folder of classes."""
    if not folders:
        raise UserError(f"{named(place)}: has no folders; give a folder with one folder for each class.")
    samples = []
    for label, folder in enumerate(folders):
        not_read = Counter()
        paths = sorted(_images(folder, not_read))
        if not paths:
            others = _some([f"{number} {kind}" for kind, number in not_read.items() if number])
            raise UserError(
                f"{named(folder)}: has no image{f' ({others})' if others else ''}; add images of the formats "
                f"{' '.join(sorted(SUFFIXES))}, or remove the folder."
            )
        left_out.update(not_read)
        samples += [(path, label, position) for position, path in enumerate(paths)]
    return [folder.name for folder in folders], samples


def _images(folder, left_out):
    """Yield the paths of all images in a class, at any depth."""
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        folders, files = _entries(current, left_out)
        roles = {_role(one) for one in folders}
        if "training" in roles and roles & {"test", "validation"}:
            raise UserError(
                f"{named(current)}: has folders of splits inside of a class; put the classes into those of the splits."
            )
        for path in files:
            if _is_image(path):
                yield path
            else:
                left_out[f"files {named(path.suffix.lower()) or 'without a suffix'}"] += 1
        for inner in folders:
            if inner.is_symlink():  # it may lead back
                left_out["links to folders inside of classes"] += 1
            else:
                waiting.append(inner)


def _is_image(path):
    return path.suffix.lower() in SUFFIXES


def _count_loose(files, left_out):
    for path in files:
        kind = "images" if _is_image(path) else f"files {named(path.suffix.lower()) or 'without a suffix'}"
        left_out[f"{kind} outside of the classes"] += 1
