"""The sections of a config that name networks: entries of the grid, and what each figure shows.

A section of a figure knows its configurations by the part of it that names them (`shown`), and what is left of it in a
study of fewer networks (`part`).
"""

import itertools
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from widedeep.names import Configuration
from widedeep.runtime.options import Options

# No digits: the depth follows the family's name.
FAMILY = r"^[a-z]+(_[a-z]+)*$"


def _each_once(values):
    if len({*values}) < len(values):
        raise ValueError("holds an item twice")
    return values


def unique(kind):
    """The type of a list of at least one item, each once."""
    return Annotated[
        list[kind], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_each_once)
    ]


Depth = Annotated[int, Field(ge=1, le=10_000)]
# torch corrupts memory in trainings of fewer than 8 channels, which a width of 0.5 has.
Width = Annotated[float, Field(ge=0.5, le=1000)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=1_000_000_000)]
FamilyName = Annotated[str, Field(pattern=FAMILY, max_length=100)]
OneSeed = Annotated[int, Field(description="Which seed of each network is shown.")]


class GridEntry(Options):
    """Networks to train: the product of the lists."""

    family: FamilyName = Field(
        "resnet",
        description="resnet, plain (the same without residual connections), bottleneck or stagethree (for ImageNet), or a "
        "file of one's own in scripts/families/, named in letters a to z and single underscores between them; no digits, "
        "since the depth follows the name.",
    )
    depths: unique(Depth) = Field(description="Layers with weights; of resnet and plain each 6n + 2.")
    widths: unique(Width) = Field(
        description="Width multipliers of the filters 16, 32, 64; torch corrupts memory in trainings of fewer than 8 "
        "channels."
    )
    fractions: unique(Fraction) = Field([1], description="Shares of the training set; 0.06 is its first 6 %.")
    seeds: unique(Seed) = Field(
        description="Seeds of initial weights, order of examples and augmentation; one network each."
    )


class Shown(Options):
    """A configuration of the grid."""

    family: FamilyName = Field("resnet", description="One of those in the grid.")
    depth: int = Field(description="Layers with weights.")
    width: float = Field(description="Width multiplier.")
    fraction: float = Field(1, description="Share of the training set.")

    def of(self, dataset):
        """The names.Configuration on a data set of this name."""
        return Configuration(dataset, self.family, self.depth, self.width, self.fraction)

    @classmethod
    def like(cls, configuration):
        """The entry that names a configuration."""
        of = configuration
        return cls(family=of.family, depth=of.depth, width=of.width, fraction=of.fraction)


Configurations = Annotated[list[Shown], Field(min_length=1, description="Configurations of the grid.")]


class DepthRow(Options):
    """Networks of these depths at one width."""

    depths: list[int] = Field(min_length=1, description="Depths from left to right.")
    width: float = Field(description="Their width multiplier.")
    fraction: float = Field(1, description="Share of the training set.")

    @property
    def sizes(self):
        """(depth, width) of each."""
        return [(depth, self.width) for depth in self.depths]


class WidthRow(Options):
    """Networks of these widths at one depth."""

    depth: int = Field(description="Their depth.")
    widths: list[float] = Field(min_length=1, description="Width multipliers from left to right.")
    fraction: float = Field(1, description="Share of the training set.")

    @property
    def sizes(self):
        """(depth, width) of each."""
        return [(self.depth, width) for width in self.widths]


class Rows(Options):
    """A row of depths and a row of widths; one of the two may be left out."""

    depth_row: DepthRow | None = Field(None, description="Networks of several depths at one width.")
    width_row: WidthRow | None = Field(None, description="Networks of several widths at one depth.")
    family: FamilyName = Field("resnet", description="Which family is shown.")
    seed: OneSeed

    @model_validator(mode="after")
    def _has_a_row(self):
        if not self.rows:
            raise ValueError("has neither depth_row nor width_row")
        return self

    @property
    def rows(self):
        """dict of the rows that there are by their keys."""
        return {key: row for key in ("depth_row", "width_row") if (row := getattr(self, key))}

    def _configurations(self, row, dataset, fraction):
        return [Configuration(dataset, self.family, depth, width, fraction) for depth, width in row.sizes]

    def shown(self, dataset):
        """The configurations of each row: dict from its key to a list."""
        return {key: self._configurations(row, dataset, row.fraction) for key, row in self.rows.items()}

    def part(self, dataset, seeds):
        """The rows with the sizes that are there; a row left with fewer than two gets others that are there.

        Args:
            dataset: name of the data set.
            seeds: dict from the configurations that are there to their sets of seeds.

        Returns:
            Rows; None if nothing is left.
        """
        there = with_seed(self, seeds)
        kept = {}
        if self.depth_row:
            row = self.depth_row
            depths = [c.depth for c in self.shown(dataset)["depth_row"] if c in there]
            if len(depths) < 2:
                alike = (self.family, row.width, row.fraction)
                depths = sorted(c.depth for c in there if (c.family, c.width, c.fraction) == alike)
            kept["depth_row"] = depths and row.model_copy(update={"depths": depths})
        if self.width_row:
            row = self.width_row
            depth, widths = row.depth, [c.width for c in self.shown(dataset)["width_row"] if c in there]
            if len(widths) < 2:
                by_depth = {}
                for other in there:
                    if (other.family, other.fraction) == (self.family, row.fraction):
                        by_depth.setdefault(other.depth, []).append(other.width)
                # The depth with most widths, and of several the least.
                depth = min(by_depth, key=lambda depth: (-len(by_depth[depth]), depth), default=None)
                widths = sorted(by_depth.get(depth, []))
            kept["width_row"] = widths and row.model_copy(update={"depth": depth, "widths": widths})
        return self.model_copy(update=kept) if all(kept.values()) else None


class PlainRows(Rows):
    """Figure 1 for the family plain, without residual connections."""

    family: FamilyName = Field("plain", description="Which family is shown.")


class RowsByFraction(Rows):
    """Figure 1's networks on several shares of the training set, a row a share."""

    fractions: unique(float) = Field(
        description="Shares of the training set from top to bottom; they take the place of the rows' own."
    )

    def shown(self, dataset):
        return {
            f"fraction {fraction:g}": list(
                dict.fromkeys(
                    configuration
                    for row in self.rows.values()
                    for configuration in self._configurations(row, dataset, fraction)
                )
            )
            for fraction in self.fractions
        }

    def part(self, dataset, seeds):
        # A comparison of shares of the data: one of them alone is figure 1.
        there = with_seed(self, seeds)
        return self if all(c in there for row in self.shown(dataset).values() for c in row) else None


class Models(Options):
    """A list of configurations, of which all seeds are shown."""

    models: Configurations

    def shown(self, dataset):
        return {"models": [entry.of(dataset) for entry in self.models]}

    def part(self, dataset, seeds):
        """The configurations that are there, and in place of a missing one the largest in neither depth nor width
        larger; see Rows.part."""
        there = with_seed(self, seeds)
        found = [_stand_in(configuration, there) for configuration in self.shown(dataset)["models"]]
        found = [Shown.like(configuration) for configuration in dict.fromkeys(found) if configuration is not None]
        return self.model_copy(update={"models": found}) if found else None


class PairedModels(Models):
    """CKA between networks that differ in seed or architecture; each configuration has two seeds or more."""

    def part(self, dataset, seeds):
        return super().part(dataset, {c: known for c, known in seeds.items() if len(known) > 1})


class ModelsOfOneSeed(Models):
    """A list of configurations, of which one figure shows one seed, and another one all of them."""

    seed: OneSeed


class OneModel(Options):
    """CKA of one network by number of minibatches and batch size."""

    model: Shown = Field(description="The configuration of the network.")
    seed: int = Field(description="Which seed of the network is shown.")
    batch_sizes: unique(Annotated[int, Field(ge=4)]) = Field([16, 64, 256], description="Examples a minibatch.")
    examples: int = Field(
        2048,
        ge=4,
        le=1_000_000,
        description="The first so many of the test set are gone through; their Gram matrices are held in memory.",
    )
    passes: int = Field(10, ge=1, le=10_000, description="How often these examples are gone through.")

    def shown(self, dataset):
        return {"model": [self.model.of(dataset)]}

    def part(self, dataset, seeds):
        found = _stand_in(self.model.of(dataset), with_seed(self, seeds))
        return self.model_copy(update={"model": Shown.like(found)}) if found else None


class WideAndDeep(Options):
    """A wide and a deep configuration that are compared; without them those of closest mean accuracy of the grid."""

    wide: Shown | None = Field(None, description="The wider one.")
    deep: Shown | None = Field(None, description="The deeper one.")

    @model_validator(mode="after")
    def _has_both(self):
        if (self.wide is None) != (self.deep is None):
            raise ValueError("has one of wide and deep without the other")
        return self

    def shown(self, dataset):
        return {"": [entry.of(dataset) for entry in (self.wide, self.deep) if entry]}

    def part(self, dataset, seeds):
        """The pair if it has two seeds each, else any pair that may be compared; None if there is none."""
        several = {configuration for configuration, known in seeds.items() if len(known) > 1}
        if self.wide and several.issuperset(self.shown(dataset)[""]):
            return self
        return WideAndDeep() if comparable(c for c in several if c.family != "plain") else None


def comparable(configurations):
    """Whether of some configurations one is wider and another deeper, on one share of the data."""
    pairs = itertools.permutations(configurations, 2)
    return any(a.width > b.width and a.depth < b.depth and a.fraction == b.fraction for a, b in pairs)


def with_seed(section, seeds):
    """Of a dict from configurations to sets of seeds, those that have the seed that a section shows, if it shows one."""
    seed = getattr(section, "seed", None)
    return {configuration for configuration, known in seeds.items() if seed is None or seed in known}


def _stand_in(configuration, there):
    """The configuration itself, or the deepest, then widest that is there and in neither larger; None if none is."""
    smaller = [
        other
        for other in there
        if (other.family, other.fraction) == (configuration.family, configuration.fraction)
        and other.depth <= configuration.depth
        and other.width <= configuration.width
    ]
    return max(smaller, key=lambda other: (other.depth, other.width), default=None)
