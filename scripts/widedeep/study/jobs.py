"""The jobs of a study: what each reads and writes, from its config alone. Written once, here.

Rules take their files and options from it, and so do progress, plan, budget and verification.
"""

import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from widedeep.names import Network
from widedeep.paper import FIGURES
from widedeep.runtime.options import flag
from widedeep.study.drawings import DRAWINGS, drawings_of, outputs_of
from widedeep.study.places import ANY, pairs_name


@dataclass(frozen=True)
class Stage:
    """A rule with a job for each network.

    Attributes:
        reads: the files of the network that its jobs read, by name; `data` is the data set's.
        writes: the files of the network that its jobs write, by name; the job's provenance, if it has one, is the last.
    """

    reads: dict
    writes: dict


STAGES = {
    "train": Stage(
        {"data": None},
        {
            "model": "model.safetensors",
            "history": "history.csv",
            "metrics": "metrics.json",
            "provenance": "provenance.json",
        },
    ),
    "dump_activations": Stage(
        {"data": None, "model": "model.safetensors"},
        {
            "dump": "activations.h5",
            "components": "pca.h5",
            "predictions": "predictions.h5",
            "provenance": "dump_provenance.json",
        },
    ),
    "compute_cka": Stage({"dump": "activations.h5"}, {"cka": "cka.h5"}),
    "probe_residual_blocks": Stage(
        {"data": None, "model": "model.safetensors"},
        {"probes": "probes.csv", "deletion": "deletion.csv", "provenance": "probe_provenance.json"},
    ),
}

# The tables of figures that decide findings: the option of scripts/decide_findings.py, the section of the config, the file.
DECIDING_TABLES = {
    "blocks": ("fig4", "E.csv"),
    "examples": ("fig6", "fig6.csv"),
    "agreement": ("G", "G.csv"),
    "convergence": ("A", "A.csv"),
}


@dataclass(frozen=True)
class Job:
    """One job of a study.

    Attributes:
        rule: its name, as `train`.
        name: of its log and its timing, as `digits-resnet14-w1-f100/seed1/train`.
        log, timing: paths of its log, and of the file in which it notes what it took.
        inputs, outputs: dicts from a name to a path or a list of paths, relative to the workflow's folder.
        networks: tuple of the names.Network that it is about: one, two configurations of a file of pairs with their
            larger seed, or none.
        arguments: words of its command line, of drawings and tables.
    """

    rule: str
    name: str
    log: str
    timing: str
    inputs: dict
    outputs: dict
    networks: tuple = ()
    arguments: str = ""

    @property
    def wildcards(self):
        """Its wildcards in the workflow, by name."""
        models = dict(zip(("model", "model2"), (str(network.configuration) for network in self.networks), strict=False))
        return models | ({"seed": self.networks[0].seed} if models else {})

    @property
    def reads(self):
        """All paths that it reads."""
        return paths_of(self.inputs)

    @property
    def writes(self):
        """All paths that it writes."""
        return paths_of(self.outputs)


def paths_of(named):
    """The paths in a dict from names to paths or lists of paths."""
    return [path for value in named.values() for path in (value if isinstance(value, list) else [value])]


def jobs_of(study):
    """All Jobs of a config.Study, in the order of the pipeline."""
    return [
        _job(study, "download", "download", {}, {"data": study.places.data}),
        *(network_job(study, rule, network) for rule in STAGES for network in networks_of(study, rule)),
        *(pairs_job(study, *pair) for pair in pairs_of(study)),
        *(drawing_job(study, rule) for rule in drawings_of(study)),
        *tables_of(study),
    ]


def targets_of(jobs):
    """The files that a whole study asks for: networks and their CKA, figures, tables and pages.

    What jobs write beside them is not asked for, lest a network is trained again for the sake of its history.
    """
    asked = {"train": ["model"], "compute_cka": ["cka"]}
    return [
        path
        for job in jobs
        for path in ([job.outputs[name] for name in asked.get(job.rule, [])] if job.networks else job.writes)
        if job.rule != "download"
    ]


def _job(study, rule, name, *files, **more):
    # train.log tells of all attempts: Snakemake removes the log of an attempt when it tries again.
    log = study.places.log(name, "errors.log" if rule == "train" else "log")
    return Job(rule, name, log, study.places.timing(name), *files, **more)


def networks_of(study, rule):
    """The networks that have a job of a stage: all, or those of figure 4."""
    if rule != "probe_residual_blocks":
        return study.networks
    return study.all_seeds(study.shown("fig4")) if "fig4" in study.sections else []


def files_of(study, rule, network=ANY):
    """(inputs, outputs) of a stage's job for a network, two dicts; without one, for any, as rules name them."""
    stage = STAGES[rule]
    named = (
        {name: study.places.of_network(network, file) if file else study.places.data for name, file in part.items()}
        for part in (stage.reads, stage.writes)
    )
    return tuple(named)


def network_job(study, rule, network):
    return _job(study, rule, f"{network}/{rule}", *files_of(study, rule, network), networks=(network,))


def pairs_of(study):
    """(configuration, configuration, larger seed) of each file of pairs that figures 5 and F need."""
    if "fig5" not in study.sections:
        return []
    return [
        (first, second, larger)
        for first, second in itertools.combinations_with_replacement(study.shown("fig5"), 2)
        for larger in sorted({max(pair) for pair in study.seed_pairs(first, second)})
    ]


def pairs_job(study, first, second, larger):
    """The job of all pairs of two configurations whose larger seed is `larger`: it reads all dumps up to this seed."""
    inputs = {
        side: [
            study.places.of_network(Network(configuration, seed), "activations.h5")
            for seed in study.configurations[configuration]
            if seed <= larger
        ]
        for side, configuration in dict.fromkeys((("first", first), ("second", second)))
    }
    if first == second:
        inputs["second"] = []
    networks = Network(first, larger), Network(second, larger)
    output = {"pairs": study.places.pairs(first, second, larger)}
    return _job(study, "compute_pairs", pairs_name(first, second, larger), inputs, output, networks)


def drawing_job(study, rule):
    """The job of a drawing; its arguments name all files that it is given, the colour map, and what it writes."""
    drawing, networks = DRAWINGS[rule], DRAWINGS[rule].networks(study)
    given = {option: study.places.of_networks(networks, file) for option, file in drawing.files.items()}
    if drawing.shows_images:
        given["data"] = study.places.data
    outputs = {option: [study.places.figure(name) for name in files] for option, files in outputs_of(rule).items()}
    arguments = [drawing.options(study), *arguments_of({**given, "colour_map": study.figures.colour_map, **outputs})]
    # Named after the figure, whose id people know; of two figures after the section of the config.
    ids = [figure.id for figure in FIGURES.values() if figure.rule == rule]
    name = f"figures/{ids[0] if len(ids) == 1 else drawing.key}"
    return _job(study, rule, name, given | drawing.others(study), outputs, arguments=" ".join(arguments).strip())


def tables_of(study):
    """The jobs of the tables and pages of the whole study."""
    place, everything = study.places, study.networks
    folders = [place.of_network(network, "") for network in everything]
    pairs = [place.pairs(*pair) for pair in pairs_of(study)]
    paired = DRAWINGS["cka_between_networks_mean"].networks(study) if pairs else []
    probed = networks_of(study, "probe_residual_blocks")
    compared = {"pairs": pairs, "components": place.of_networks(paired, "pca.h5")}
    deciding = {
        option: place.figure(table) for option, (key, table) in DECIDING_TABLES.items() if key in study.sections
    }
    family = {"family": study.sections["fig1"].family} if "fig1" in study.sections else {}
    # Those of the first seeds first: the page leaves out the last ones where they do not fit.
    by_seed = sorted(pairs, key=lambda path: int(Path(path).stem.removeprefix("seed")))

    def files(*names):
        return {Path(name).stem: place.of_networks(everything, name) for name in names}

    def table(rule, inputs, outputs, arguments):
        made = {key: place.table(name) for key, name in outputs.items()}
        return _job(study, rule, rule, inputs, made, arguments=" ".join(arguments_of(arguments)))

    return [
        table("summarise", files("cka.h5", "pca.h5", "metrics.json"), {"csv": "summary.csv"}, {"": folders}),
        table(
            "summarise_pairs",
            compared,
            {"csv": "pairs.csv", "configurations": "pairs_of_configurations.csv"},
            compared if pairs else {},
        ),
        table(
            "findings",
            {"networks": place.table("summary.csv"), "pairs": place.table("pairs.csv"), **deciding},
            {"csv": "findings.csv", "md": "findings.md", "html": "findings.html"},
            deciding | family,
        ),
        table(
            "provenance",
            files("provenance.json", "dump_provenance.json", "metrics.json"),
            {"csv": "provenance.csv", "html": "provenance.html"},
            {"": folders},
        ),
        table(
            "explorer",
            {
                "data": place.data,
                **files("cka.h5", "pca.h5", "metrics.json"),
                "blocks": place.of_networks(probed, "probes.csv") + place.of_networks(probed, "deletion.csv"),
                "pairs": pairs,
                "findings": place.table("findings.csv"),
            },
            {"page": "explorer.html"},
            {"": folders} | ({"pairs": by_seed} if pairs else {}) | family | {"study": study.study},
        ),
    ]


def arguments_of(options):
    """Options with paths as words of a command line; one without a name is the positional argument.

    Paths of one configuration that differ in the seed alone are written as bash expands them, `seed{1,2,3}`: Linux takes
    no command above 128 KiB, and a study has thousands of networks.

    Args:
        options: dict from a name to a value or a list of values.
    """
    for name, value in options.items():
        if name:
            yield flag(name)
        yield from _in_braces([str(path) for path in (value if isinstance(value, list) else [value])])


def _in_braces(paths):
    """Words that bash expands to these paths, in their order."""

    def around_the_seed(path):
        found = re.fullmatch(r"(.*/seed)\d+(/.*)", path)
        return found and found.groups()

    for ends, group in itertools.groupby(paths, key=around_the_seed):
        group = list(group)
        if ends and len(group) > 1:
            seeds = (path[len(ends[0]) : len(path) - len(ends[1])] for path in group)
            yield f"{ends[0]}{{{','.join(seeds)}}}{ends[1]}"
        else:
            yield from map(shlex.quote, group)
