"""What a user may change in a config, and which jobs must run after it: the tables of test_rerun_keys.py.

A row is (change, {rule: number of jobs}).
"""

from reruns import GROWN, Graph, add, config_change, of_options, put

from widedeep.analysis.probe_options import ProbeOptions
from widedeep.formats.dump_options import DumpOptions
from widedeep.study.drawings import SECTIONS
from widedeep.study.sections import AllSeeds
from widedeep.training.recipe import Recipe

STUDY = Graph(GROWN)
OF_ALL_SEEDS = [key for key, kind in SECTIONS.items() if kind is AllSeeds]
ALL_SEEDS = " ".join(OF_ALL_SEEDS)
reruns, new = STUDY.reruns, STUDY.new
BLOCKS = "fig4-probes fig4-delete E"
COMPONENTS = "fig3 D"
# What is drawn of the networks of figure 1. Each of them has a job for each of two measures.
BY_FIG1 = "fig1 fig1-measures"

NOTHING = {}
ALL = reruns("train")
DUMPED = reruns("dump_activations")
PROBED = reruns("probe_residual_blocks")

# Networks that the grid gets where a figure shall show them: two seeds each.
PLAIN = {"family": "plain", "depths": [8], "widths": [1], "seeds": [1, 2]}
HALF = {"depths": [8], "widths": [1], "fractions": [0.5], "seeds": [1, 2]}
WIDER = {"depths": [14], "widths": [2], "seeds": [1]}


def one_model(figure, rules, shown=(0, 0), **counts):
    """Rows of a figure of `models`: another network, by each of the keys that name it.

    Args:
        figure: key in the section figures.
        rules: which draw it and what is behind it.
        shown: pairs of networks (jobs of compute_pairs) for ResNet-14 1x, and for each of the others.
    """
    path = f"figures.{figure}.models"
    first, others = ({"compute_pairs": number} if number else {} for number in shown)
    return {
        f"{path}.family": (
            put(path, [{"family": "plain", "depth": 8, "width": 1}], PLAIN),
            new(2, rules, **others, **counts),
        ),
        f"{path}.depth": (
            put(path, [{"depth": 8 if figure == "fig4" else 14, "width": 1}]),
            reruns(rules, **first, **counts),
        ),
        f"{path}.width": (put(path, [{"depth": 8, "width": 2}]), reruns(rules, **others, **counts)),
        f"{path}.fraction": (
            put(path, [{"depth": 8, "width": 1, "fraction": 0.5}], HALF),
            new(2, rules, **others, **counts),
        ),
    }


def compare(wide, deep, *grid):
    """A change: figure 6 compares these two, of which some are new in the grid."""

    def change(config):
        config["grid"] += [{"seeds": [1, 2], **entry} for entry in grid]
        config["figures"]["fig6"] = {"wide": wide, "deep": deep}

    return config_change(change)


def one_less(config):
    """Without the network that has no residual connections and half of the data, and its figure."""
    config["grid"].pop()
    del config["figures"]["C"]


def one_depth_less(config):
    config["grid"][0]["depths"] = [8]
    figures = config["figures"]
    figures["fig1"]["depth_row"]["depths"] = figures["fig2"]["depth_row"]["depths"] = [8]
    del figures["fig6"]
    figures["A"]["model"] = {"depth": 8, "width": 1}
    for figure in ("fig3", "fig4", "fig5", *OF_ALL_SEEDS):
        figures[figure]["models"] = [{"depth": 8, "width": 1}]


def one_width_less(config):
    del config["grid"][1], config["figures"]["fig6"]
    config["figures"]["fig2"]["width_row"]["widths"] = [1]


def without(*figures):
    """A change: figures that are no longer asked for."""

    def change(config):
        for figure in figures:
            del config["figures"][figure]

    return config_change(change)


def without_figure_1(config):
    """And without the measures, which need it."""
    del config["figures"]["fig1"], config["measures"]


def another_order(config):
    """Of what has none of its own; the file's keys are in another order too."""
    for entry in config["grid"]:
        entry["seeds"].reverse()
    figure = config["figures"]["fig6"]
    figure["wide"], figure["deep"] = figure["deep"], figure["wide"]


FIG1, FIG2, C = "figures.fig1", "figures.fig2", "figures.C"
W2, D14 = {"depth": 8, "width": 2}, {"depth": 14, "width": 1}
HALF_OF_THE_DATA = (
    compare(
        {**W2, "fraction": 0.5},
        {**D14, "fraction": 0.5},
        {"depths": [8], "widths": [2], "fractions": [0.5]},
        {"depths": [14], "widths": [1], "fractions": [0.5]},
    ),
    new(4, "fig6"),
)
# Every key of the config, by its path in the schema.
KEYS = {
    "study": (put("study", "other"), ALL),
    "dataset.name": (put("dataset.name", "fashion-mnist"), {**ALL, "download": 1}),
    "dataset.source": (put("dataset.source", "embedded"), NOTHING),
    "dataset.image_size": (put("dataset", {"name": "cifar10", "image_size": 16}), {**ALL, "download": 1}),
    "grid.family": (add(family="plain"), new(1)),
    "grid.depths": (add(depths=[20]), new(1)),
    "grid.widths": (add(widths=[3]), new(1)),
    "grid.fractions": (add(fractions=[0.25]), new(1)),
    "grid.seeds": (
        config_change(lambda config: config["grid"][0].update(seeds=[1, 2, 3])),
        new(2, f"D E fig6 {ALL_SEEDS} F summarise_pairs", compute_pairs=3, probe_residual_blocks=1),
    ),
    **of_options("training", Recipe, ALL, without=("flip",)),
    "training.gpus": (put("training.gpus", 2), NOTHING),
    "training.at_once": (put("training.at_once", 2), NOTHING),
    "training.checkpoint_minutes": (put("training.checkpoint_minutes", 1), NOTHING),
    **of_options("dumps", DumpOptions, DUMPED, examples=128),
    "dumps.keep": (put("dumps.keep", False), NOTHING),
    **of_options("probes", ProbeOptions, PROBED),
    "measures": (put("measures", ["rbf_cka", "procrustes", "rsa_pearson"]), reruns("fig1-measures", compute_measure=2)),
    "figures.colour_map": (put("figures.colour_map", "viridis"), reruns(STUDY.drawn)),
    "figures.A.model.family": (put("figures.A.model", {"family": "plain", "depth": 8, "width": 1}, PLAIN), new(2, "A")),
    "figures.A.model.depth": (put("figures.A.model.depth", 8), reruns("A")),
    "figures.A.model.width": (put("figures.A.model", W2), reruns("A")),
    "figures.A.model.fraction": (put("figures.A.model", {**W2, "width": 1, "fraction": 0.5}, HALF), new(2, "A")),
    "figures.A.seed": (put("figures.A.seed", 2), reruns("A")),
    "figures.A.batch_sizes": (put("figures.A.batch_sizes", [32]), reruns("A")),
    "figures.A.examples": (put("figures.A.examples", 128), reruns("A")),
    "figures.A.passes": (put("figures.A.passes", 2), reruns("A")),
    f"{FIG1}.depth_row.depths": (put(f"{FIG1}.depth_row.depths", [14]), reruns(BY_FIG1)),
    f"{FIG1}.depth_row.width": (put(f"{FIG1}.depth_row.width", 2, WIDER), new(1, BY_FIG1, compute_measure=4)),
    f"{FIG1}.depth_row.fraction": (
        put(f"{FIG1}.depth_row.fraction", 0.5, {**HALF, "depths": [8, 14]}),
        new(4, BY_FIG1, compute_measure=4),
    ),
    f"{FIG1}.width_row.depth": (put(f"{FIG1}.width_row.depth", 14), reruns(BY_FIG1)),
    f"{FIG1}.width_row.widths": (put(f"{FIG1}.width_row.widths", [1, 2]), reruns(BY_FIG1, compute_measure=2)),
    f"{FIG1}.width_row.fraction": (
        put(f"{FIG1}.width_row.fraction", 0.5, HALF),
        new(2, BY_FIG1, compute_measure=2),
    ),
    f"{FIG1}.family": (
        put(f"{FIG1}.family", "plain", {**PLAIN, "depths": [8, 14]}),
        new(4, BY_FIG1, compute_measure=4),
    ),
    f"{FIG1}.seed": (put(f"{FIG1}.seed", 2), reruns(BY_FIG1, compute_measure=4)),
    f"{FIG2}.depth_row.depths": (put(f"{FIG2}.depth_row.depths", [8]), reruns("fig2")),
    f"{FIG2}.depth_row.width": (put(f"{FIG2}.depth_row.width", 2, WIDER), new(1, "fig2")),
    # `fractions` takes the place of the rows' own.
    f"{FIG2}.depth_row.fraction": (put(f"{FIG2}.depth_row.fraction", 0.5), NOTHING),
    f"{FIG2}.width_row.depth": (put(f"{FIG2}.width_row.depth", 14, WIDER), new(1, "fig2")),
    f"{FIG2}.width_row.widths": (put(f"{FIG2}.width_row.widths", [1]), reruns("fig2")),
    f"{FIG2}.width_row.fraction": (put(f"{FIG2}.width_row.fraction", 0.5), NOTHING),
    f"{FIG2}.family": (put(f"{FIG2}.family", "plain", {**PLAIN, "depths": [8, 14], "widths": [1, 2]}), new(8, "fig2")),
    f"{FIG2}.fractions": (
        put(f"{FIG2}.fractions", [1, 0.5], {**HALF, "depths": [8, 14], "widths": [1, 2]}),
        new(8, "fig2"),
    ),
    f"{FIG2}.seed": (put(f"{FIG2}.seed", 2), reruns("fig2")),
    f"{C}.depth_row.depths": (
        put(f"{C}.depth_row.depths", [14], {**PLAIN, "depths": [14], "fractions": [0.5]}),
        new(2, "C"),
    ),
    f"{C}.depth_row.width": (put(f"{C}.depth_row.width", 2, {**PLAIN, "widths": [2], "fractions": [0.5]}), new(2, "C")),
    f"{C}.depth_row.fraction": (put(f"{C}.depth_row.fraction", 1, PLAIN), new(2, "C")),
    f"{C}.width_row.depth": (
        put(f"{C}.width_row.depth", 14, {**PLAIN, "depths": [14], "fractions": [0.5]}),
        new(2, "C"),
    ),
    f"{C}.width_row.widths": (
        put(f"{C}.width_row.widths", [1, 2], {**PLAIN, "widths": [2], "fractions": [0.5]}),
        new(2, "C"),
    ),
    f"{C}.width_row.fraction": (put(f"{C}.width_row.fraction", 1, PLAIN), new(2, "C")),
    f"{C}.family": (put(f"{C}.family", "resnet", HALF), new(2, "C")),
    f"{C}.seed": (put(f"{C}.seed", 2, {**PLAIN, "fractions": [0.5], "seeds": [2]}), new(1, "C")),
    "figures.fig3.seed": (put("figures.fig3.seed", 2), reruns("fig3")),
    "figures.fig4.seed": (put("figures.fig4.seed", 2), reruns("fig4-probes fig4-delete")),
    **{row: change for key in OF_ALL_SEEDS for row, change in one_model(key, key).items()},
    **one_model("fig3", COMPONENTS),
    **one_model("fig4", BLOCKS, probe_residual_blocks=2),
    **one_model("fig5", "fig5 F summarise_pairs", shown=(0, 1)),
    "figures.fig6.wide.family": (
        compare({**W2, "family": "plain"}, D14, {"family": "plain", "depths": [8], "widths": [2]}),
        new(2, "fig6"),
    ),
    "figures.fig6.wide.depth": (
        compare(
            {**W2, "depth": 14}, {**D14, "depth": 20}, {"depths": [14], "widths": [2]}, {"depths": [20], "widths": [1]}
        ),
        new(4, "fig6"),
    ),
    "figures.fig6.wide.width": (compare({**W2, "width": 3}, D14, {"depths": [8], "widths": [3]}), new(2, "fig6")),
    "figures.fig6.wide.fraction": HALF_OF_THE_DATA,
    "figures.fig6.deep.fraction": HALF_OF_THE_DATA,
    "figures.fig6.deep.family": (
        compare(W2, {**D14, "family": "plain"}, {"family": "plain", "depths": [14], "widths": [1]}),
        new(2, "fig6"),
    ),
    "figures.fig6.deep.depth": (compare(W2, {**D14, "depth": 20}, {"depths": [20], "widths": [1]}), new(2, "fig6")),
    "figures.fig6.deep.width": (compare(W2, {**D14, "width": 0.5}, {"depths": [14], "widths": [0.5]}), new(2, "fig6")),
}


def one_seed_less(config):
    config["grid"][0]["seeds"] = [1]
    del config["figures"]["fig5"]  # of pairs of seeds


# What a study has less, or in another order.
LESS = {
    "a configuration and its figure": (config_change(one_less), reruns("B provenance summarise")),
    "a depth": (
        config_change(one_depth_less),
        reruns(
            f"B provenance summarise {BY_FIG1} fig2 {COMPONENTS} {BLOCKS} fig5 F {ALL_SEEDS} A summarise_pairs",
            probe_residual_blocks=2,
        ),
    ),
    "a width": (config_change(one_width_less), reruns("B provenance summarise fig2")),
    "a seed": (
        config_change(one_seed_less),
        reruns(f"B provenance summarise {ALL_SEEDS} D E fig6 summarise_pairs"),
    ),
    "figures that no claim rests on": (without("fig2", "C"), NOTHING),
    "the figure whose family claims are about": (config_change(without_figure_1), reruns("findings")),
    "a measure": (put("measures", ["procrustes"]), reruns("fig1-measures")),
    "measures in another order": (put("measures", ["procrustes", "rbf_cka"]), reruns("fig1-measures")),
    "a figure of a claim": (without("G"), reruns("findings")),
    "another order": (config_change(another_order), NOTHING),
}
