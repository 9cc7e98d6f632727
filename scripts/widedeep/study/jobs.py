"""The jobs of a study, with the files that each reads and writes; they follow from the config alone.

This list is the only one: rules, progress, plan, budget and verification read it.
"""

import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from widedeep.names import Network
from widedeep.paper import DECIDING_TABLES, FIGURES
from widedeep.runtime.options import flag
from widedeep.study.drawings import DRAWINGS, drawings_of, measured, outputs_of
from widedeep.study.places import ANY, measure_name, pairs_name


@dataclass(frozen=True)
class Stage:
    """A rule that has one job for each network.

    Attributes:
        reads: dict from the name of an input to a file name in the network's folder; None for the data set's file.
        writes: dict from the name of an output to a file name in the network's folder; `provenance` comes last.
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


@dataclass(frozen=True)
class Job:
    """One job of a study.

    Attributes:
        rule: name of its rule, as `train`.
        name: of its log and its timing, as `digits-resnet14-w1-f100/seed1/train`.
        log: path of its log.
        timing: path of the file in which it records its time and memory.
        inputs, outputs: dicts from a name to a path or a list of paths, relative to the workflow's folder.
        networks: tuple of names.Network. A job of one network has this one; a job of pairs has both configurations with
            the larger seed; drawings and tables have none.
        arguments: words of its command line, of jobs that read files of several networks.
        measure: name of the further measure of similarity that it computes; None of other jobs.
    """

    rule: str
    name: str
    log: str
    timing: str
    inputs: dict
    outputs: dict
    networks: tuple = ()
    arguments: str = ""
    measure: str | None = None

    @property
    def wildcards(self):
        """dict from the names of its wildcards in the workflow to their values."""
        models = dict(zip(("model", "model2"), (str(network.configuration) for network in self.networks), strict=False))
        measure = {"measure": self.measure} if self.measure else {}
        return models | ({"seed": self.networks[0].seed} if models else {}) | measure

    @property
    def reads(self):
        """list of all paths that it reads."""
        return paths_of(self.inputs)

    @property
    def writes(self):
        """list of all paths that it writes."""
        return paths_of(self.outputs)


def paths_of(named):
    """list of all paths in a dict from names to paths or lists of paths."""
    return [path for value in named.values() for path in (value if isinstance(value, list) else [value])]


def jobs_of(study):
    """list of all Jobs of a config.Study, in the order of the pipeline."""
    return [
        _job(study, "download", "download", {}, {"data": study.places.data}),
        *(network_job(study, rule, network) for rule in STAGES for network in networks_of(study, rule)),
        *(measure_job(study, *one) for one in measured(study)),
        *(pairs_job(study, *pair) for pair in pairs_of(study)),
        *(drawing_job(study, rule) for rule in drawings_of(study)),
        *tables_of(study),
    ]


def targets_of(jobs):
    """list of the files that a whole study asks for: networks, their CKA and measures, figures, tables and pages.

    Only these are targets, so that a missing history.csv does not train a network again.
    """
    asked = {"train": ["model"], "compute_cka": ["cka"], "compute_measure": ["similarity"]}
    return [
        path
        for job in jobs
        for path in ([job.outputs[name] for name in asked.get(job.rule, [])] if job.networks else job.writes)
        if job.rule != "download"
    ]


def _job(study, rule, name, *files, **more):
    # Snakemake removes the log of an attempt when it tries again, and train.log is of all attempts.
    log = study.places.log(name, "errors.log" if rule == "train" else "log")
    return Job(rule, name, log, study.places.timing(name), *files, **more)


def networks_of(study, rule):
    """The networks that have a job of a stage (STAGES): all of them; for probes, those of figure 4."""
    if rule != "probe_residual_blocks":
        return study.networks
    return study.all_seeds(study.shown("fig4")) if "fig4" in study.sections else []


def files_of(study, rule, network=ANY):
    """(inputs, outputs) of a stage's job, two dicts from names to paths.

    Args:
        study: config.Study.
        rule: key of STAGES.
        network: names.Network; by default Snakemake's wildcards stand in its place.
    """
    stage = STAGES[rule]
    named = (
        {name: study.places.of_network(network, file) if file else study.places.data for name, file in part.items()}
        for part in (stage.reads, stage.writes)
    )
    return tuple(named)


def network_job(study, rule, network):
    """The Job of a stage (key of STAGES) for a names.Network."""
    return _job(study, rule, f"{network}/{rule}", *files_of(study, rule, network), networks=(network,))


def measure_job(study, measure, network):
    """The Job of a further measure of similarity, by its name, within a names.Network."""
    inputs = {"dump": study.places.of_network(network, "activations.h5")}
    outputs = {"similarity": study.places.measure(network, measure)}
    name = measure_name(network, measure)
    return _job(study, "compute_measure", name, inputs, outputs, (network,), measure=measure)


def pairs_of(study):
    """list of (configuration, configuration, larger seed), one for each file of pairs that figures 5 and F need."""
    if "fig5" not in study.sections:
        return []
    return [
        (first, second, larger)
        for first, second in itertools.combinations_with_replacement(study.shown("fig5"), 2)
        for larger in sorted({max(pair) for pair in study.seed_pairs(first, second)})
    ]


def pairs_job(study, first, second, larger):
    """The Job of all pairs of two configurations with the larger seed `larger`; it reads all dumps up to that seed."""
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
    given = {side: paths for side, paths in inputs.items() if paths}
    arguments = " ".join(arguments_of(given))
    return _job(study, "compute_pairs", pairs_name(first, second, larger), inputs, output, networks, arguments)


def drawing_job(study, rule):
    """The Job of a drawing; its arguments hold all files that it reads and writes, and the colour map."""
    drawing, networks = DRAWINGS[rule], DRAWINGS[rule].networks(study)
    given = {option: study.places.of_networks(networks, file) for option, file in drawing.files.items()}
    if drawing.reads_data:
        given["data"] = study.places.data
    outputs = {option: [study.places.figure(name) for name in files] for option, files in outputs_of(rule).items()}
    arguments = [drawing.options(study), *arguments_of({**given, "colour_map": study.figures.colour_map, **outputs})]
    # Named after the id of its figure; a drawing of two figures is named after the section of the config.
    ids = [figure.id for figure in FIGURES.values() if figure.rule == rule]
    name = f"figures/{ids[0] if len(ids) == 1 else drawing.key}"
    return _job(study, rule, name, given | drawing.others(study), outputs, arguments=" ".join(arguments).strip())


def tables_of(study):
    """list of the Jobs of tables and pages of the whole study."""
    place, everything = study.places, study.networks
    folders = [place.of_network(network, "") for network in everything]
    pairs = [place.pairs(*pair) for pair in pairs_of(study)]
    paired = DRAWINGS["cka_between_networks_mean"].networks(study) if pairs else []
    probed = networks_of(study, "probe_residual_blocks")
    compared = {"pairs": pairs, "cka": place.of_networks(paired, "cka.h5")}
    drawn = {file for rule in drawings_of(study) for files in outputs_of(rule).values() for file in files}
    deciding = {option: place.figure(table) for option, table in DECIDING_TABLES.items() if table in drawn}
    family = {"family": study.sections["fig1"].family} if "fig1" in study.sections else {}
    # The explorer leaves out the last ones where they do not fit, so the first seeds come first.
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
    """Yield the words of a command line for bash, from options and their values.

    Paths that differ in the seed alone become one word with a brace expansion, `seed{1,2,3}`: Linux refuses a command
    above 128 KiB, and a study has thousands of networks.

    Args:
        options: dict from the name of an option to a value or a list of values; '' names positional arguments.
    """
    for name, value in options.items():
        if name:
            yield flag(name)
        yield from _in_braces([str(path) for path in (value if isinstance(value, list) else [value])])


def _in_braces(paths):
    """Yield words that bash expands to these paths, in their order."""

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
