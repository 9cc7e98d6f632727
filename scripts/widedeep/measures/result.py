"""Similarity between the layers of two networks by one measure or several: a table, a picture, a file."""

import html
import json
import os
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from widedeep.measures.cka import Similarity
from widedeep.networks.layers import LayerOutput
from widedeep.runtime import files
from widedeep.runtime.errors import MayBeWhole, UserError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_KIND = "widedeep layer similarity"
_DAMAGED = (zipfile.BadZipFile, zlib.error)
# Most layers whose names are written at the axes.
_NAMED = 40


@dataclass(frozen=True, eq=False)
class LayerSimilarity:
    """Similarity between all chosen layers of a network, or of two.

    Attributes:
        measures: dict from the name of a measure to its cka.Similarity.
        first, second: lists of layers.LayerOutput, in the order in which they ran.
        left_out, left_out_second: dicts from the name of a module to the reason why its output is no layer.
        minibatches, batch_size: number of the minibatches, and of the examples in each.
        dropped: examples of an incomplete last minibatch, which take no part.
    """

    measures: dict[str, Similarity]
    first: list[LayerOutput]
    second: list[LayerOutput]
    left_out: dict[str, str]
    left_out_second: dict[str, str]
    minibatches: int
    batch_size: int
    dropped: int = field(default=0)

    @property
    def values(self) -> np.ndarray:
        """(layers of first, layers of second) values of the first measure, NaN where undefined."""
        return next(iter(self.measures.values())).values

    @property
    def names_first(self) -> list[str]:
        """Names of the layers of the first network."""
        return [layer.name for layer in self.first]

    @property
    def names_second(self) -> list[str]:
        """Names of the layers of the second network."""
        return [layer.name for layer in self.second]

    def to_frame(self, measure: str | None = None) -> "pd.DataFrame":
        """Return a pandas DataFrame.

        Args:
            measure: name of a measure, whose values form a matrix with the names of the layers; None: a row for each
                pair of layers, and a column for each measure.
        """
        import pandas as pd

        if measure is not None:
            return pd.DataFrame(self._of(measure).values, self.names_first, self.names_second)
        pairs = pd.MultiIndex.from_product([self.names_first, self.names_second], names=["first", "second"])
        columns = {name: found.values.ravel() for name, found in self.measures.items()}
        return pd.DataFrame(columns, pairs).reset_index()

    def plot(self, measure: str | None = None, ax: "Axes | None" = None) -> "Axes":
        """Draw a heatmap; undefined values are hatched.

        Args:
            measure: name of a measure; None: the first one.
            ax: matplotlib Axes to draw in; None makes a figure.

        Returns:
            matplotlib Axes
        """
        import matplotlib.pyplot as plt

        measure = measure or next(iter(self.measures))
        values = self._of(measure).values
        if ax is None:
            side = np.clip(0.18 * max(values.shape), 4, 9)
            _, ax = plt.subplots(figsize=(side + 1, side), layout="constrained")
        ax.set_facecolor("0.9")
        ax.patch.set(hatch="////", edgecolor="0.5")
        image = ax.imshow(values, cmap="magma", vmin=0, vmax=1, origin="lower", interpolation="none")
        ax.figure.colorbar(image, ax=ax, label=f"{measure}, {self._of_what()}")
        for axis, layers in ((ax.yaxis, self.first), (ax.xaxis, self.second)):
            axis.set_label_text("layer")
            if len(layers) <= _NAMED:
                axis.set_ticks(range(len(layers)), [layer.name for layer in layers], fontsize=6)
        ax.tick_params(axis="x", rotation=90 if len(self.second) <= _NAMED else 0)
        return ax

    def save(self, path: str | os.PathLike) -> None:
        """Write a .npz file, which `load` reads; it appears whole or not at all.

        Raises:
            UserError: the file cannot be written.
        """
        said = {
            "kind": _KIND,
            "first": [asdict(layer) for layer in self.first],
            "second": [asdict(layer) for layer in self.second],
            "left_out": self.left_out,
            "left_out_second": self.left_out_second,
            "minibatches": self.minibatches,
            "batch_size": self.batch_size,
            "dropped": self.dropped,
            "undefined": {name: [one.undefined_first, one.undefined_second] for name, one in self.measures.items()},
        }
        arrays = {f"values/{name}": found.values for name, found in self.measures.items()}
        if os.path.isdir(path):
            raise UserError(f"{path}: is a folder; name a file.")
        with files.replacing(path) as unfinished, open(unfinished, "wb") as file:
            np.savez_compressed(file, said=np.array(json.dumps(said)), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "LayerSimilarity":
        """Read a file that `save` wrote.

        Raises:
            UserError: the file is missing, or none that `save` wrote.
            MayBeWhole: it does not fit into the free memory.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                said = json.loads(str(file["said"]))
                if said["kind"] != _KIND:
                    raise ValueError(said["kind"])
                values = {name: file[f"values/{name}"] for name in said["undefined"]}
            measures = {
                name: Similarity(values[name], *undefined, said["minibatches"])
                for name, undefined in said["undefined"].items()
            }
            first, second = (
                [LayerOutput(layer["name"], layer["kind"], tuple(layer["shape"])) for layer in said[side]]
                for side in ("first", "second")
            )
            if any(found.shape != (len(first), len(second)) or found.dtype != float for found in values.values()):
                raise ValueError("values of another shape or type")
            sizes = said["minibatches"], said["batch_size"], said["dropped"]
            return cls(measures, first, second, said["left_out"], said["left_out_second"], *sizes)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}.") from error
        except MemoryError:
            raise MayBeWhole(f"{path}: does not fit into the free memory; read it where more is free.") from None
        # What zipfile, zlib and numpy raise on other files and on damaged ones.
        except (ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError, *_DAMAGED) as error:
            raise UserError(
                f"{path}: is no file that LayerSimilarity.save wrote; compute the similarity again."
            ) from error

    def _of(self, measure):
        if measure not in self.measures:
            raise UserError(f"measure '{measure}' was not computed; there are {', '.join(self.measures)}.")
        return self.measures[measure]

    def _left_out(self):
        """What was left out of each network; once where both are the same."""
        return [self.left_out] + [self.left_out_second] * (self.left_out_second != self.left_out)

    def _of_what(self):
        return f"{self.minibatches} minibatch{'es' * (self.minibatches != 1)} of {self.batch_size} examples"

    def __repr__(self) -> str:
        layers = " x ".join(str(len(side)) for side in (self.first, self.second))
        left_out = sum(len(one) for one in self._left_out())
        return f"LayerSimilarity({', '.join(self.measures)}: {layers} layers, {self._of_what()}, {left_out} left out)"

    def _repr_html_(self) -> str:
        """What a notebook shows: what was measured, and what was left out and why."""
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(reason)}</td></tr>"
            for network in self._left_out()
            for name, reason in network.items()
        )
        left_out = f"<details><summary>left out, and why</summary><table>{rows}</table></details>" if rows else ""
        return f"<p>{html.escape(repr(self))}</p>{left_out}"
