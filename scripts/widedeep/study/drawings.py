"""The jobs that draw: which figures each makes, of which networks, from which files, by which program.

A new figure is a record in paper.py, an entry here, a program, a caption and a test (CONTRIBUTING.md).
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from widedeep.names import Network, pair_name
from widedeep.paper import FIGURES
from widedeep.runtime.options import words
from widedeep.study import sections

# The section of the config that each key under `figures` has.
SECTIONS = {
    "A": sections.OneModel,
    "fig1": sections.Rows,
    "fig1-seeds": sections.Models,
    "fig2": sections.RowsByFraction,
    "fig3": sections.ModelsOfOneSeed,
    "fig4": sections.ModelsOfOneSeed,
    "fig5": sections.PairedModels,
    "fig6": sections.WideAndDeep,
    "G": sections.Models,
    "C": sections.PlainRows,
}


@dataclass(frozen=True)
class Drawing:
    """A job that draws one figure or several.

    Attributes:
        key: of the section of the config that asks for it; None for one that is always drawn.
        program: in scripts/.
        networks: function of the study that returns the networks that are drawn.
        files: the files of these networks that the program is given: dict from its option to their name.
        others: function of the study that returns the files that it reads besides, by name; `options` names them.
        options: function of the study that returns further words of the command line.
        outputs: dict from an option of the program to the names of the files that it writes; without it, --out with the
            PDF, PNG and CSV of the figure.
        runs_network: whether it runs a network on the data set, given as --data.
        shows_images: whether it reads the data set, given as --data.
    """

    key: str | None
    program: str
    networks: Callable
    files: dict
    others: Callable = lambda study: {}
    options: Callable = lambda study: ""
    outputs: dict | None = None
    runs_network: bool = False
    shows_images: bool = False


def one_seed(key):
    """A function of the study: the networks with the seed that a section names."""
    return lambda study: [Network(shown, study.sections[key].seed) for shown in study.shown(key)]


def all_seeds(key):
    """A function of the study: the networks of all seeds of a section's configurations."""
    return lambda study: study.all_seeds(study.shown(key))


# A panel of a heatmap: the row that it stands in, the sources of its values (paths, and FILE::GROUP for a pair of
# networks), of which the mean is drawn, and the networks in it. One without sources leaves its place empty.


def alone(study, row, network):
    """The panel of a network with itself."""
    return row, [study.places.of_network(network, "cka.h5")], [network]


def row_panels(key, study):
    """Rows of configurations, one seed of each."""
    rows = study.sections[key].shown(study.dataset.name)
    seed = study.sections[key].seed
    return [alone(study, row, Network(shown, seed)) for row in rows for shown in rows[row]]


def seed_panels(key, study):
    """A row a configuration, of all its seeds."""
    return [alone(study, str(network.configuration), network) for network in all_seeds(key)(study)]


def pair_panels(key, most, study):
    """The matrix of configurations above its diagonal; below it would stand the same, transposed."""
    shown = study.shown(key)
    return [
        (str(first), *(_pairs(study, first, second, most) if row <= column else ([], [])))
        for row, first in enumerate(shown)
        for column, second in enumerate(shown)
    ]


def _pairs(study, first, second, most):
    pairs = study.seed_pairs(first, second)[:most]
    sources = [f"{study.places.pairs(first, second, max(a, b))}::{pair_name(a, b)}" for a, b in pairs]
    return sources, [network for a, b in pairs for network in (Network(first, a), Network(second, b))]


def heatmaps(key, panels):
    """The Drawing of the panels that a function of the study returns."""
    return Drawing(
        key,
        "plot_heatmaps.py",
        networks=lambda study: list(dict.fromkeys(network for *_, networks in panels(study) for network in networks)),
        files={"metrics": "metrics.json"},
        others=lambda study: {
            "similarities": list(
                dict.fromkeys(source.split("::")[0] for _, found, _ in panels(study) for source in found)
            )
        },
        options=lambda study: " ".join(shlex.join(["--panel", row, *found]) for row, found, _ in panels(study)),
    )


def components(networks):
    """The Drawing of first components of some networks."""
    return Drawing(
        "fig3",
        "plot_components.py",
        networks,
        files={"cka": "cka.h5", "components": "pca.h5", "metrics": "metrics.json"},
    )


def residual_blocks(networks, *tables):
    """The Drawing of what residual blocks add, from the tables `probes`, `deletion` or both."""
    return Drawing(
        "fig4",
        "plot_blocks.py",
        networks,
        files={"cka": "cka.h5", "components": "pca.h5", "metrics": "metrics.json"}
        | {table: f"{table}.csv" for table in tables},
    )


def compared(study):
    """The configurations of figure 6: the wide and the deep one that the config names, or all of which two are chosen.

    Sorted, so that the order of the grid cannot decide between two pairs that are equally close.
    """
    named = study.shown("fig6")
    several = [c for c, seeds in study.configurations.items() if c.family != "plain" and len(seeds) > 1]
    return sorted(named or several, key=str)


def one_model(study):
    """The network of appendix A."""
    (configuration,) = study.shown("A")
    return [Network(configuration, study.sections["A"].seed)]


# By the rule that draws; figures belong to a rule by their records.
DRAWINGS = {
    "cka_by_depth_and_width": heatmaps("fig1", partial(row_panels, "fig1")),
    "cka_by_seed": heatmaps("fig1-seeds", partial(seed_panels, "fig1-seeds")),
    "cka_by_share_of_data": heatmaps("fig2", partial(row_panels, "fig2")),
    "cka_without_residuals": heatmaps("C", partial(row_panels, "C")),
    "cka_between_networks": heatmaps("fig5", partial(pair_panels, "fig5", 1)),
    "cka_between_networks_mean": heatmaps("fig5", partial(pair_panels, "fig5", None)),
    "first_components": components(one_seed("fig3")),
    "first_components_by_seed": components(all_seeds("fig3")),
    "linear_probes": residual_blocks(one_seed("fig4"), "probes"),
    "deleted_blocks": residual_blocks(one_seed("fig4"), "deletion"),
    "probes_and_deletion_by_seed": residual_blocks(all_seeds("fig4"), "probes", "deletion"),
    "wide_against_deep": Drawing(
        "fig6",
        "compare_examples.py",
        networks=lambda study: study.all_seeds(compared(study)),
        files={"predictions": "predictions.h5", "metrics": "metrics.json"},
        outputs={
            "examples": [f"fig6-examples.{end}" for end in ("pdf", "png", "csv")],
            "classes": [f"fig6-classes.{end}" for end in ("pdf", "png", "csv")],
            "summary": ["fig6.csv"],
        },
        shows_images=True,
    ),
    "prediction_agreement": Drawing(
        "G",
        "compare_predictions.py",
        networks=all_seeds("G"),
        files={"predictions": "predictions.h5", "metrics": "metrics.json"},
    ),
    "cka_convergence": Drawing(
        "A",
        "converge_cka.py",
        networks=one_model,
        files={"weights": "model.safetensors", "metrics": "metrics.json"},
        options=lambda study: words(study.sections["A"], without=("model", "seed")),
        runs_network=True,
        shows_images=True,
    ),
    "accuracy_table": Drawing(
        None,
        "tabulate_accuracy.py",
        networks=lambda study: study.networks,
        files={"metrics": "metrics.json"},
        # Others published accuracies on whole images.
        options=lambda study: "" if study.dataset.image_size else "--published",
        outputs={"out": [f"B.{end}" for end in ("pdf", "png", "csv", "md")]},
    ),
}


def drawings_of(study):
    """dict from rule to Drawing of those that a study asks for, in the order of the paper's results."""
    order = dict.fromkeys(figure.rule for figure in FIGURES.values())
    return {rule: DRAWINGS[rule] for rule in order if DRAWINGS[rule].key in {None, *study.sections}}


def outputs_of(rule):
    """dict from an option of a drawing's program to the names of the files that it writes."""
    if DRAWINGS[rule].outputs:
        return DRAWINGS[rule].outputs
    return {
        "out": [
            f"{figure.id}.{end}" for figure in FIGURES.values() if figure.rule == rule for end in ("pdf", "png", "csv")
        ]
    }
