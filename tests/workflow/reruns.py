"""Which jobs are behind which, in the study of the rerun tests, and how rows of their tables are written.

That study is the tiny one with figures 2 and C, and a network without residual connections on half of the data.
"""

BASE_GRID = {"family": "plain", "depths": [8], "widths": [1], "fractions": [0.5], "seeds": [1]}
_HALF = {"width": 1, "fraction": 0.5}
BASE_FIGURES = {
    "fig2": {
        "depth_row": {"depths": [8, 14], "width": 1},
        "width_row": {"depth": 8, "widths": [1, 2]},
        "fractions": [1],
        "seed": 1,
    },
    "C": {
        "depth_row": {"depths": [8], **_HALF},
        "width_row": {"depth": 8, "widths": [1], "fraction": 0.5},
        "seed": 1,
    },
}

# How many jobs each rule has; one where it is not here.
JOBS = {"train": 7, "dump_activations": 7, "compute_cka": 7, "compute_pairs": 4, "probe_blocks": 2}
BLOCKS = "fig4-probes fig4-delete E"
WITHIN = "fig1 fig1-seeds fig2 C"  # heatmaps of one network
BETWEEN = "fig5 F"
HEATMAPS = f"{WITHIN} {BETWEEN}"
COMPONENTS = "fig3 D"
DRAWN = f"{HEATMAPS} {COMPONENTS} {BLOCKS} fig6 G A B"
# The rules that read what a rule writes.
READERS = {
    "train": f"dump_activations probe_blocks summarise provenance explorer {DRAWN}",
    "dump_activations": f"compute_cka compute_pairs {COMPONENTS} {BLOCKS} fig6 G summarise summarise_pairs provenance",
    "compute_cka": f"{WITHIN} {COMPONENTS} {BLOCKS} summarise",
    "compute_pairs": f"{BETWEEN} summarise_pairs explorer",
    "probe_blocks": f"{BLOCKS} explorer",
    "summarise": "findings",
    "summarise_pairs": "findings",
    "E": "findings",
    "fig6": "findings",
    "G": "findings",
    "A": "findings",
    "findings": "explorer",
}


def reruns(rules, **counts):
    """All jobs of some rules and of all rules behind them, as {rule: number}.

    Args:
        rules: names of rules, separated by spaces.
        counts: further rules, of which so many jobs run; what is behind them is not added.
    """
    found, waiting = dict(counts), rules.split()
    while waiting:
        rule = waiting.pop()
        if rule not in found:
            found[rule] = JOBS.get(rule, 1)
            waiting += READERS.get(rule, "").split()
    return found


def new(networks, rules="", **counts):
    """What so many networks more run: their jobs, the tables of all networks, and the rules that show them."""
    own = {"train": networks, "dump_activations": networks, "compute_cka": networks}
    return reruns(f"B provenance summarise {rules}", **own, **counts)


def put(path, value, grid=None):
    """A change: a key of the config by its dotted path, after an entry that the grid gets for it."""

    def change(config):
        *sections, key = path.split(".")
        if grid:
            config["grid"].append(grid)
        for section in sections:
            config = config.setdefault(section, {})
        config[key] = value

    return config_change(change)


def config_change(change):
    """A change of the study by a change of its parsed config."""
    return lambda study: study.edit_config(change)


def add(**entry):
    """A change: an entry more in the grid."""
    entry = {"depths": [8], "widths": [1], "seeds": [1], **entry}
    return config_change(lambda config: config["grid"].append(entry))
