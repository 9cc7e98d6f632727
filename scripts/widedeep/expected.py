"""The jobs of a study and the files that each writes, from its config alone: what must be there when it is finished.

The same as the rules of workflow/rules/*.smk make; a test compares them.
"""

from dataclasses import dataclass

from widedeep import config as study_config

# What each job of a network writes into its folder; the job's provenance, if it has one, is the last.
TRAINED = ("model.safetensors", "history.csv", "metrics.json", "provenance.json")
DUMPED = ("activations.h5", "pca.h5", "predictions.h5", "dump_provenance.json")
PROBED = ("probes.csv", "deletion.csv", "probe_provenance.json")
_ENDS = ("pdf", "png", "csv")


@dataclass(frozen=True)
class Job:
    """One job of a finished study.

    Attributes:
        rule: its name, as `train`; `figure` for all that draw.
        outputs: list of paths relative to the workflow's folder.
        timing: path of the file that Snakemake writes when the job has ended well.
        networks: list of (names.Model, seed), the networks that it is about: one, two configurations of a file of
            pairs with their larger seed, or none.
    """

    rule: str
    outputs: list
    timing: str
    networks: tuple = ()


def jobs(config):
    """All Jobs of a checked config, in the order of the pipeline."""
    results = f"results/{config['study']}"
    timings = f"{results}/timings"
    networks = [(model, seed) for model, seeds in study_config.grid(config).items() for seed in seeds]
    stages = [
        ("train", TRAINED, networks),
        ("dump_activations", DUMPED, networks),
        ("compute_cka", ("cka.h5",), networks),
        ("probe_blocks", PROBED, _probed(config)),
    ]
    found = [Job("download", [str(study_config.data_path(config))], f"{timings}/download.tsv")]
    for rule, names, members in stages:
        for model, seed in members:
            folder = f"{model}/seed{seed}"
            outputs = [f"{results}/models/{folder}/{name}" for name in names]
            found.append(Job(rule, outputs, f"{timings}/{folder}/{rule}.tsv", ((model, seed),)))
    for first, second, seed in _pairs(config):
        name = f"pairs/{first}--{second}/seed{seed}"
        pair = (first, seed), (second, seed)
        found.append(Job("compute_pairs", [f"{results}/{name}.h5"], f"{timings}/{name}.tsv", pair))
    for figure, names in _figures(config).items():
        outputs = [f"{results}/figures/{name}" for name in names]
        found.append(Job("figure", outputs, f"{timings}/figures/{figure}.tsv"))
    tables = {
        "summarise": ("summary.csv",),
        "summarise_pairs": ("pairs.csv", "pairs_of_configurations.csv"),
        "findings": ("findings.csv", "findings.md", "findings.html"),
        "provenance": ("provenance.csv", "provenance.html"),
        "explorer": ("explorer.html",),
    }
    for rule, names in tables.items():
        found.append(Job(rule, [f"{results}/{name}" for name in names], f"{timings}/{rule}.tsv"))
    return found


def _probed(config):
    """The networks of figure 4 and appendix E."""
    if "fig4" not in config["figures"]:
        return []
    seeds = study_config.grid(config)
    return [(model, seed) for model in study_config.models_of(config, "fig4") for seed in seeds[model]]


def _pairs(config):
    """(configuration, configuration, larger seed) of each file of pairs of figures 5 and F."""
    if "fig5" not in config["figures"]:
        return []
    seeds, models = study_config.grid(config), study_config.models_of(config, "fig5")
    return [
        (first, second, largest)
        for row, first in enumerate(models)
        for second in models[row:]
        for largest in sorted(
            {max(pair) for pair in study_config.seed_pairs(seeds[first], None if first == second else seeds[second])}
        )
    ]


def _figures(config):
    """The files of each job that draws, by the name of its timing."""
    of_figure = {
        "fig3": ("fig3", "D"),
        "fig4": ("fig4-probes", "fig4-delete", "E"),
        "fig5": ("fig5", "F"),
        "fig6": (),
    }
    drawn = [name for figure in config["figures"] if figure != "colour_map" for name in of_figure.get(figure, [figure])]
    files = {name: [f"{name}.{end}" for end in _ENDS] for name in [*drawn, "B"]}
    files["B"].append("B.md")
    if "fig6" in config["figures"]:
        names = [f"{name}.{end}" for name in ("fig6-examples", "fig6-classes") for end in _ENDS]
        files["fig6"] = [*names, "fig6.csv"]
    return files
