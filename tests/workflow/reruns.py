"""Which jobs stand behind which, by the list of jobs, and how rows of the rerun tests' tables are written."""

import collections
import typing
from pathlib import Path

import yaml
from complete import complete

from widedeep.runtime.options import kind_of
from widedeep.study import checks
from widedeep.study.jobs import jobs_of

TINY = yaml.safe_load(Path(__file__).with_name("tiny.yaml").read_text())
_HALF = {"width": 1, "fraction": 0.5}
# The tiny study with figures 2 and C, and a network without residual connections on half of the data.
GROWN = {
    **complete(TINY),
    "grid": [
        *TINY["grid"],
        {"family": "plain", "depths": [8], "widths": [1], "fractions": [0.5], "seeds": [1]},
    ],
    "figures": {
        **complete(TINY)["figures"],
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
    },
}


class Graph:
    """The jobs of a study, and those behind them.

    Args:
        config: mapping.

    Attributes:
        drawn: names of all jobs that draw, separated by spaces.
    """

    def __init__(self, config):
        self._jobs = jobs_of(checks.checked(config))
        self.drawn = " ".join(job.name for job in self._jobs if job.name.startswith("figures/"))

    def reruns(self, words, **counts):
        """All jobs that some words name and all jobs behind them, as {rule: number}.

        Args:
            words: rules, names of jobs, or figures as their jobs are named (`fig1`), separated by spaces.
            counts: further rules, of which so many jobs run; the jobs behind them are not added.
        """
        waiting = [job for job in self._jobs for word in words.split() if _is_named(job, word)]
        found = {}
        while waiting:
            job = waiting.pop()
            found[job.name] = job.rule
            written = {*job.writes}
            waiting += [other for other in self._jobs if written & {*other.reads} and other.name not in found]
        return {**collections.Counter(found.values()), **counts}

    def new(self, networks, words="", **counts):
        """What so many networks more run: their jobs, the tables of all networks, and the jobs that show them."""
        own = {"train": networks, "dump_activations": networks, "compute_cka": networks}
        return self.reruns(f"B provenance summarise {words}", **own, **counts)


def _is_named(job, word):
    return word in (job.rule, job.name, job.name.removeprefix("figures/"))


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


def of_options(section, options, expected, without=(), **values):
    """Rows of all options of a section: another value each, with the jobs that must run.

    Args:
        section: of the config.
        options: class below Options.
        expected: {rule: number of jobs}.
        without: names of options that have a row of their own, or none.
        values: what options without a default get.
    """
    rows = {}
    for name, field in options.model_fields.items():
        if name in without:
            continue
        given = TINY[section].get(name, field.default)
        value = values[name] if given is None else _another(kind_of(field.annotation), given)
        rows[f"{section}.{name}"] = put(f"{section}.{name}", value), expected
    return rows


def _another(kind, value):
    """A valid value of an option other than `value`."""
    if kind is bool:
        return not value
    if typing.get_origin(kind) is typing.Literal:
        return next(choice for choice in typing.get_args(kind) if choice != value)
    return value + 1 if value < 2 and kind is int else kind(value / 2 or 0.5)
