"""Sections of a config that name networks: the entries of the grid, and the networks that each figure shows.

Each section of a figure has two methods. `shown` returns the configurations that it names. `part` returns the same
section for a study of fewer networks (subset.py), or None where nothing is left to show.
"""

import itertools
from typing import Annotated

from pydantic import Field, model_validator

from widedeep.analysis.convergence_options import ConvergenceOptions
from widedeep.names import DEEPEST, WIDEST, Configuration
from widedeep.runtime.options import Options, unique

# No digits: the depth follows the family's name.
FAMILY = r"^[a-z]+(_[a-z]+)*$"


Depth = Annotated[int, Field(ge=1, le=DEEPEST)]
# torch corrupts memory in trainings of fewer than 8 channels, which a width of 0.5 has.
Width = Annotated[float, Field(ge=0.5, le=WIDEST)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=1_000_000_000)]
FamilyName = Annotated[str, Field(pattern=FAMILY, max_length=100)]
OneSeed = Annotated[Seed, Field(description="Seed of the networks that are shown.")]


class GridEntry(Options):
    """Networks to train: the product of the lists of depths, widths, fractions and seeds."""

    family: FamilyName = Field(
        "resnet",
        description="resnet, plain (the same without residual connections), bottleneck or stagethree (for ImageNet), "
        "or the name of your own file in scripts/families/: letters a to z with single underscores between them, and "
        "no digits, since the depth follows the name.",
    )
    depths: unique(Depth) = Field(description="Layers with weights; 6n + 2 for resnet and plain.")
    widths: unique(Width) = Field(
        description="Width multipliers of the 16, 32 and 64 filters. torch corrupts memory in trainings of fewer than "
        "8 channels."
    )
    fractions: unique(Fraction) = Field([1], description="Shares of the training set; 0.06 is its first 6 %.")
    seeds: unique(Seed) = Field(
        description="Seeds of initial weights, order of examples and augmentation. Each seed is a network."
    )


class Shown(Options):
    """A configuration of the grid."""

    family: FamilyName = Field("resnet", description="Family of the configuration.")
    depth: Depth = Field(description="Layers with weights.")
    width: Width = Field(description="Width multiplier.")
    fraction: Fraction = Field(1, description="Share of the training set.")

    def of(self, dataset):
        """The names.Configuration of this entry on the data set `dataset`, a name."""
        return Configuration(dataset, self.family, self.depth, self.width, self.fraction)

    @classmethod
    def like(cls, configuration):
        """The entry of a names.Configuration."""
        of = configuration
        return cls(family=of.family, depth=of.depth, width=of.width, fraction=of.fraction)


Configurations = Annotated[list[Shown], Field(min_length=1, description="Configurations of the grid.")]


class DepthRow(Options):
    """A row of networks of several depths at one width."""

    depths: list[Depth] = Field(min_length=1, description="Depths from left to right.")
    width: Width = Field(description="Width multiplier of all of them.")
    fraction: Fraction = Field(1, description="Share of the training set.")

    @property
    def sizes(self):
        """list of (depth, width) of the networks."""
        return [(depth, self.width) for depth in self.depths]


class WidthRow(Options):
    """A row of networks of several widths at one depth."""

    depth: Depth = Field(description="Depth of all of them.")
    widths: list[Width] = Field(min_length=1, description="Width multipliers from left to right.")
    fraction: Fraction = Field(1, description="Share of the training set.")

    @property
    def sizes(self):
        """list of (depth, width) of the networks."""
        return [(self.depth, width) for width in self.widths]


class Rows(Options):
    """CKA within networks: a row of depths and a row of widths, of which one may be left out."""

    depth_row: DepthRow | None = Field(None, description="Networks of several depths at one width.")
    width_row: WidthRow | None = Field(None, description="Networks of several widths at one depth.")
    family: FamilyName = Field("resnet", description="Family of the networks.")
    seed: OneSeed

    @model_validator(mode="after")
    def _has_a_row(self):
        if not self.rows:
            raise ValueError("has neither depth_row nor width_row")
        return self

    @property
    def rows(self):
        """dict from `depth_row` and `width_row` to the row, without the one that is left out."""
        return {key: row for key in ("depth_row", "width_row") if (row := getattr(self, key))}

    def _configurations(self, row, dataset, fraction):
        return [Configuration(dataset, self.family, depth, width, fraction) for depth, width in row.sizes]

    def shown(self, dataset):
        """dict from the key of each row to its configurations, in the order of the row."""
        return {key: self._configurations(row, dataset, row.fraction) for key, row in self.rows.items()}

    def part(self, dataset, seeds):
        """The rows of a study of fewer networks.

        A row keeps the sizes that are there. Where fewer than two are left, it shows other sizes that are there.

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
                # The depth with most widths; the smallest of several.
                depth = min(by_depth, key=lambda depth: (-len(by_depth[depth]), depth), default=None)
                widths = sorted(by_depth.get(depth, []))
            kept["width_row"] = widths and row.model_copy(update={"depth": depth, "widths": widths})
        return self.model_copy(update=kept) if all(kept.values()) else None


class PlainRows(Rows):
    """CKA within networks without residual connections, in the rows of figure 1."""

    family: FamilyName = Field("plain", description="Family of the networks.")


class RowsByFraction(Rows):
    """CKA within networks trained on several shares of the training set, a row a share."""

    fractions: unique(Fraction) = Field(
        description="Shares of the training set from top to bottom; they replace the fraction of each row."
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
        # A comparison of shares needs all of them; one share alone is figure 1.
        there = with_seed(self, seeds)
        return self if all(c in there for row in self.shown(dataset).values() for c in row) else None


class AllSeeds(Options):
    """Configurations of which all seeds are shown."""

    models: Configurations

    def shown(self, dataset):
        return {"models": [entry.of(dataset) for entry in self.models]}

    def part(self, dataset, seeds):
        """The list of a study of fewer networks; the arguments are those of Rows.part.

        A missing configuration is replaced by the largest one that is neither deeper nor wider, if there is one.
        """
        there = with_seed(self, seeds)
        found = [_stand_in(configuration, there) for configuration in self.shown(dataset)["models"]]
        found = [Shown.like(configuration) for configuration in dict.fromkeys(found) if configuration is not None]
        return self.model_copy(update={"models": found}) if found else None


class PairsOfSeeds(AllSeeds):
    """Configurations whose networks are compared with each other; each needs two seeds or more."""

    def part(self, dataset, seeds):
        return super().part(dataset, {c: known for c, known in seeds.items() if len(known) > 1})


class OneSeedAndAll(AllSeeds):
    """Configurations of which one figure shows one seed, and another figure all seeds."""

    seed: OneSeed


class OneNetwork(ConvergenceOptions):
    """The network whose CKA is computed with several batch sizes and numbers of minibatches."""

    model: Shown = Field(description="The configuration of the network.")
    seed: OneSeed

    def shown(self, dataset):
        return {"model": [self.model.of(dataset)]}

    def part(self, dataset, seeds):
        found = _stand_in(self.model.of(dataset), with_seed(self, seeds))
        return self.model_copy(update={"model": Shown.like(found)}) if found else None


class WideAndDeep(Options):
    """A wide and a deep configuration to compare; without them, the two of the grid closest in mean accuracy."""

    wide: Shown | None = Field(None, description="The wider configuration.")
    deep: Shown | None = Field(None, description="The deeper configuration.")

    @model_validator(mode="after")
    def _has_both(self):
        if (self.wide is None) != (self.deep is None):
            raise ValueError("has one of wide and deep without the other")
        return self

    def shown(self, dataset):
        return {"": [entry.of(dataset) for entry in (self.wide, self.deep) if entry]}

    def part(self, dataset, seeds):
        """The pair if both have two seeds, else an open choice if some pair can be compared, else None."""
        several = {configuration for configuration, known in seeds.items() if len(known) > 1}
        if self.wide and several.issuperset(self.shown(dataset)[""]):
            return self
        return WideAndDeep() if comparable(c for c in several if c.family != "plain") else None


def comparable(configurations):
    """Whether some configuration is wider, and another one deeper, on the same share of the data."""
    pairs = itertools.permutations(configurations, 2)
    return any(a.width > b.width and a.depth < b.depth and a.fraction == b.fraction for a, b in pairs)


def with_seed(section, seeds):
    """The configurations that have the seed that a section shows; all of them if it shows no single seed.

    Args:
        section: section of a figure.
        seeds: dict from configurations to sets of seeds.
    """
    seed = getattr(section, "seed", None)
    return {configuration for configuration, known in seeds.items() if seed is None or seed in known}


def _stand_in(configuration, there):
    """The configuration, or in its place the deepest, then widest one that is neither deeper nor wider.

    Args:
        configuration: names.Configuration.
        there: the configurations that are there.

    Returns:
        names.Configuration; None if there is none of its family and fraction.
    """
    smaller = [
        other
        for other in there
        if (other.family, other.fraction) == (configuration.family, configuration.fraction)
        and other.depth <= configuration.depth
        and other.width <= configuration.width
    ]
    return max(smaller, key=lambda other: (other.depth, other.width), default=None)
