"""Folders of images with odd names and odd entries, and what data set is in them.

Each image has a colour of its own, by which it is known again.
"""

import os

from PIL import Image

_NAMES = [
    "a", "b", "cat", "dog", "A", "a b", " a", "a.png", "images", "data", "class train", "trains", "é", "e\u0301", "猫",
    "\U0001f600", "-rf", "~", "$(touch x)", "`id`", "%s", "{0}", "'", '"', "\\", "a\nb", "\x1b[31m", "\u202e", "\u200b",
    "a\u00a0b", "CON", "0", "010", "x" * 200, "_", "#",
]  # fmt: skip
_SUFFIXES = [".png", ".PNG", ".jpg", ".tiff", ".webp", ".Bmp", ".ppm"]
_SPLITS = [
    ("train", "test"), ("Train", "TEST"), ("training", "validation"), ("train", "val"), ("train2017", "val2017"),
    ("training_set", "test_set"), ("seg_train", "seg_test"), ("train-images", "testing"),
]  # fmt: skip
_HIDDEN = [".ipynb_checkpoints", ".hidden", "__MACOSX", "@eaDir", "lost+found"]


class Made:
    """A folder that is filled at random.

    Attributes:
        images: dict from (split or "", class) to a dict from the path below the class, a tuple of names, to a colour.
        refused: whether the data set must be refused.
        undecodable: whether it has a file that is no image, which streaming meets later.
    """

    def __init__(self, folder, rng):
        self.rng, self.images, self._colours = rng, {}, 0
        self.refused = self.undecodable = False
        self.place = folder
        for outer in rng.sample(["flowers", "download", "it's"], rng.choice([0, 0, 0, 1, 2])):
            self.place = self.place / outer
        splits = rng.choice(_SPLITS) if rng.random() < 0.5 else ("",)
        # Two names that differ in capitals alone are two folders here, and one elsewhere.
        classes = rng.sample(_NAMES, rng.choice([2, 2, 3, 5]))
        for split in splits:
            for name in classes:
                self.images[split, name] = {}
                for _ in range(rng.randint(1, 3) if split else rng.randint(5, 11)):
                    self.add(split, name, ())
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            rng.choice(_ODDITIES)(self)

    def folder_of(self, split, name):
        return self.place / split / name if split else self.place / name

    def next_colour(self):
        self._colours += 1
        return self._colours % 256, self._colours // 256, 7

    def add(self, split, name, inside):
        """An image of a colour of its own in a class, below folders of these names."""
        colour = self.next_colour()
        path = (*inside, f"{self.rng.choice(['', 'IMG ', 'ä'])}{colour[0]}{self.rng.choice(_SUFFIXES)}")
        self.images[split, name][path] = colour
        draw(self.folder_of(split, name).joinpath(*path), colour)

    def any_class(self):
        return self.rng.choice(sorted(self.images))

    def any_folder(self):
        """One whose loose files belong to no class or to one."""
        return self.rng.choice([self.place, self.folder_of(*self.any_class())])

    def expected(self):
        """dict from `train` and `test` to the set of (class, colour) of each."""
        found = {"train": set(), "test": set()}
        for (split, name), images in self.images.items():
            for position, path in enumerate(sorted(images)):
                is_test = split.lower().removeprefix("seg_").startswith(("test", "val")) if split else position % 5 == 4
                found["test" if is_test else "train"].add((name, images[path]))
        return found


def draw(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2), colour).save(path, "PNG")


def _hidden(made):
    path = made.any_folder() / made.rng.choice(_HIDDEN) / "0.png"
    draw(path, (1, 2, 3))
    (made.any_folder() / made.rng.choice([".DS_Store", "._0.png", "Thumbs.db", ".#lock"])).write_bytes(b"x")


def _hidden_link(made):
    (made.any_folder() / ".#lock").unlink(missing_ok=True)
    (made.any_folder() / ".#lock").symlink_to("nobody@nowhere")


def _other_files(made):
    for name in made.rng.sample(["README", "labels.csv", "0.heic", "0.png.txt", "x.npy", "Makefile"], 2):
        (made.any_folder() / name).write_bytes(b"x")


def _nested(made):
    made.add(*made.any_class(), tuple(made.rng.sample(["2020", "may", "more.png", "é"], made.rng.randint(1, 3))))


def _linked_image(made):
    """A link is an image too."""
    split, name = made.any_class()
    colour = made.next_colour()
    draw(made.place.parent / f".{colour[0]}.png", colour)
    made.images[split, name][(f"link{colour[0]}.png",)] = colour
    (made.folder_of(split, name) / f"link{colour[0]}.png").symlink_to(made.place.parent / f".{colour[0]}.png")


def _twice(made):
    """The same image once more."""
    split, name = made.any_class()
    path = made.rng.choice(sorted(made.images[split, name]))
    again = (*path[:-1], f"zz copy of {path[-1]}")
    if again not in made.images[split, name]:
        made.images[split, name][again] = made.images[split, name][path]
        draw(made.folder_of(split, name).joinpath(*again), made.images[split, name][path])


def _link_back(made):
    path = made.folder_of(*made.any_class()) / "back"
    if not path.is_symlink():
        path.symlink_to(made.place)


def _loose_image(made):
    """Outside of the classes: left out."""
    if any(split for split, _ in made.images):
        draw(made.place / "loose.png", (1, 2, 3))


def _empty_class(made):
    split, _ = made.any_class()
    made.folder_of(split, "empty").mkdir(exist_ok=True)
    made.refused = True


def _class_of_one_split(made):
    split, _ = made.any_class()
    draw(made.folder_of(split, "a class more") / "0.png", (1, 2, 3))
    made.refused = True  # without splits it has less than five images


def _file_for_a_class(made):
    """A file where a folder is expected, beside the classes or for all of one."""
    made.rng.choice([made.place / "dog.d", made.place / "cats"]).write_bytes(b"x")


def _dangling_link(made):
    name = made.rng.choice(["9.png", "cats", "x.txt"])
    path = made.any_folder() / name
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        path.symlink_to(made.rng.choice([made.place / "none", name, "/proc/none"]))
    made.refused = True


def _no_file(made):
    os.mkfifo(made.folder_of(*made.any_class()) / f"pipe{made.next_colour()[0]}.png")
    made.refused = True


def _no_image(made):
    split, name = made.any_class()
    (made.folder_of(split, name) / "0.gif.png").write_bytes(made.rng.choice([b"", b"<html>", b"\x89PNG\r\n\x1a\n"]))
    made.refused = made.undecodable = True


def _name_of_bytes(made):
    path = os.path.join(os.fsencode(made.folder_of(*made.any_class())), b"\xff.png")
    with open(path, "wb"):
        made.refused = True


_ODDITIES = [
    _hidden,
    _hidden_link,
    _other_files,
    _nested,
    _nested,
    _linked_image,
    _twice,
    _link_back,
    _loose_image,
    _empty_class,
    _class_of_one_split,
    _file_for_a_class,
    _dangling_link,
    _no_file,
    _no_image,
    _name_of_bytes,
]
