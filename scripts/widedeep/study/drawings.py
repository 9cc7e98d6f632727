"""Drawings: the jobs that draw figures, with their networks, the files that they read, and their programs.

A new figure needs a record in paper.py, an entry in DRAWINGS, a program, a caption and a test (CONTRIBUTING.md).
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from widedeep.names import Network, pair_name
from widedeep.paper import FIGURES
from widedeep.runtime.options import words
from widedeep.study import sections

# The class of the section at each key under `figures` in the config.
SECTIONS = {
    "A": sections.OneNetwork,
    "fig1": sections.Rows,
    "fig1-seeds": sections.AllSeeds,
    "fig2": sections.RowsByFraction,
    "fig3": sections.OneSeedAndAll,
    "fig4": sections.OneSeedAndAll,
    "fig5": sections.PairsOfSeeds,
    "fig6": sections.WideAndDeep,
    "G": sections.AllSeeds,
    "C": sections.PlainRows,
    "training": sections.AllSeeds,
}


@dataclass(frozen=True)
class Drawing:
    """A job that draws one figure or several.

    Attributes:
        key: section of the config that asks for it; None if it is always drawn.
        program: file name in scripts/.
        networks: function of the study that returns the list of names.Network to draw.
        files: dict from an option of the program to the name of the file that it takes of each network.
        others: function of the study that returns a dict of further files to read; `options` passes them.
        options: function of the study that returns further command-line arguments.
        outputs: dict from an option of the program to the names of the files that it writes; None stands for --out with
            the PDF, PNG and CSV of each figure of the rule.
        runs_network: whether it runs a network on the data set.
        reads_data: whether it reads the data set, which is passed as --data.
        also: top-level key of the config that must not be empty either; None for none.
    """

    key: str | None
    program: str
    networks: Callable
    files: dict
    others: Callable = lambda _study: {}
    options: Callable = lambda _study: ""
    outputs: dict | None = None
    runs_network: bool = False
    reads_data: bool = False
    also: str | None = None


def one_seed(key):
    """A function of the study that returns the networks with the seed that a section names."""
    return lambda study: [Network(shown, study.sections[key].seed) for shown in study.shown(key)]


def all_seeds(key):
    """A function of the study that returns the networks of all seeds of a section's configurations."""
    return lambda study: study.all_seeds(study.shown(key))


# A panel of a heatmap is (title of its row, sources, networks). Sources are paths, or FILE::GROUP for a pair of
# networks; the mean of their values is drawn. A panel without sources leaves its place empty.


def alone(study, row, network):
    """Panel of CKA within one network."""
    return row, [study.places.of_network(network, "cka.h5")], [network]


def row_panels(key, study):
    """Panels of the rows of a section, with one seed of each configuration."""
    rows = study.sections[key].shown(study.dataset.name)
    seed = study.sections[key].seed
    return [alone(study, row, Network(shown, seed)) for row in rows for shown in rows[row]]


def seed_panels(key, study):
    """Panels of all seeds, with a row for each configuration of a section."""
    return [alone(study, str(network.configuration), network) for network in all_seeds(key)(study)]


def pair_panels(key, most, study):
    """Panels of all pairs of configurations of a section, on and above the diagonal; below it they are left empty.

    Args:
        key: section of the config.
        most: number of pairs of seeds in a panel; None takes all.
        study: config.Study.
    """
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
    """The Drawing of heatmaps of CKA.

    Args:
        key: section of the config.
        panels: function of the study that returns a list of panels.
    """
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


def measured(study):
    """list of (name of a further measure, names.Network) within which the study computes it: those of figure 1."""
    networks = dict.fromkeys(one_seed("fig1")(study)) if study.measures else {}
    return [(measure, network) for measure in study.measures for network in networks]


def rows_of_measures(study):
    """Command-line arguments for the rows of figure 1 by each further measure."""
    section = study.sections["fig1"]
    words = [
        ["--row", row, measure, *(study.places.measure(Network(one, section.seed), measure) for one in shown)]
        for measure in study.measures
        for row, shown in section.shown(study.dataset.name).items()
    ]
    return " ".join(map(shlex.join, words))


def components(networks):
    """The Drawing of first components of the networks that a function of the study returns."""
    return Drawing(
        "fig3",
        "plot_components.py",
        networks,
        files={"cka": "cka.h5", "components": "pca.h5", "metrics": "metrics.json"},
    )


def residual_blocks(networks, *tables):
    """The Drawing of what each residual block adds.

    Args:
        networks: function of the study.
        tables: `probes`, `deletion` or both.
    """
    return Drawing(
        "fig4",
        "plot_residual_blocks.py",
        networks,
        files={"cka": "cka.h5", "metrics": "metrics.json"} | {table: f"{table}.csv" for table in tables},
    )


def compared(study):
    """The configurations of figure 6: the two that the config names, or all among which the program chooses two.

    They are sorted, so that the order of the grid does not decide between two equally close pairs.
    """
    named = study.shown("fig6")
    several = [c for c, seeds in study.configurations.items() if c.family != "plain" and len(seeds) > 1]
    return sorted(named or several, key=str)


# By rule; the record of each figure (paper.py) names its rule.
DRAWINGS = {
    "cka_by_depth_and_width": heatmaps("fig1", partial(row_panels, "fig1")),
    "measures_by_depth_and_width": Drawing(
        "fig1",
        "plot_measures.py",
        networks=lambda study: list(dict.fromkeys(one_seed("fig1")(study))),
        files={"metrics": "metrics.json"},
        others=lambda study: {"similarities": [study.places.measure(one, name) for name, one in measured(study)]},
        options=rows_of_measures,
        also="measures",
    ),
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
        reads_data=True,
    ),
    "prediction_agreement": Drawing(
        "G",
        "compare_predictions.py",
        networks=all_seeds("G"),
        files={"predictions": "predictions.h5", "metrics": "metrics.json"},
        outputs={"out": [f"G.{end}" for end in ("pdf", "png", "csv")], "pairs": ["G-pairs.csv"]},
    ),
    "training_curves": Drawing(
        "training",
        "plot_training.py",
        networks=all_seeds("training"),
        files={"history": "history.csv", "metrics": "metrics.json"},
    ),
    "cka_convergence": Drawing(
        "A",
        "converge_cka.py",
        networks=one_seed("A"),
        files={"weights": "model.safetensors", "metrics": "metrics.json"},
        options=lambda study: words(study.sections["A"], without=("model", "seed")),
        runs_network=True,
        reads_data=True,
    ),
    "accuracy_table": Drawing(
        None,
        "tabulate_accuracy.py",
        networks=lambda study: study.networks,
        files={"metrics": "metrics.json"},
        # Published accuracies are of images in full size.
        options=lambda study: "" if study.dataset.image_size else "--published",
        outputs={"out": [f"B.{end}" for end in ("pdf", "png", "csv", "md")]},
    ),
}


def drawings_of(study):
    """dict from rule to Drawing for all drawings of a study, in the order of the paper's figures."""
    order = dict.fromkeys(figure.rule for figure in FIGURES.values())
    return {
        rule: drawing
        for rule in order
        if (drawing := DRAWINGS[rule]).key in {None, *study.sections}
        and (drawing.also is None or getattr(study, drawing.also))
    }


def outputs_of(rule):
    """dict from an option of a drawing's program to the names of the files that it writes, in `figures/`.

    Args:
        rule: key of DRAWINGS.
    """
    if DRAWINGS[rule].outputs:
        return DRAWINGS[rule].outputs
    return {
        "out": [
            f"{figure.id}.{end}" for figure in FIGURES.values() if figure.rule == rule for end in ("pdf", "png", "csv")
        ]
    }
