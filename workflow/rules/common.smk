"""Functions and tables of the study; rules are in the other files."""

import itertools
import os
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir, "scripts")
sys.path.insert(0, str(SCRIPTS))

from widedeep import config as study_config
from widedeep import families, files, fingerprint, folders
from widedeep.errors import UserError

schema = yaml.safe_load(Path(workflow.basedir, "workflow/schemas/config.schema.yaml").read_text())
try:
    config.update(study_config.checked(config, schema))
except UserError as error:
    raise WorkflowError(f"{' '.join(map(str, workflow.configfiles))}: {error}") from None

# The study
STUDY = config["study"]
RESULTS = f"results/{STUDY}"
DATASET = config["dataset"]["name"]
NETWORKS = {str(model): (model, seeds) for model, seeds in study_config.grid(config).items()}
MODELS = {name: model for name, (model, _) in NETWORKS.items()}
SEEDS = {name: seeds for name, (_, seeds) in NETWORKS.items()}

# Places
# Threads of a job that reads images, and of a training: each process that decodes counts as one.
WORKERS = config["dataset"]["workers"]
THREADS = 1 + WORKERS
TRAINING_THREADS = config["training"]["gpus"] + WORKERS
IMAGE_SIZE = config["dataset"].get("image_size")
DATA = f"data/{DATASET}{f'-{IMAGE_SIZE}px' if IMAGE_SIZE else ''}/dataset.h5"
# The content of a known data set is fixed by its checksum, so the file's age says nothing.
VERIFIED_DATA = ancient(DATA) if DATASET in study_config.SOURCES else DATA
MODEL = f"{RESULTS}/models/{{model}}/seed{{seed}}"
PAIRS = f"{RESULTS}/pairs/{{model}}--{{model2}}/seed{{seed}}"
LOGS = f"{RESULTS}/logs"
TIMINGS = f"{RESULTS}/timings"
FIGURE = f"{RESULTS}/figures"


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    model2="|".join(map(re.escape, MODELS)),
    seed=r"\d+",
    figure=r"[A-Za-z0-9-]+",


def code(script):
    """What a stage computes with, as a parameter: see widedeep/fingerprint.py."""
    return fingerprint.of_script(SCRIPTS / script)


def code_with_family(script):
    """The same of a stage that builds networks, whose family is a file of its own."""

    def fingerprint_of_both(wildcards):
        return fingerprint.of_script(SCRIPTS / script, families.path_of(MODELS[wildcards.model].family))

    return fingerprint_of_both


def code_of_explorer():
    """The fingerprint of what the explorer is made with: its script, the families whose layers it shows, its page."""
    script = SCRIPTS / "make_explorer.py"
    used = sorted({families.path_of(model.family) for model in MODELS.values()})
    page = sorted((SCRIPTS / "explorer").iterdir())
    return [fingerprint.of_script(script, *used), *(files.checksum(part)[:16] for part in page)]


def explored_pairs():
    """The files of pairs as an option of scripts/make_explorer.py, those of the first seeds first."""
    by_seed = sorted(PAIR_FILES, key=lambda path: int(Path(path).stem.removeprefix("seed")))
    return option("pairs", by_seed) if by_seed else ""


def option(name, value):
    """A command-line option; true and false become --name and --no-name."""
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    values = value if isinstance(value, list) else [value]
    return " ".join([f"--{name}", *(shlex.quote(str(item)) for item in values)])


def content_options():
    """What the images are."""
    dataset = config["dataset"]
    options = [option("dataset", dataset["name"])]
    options += [option(key.replace("_", "-"), dataset[key]) for key in ("folder", "image_size") if key in dataset]
    return " ".join(options + ["--stream"] * dataset["stream"])


def described():
    """What the file of a data set of one's own says of itself (data.Description); None until it is there, whole."""
    if DATASET in study_config.SOURCES or not Path(DATA).exists():
        return None
    from widedeep import data

    try:
        return data.describe(DATA)  # a file that stays as it is is read once
    except UserError:
        return None


def unverified(wildcards):
    """What decides what the images are where no checksum of the content does: code, and names and sizes of files.

    If the folder of images is gone or has a fault, as on another machine, what the data set's file says of it. Streamed
    images are too many to be looked at each time.
    """
    dataset = config["dataset"]
    if DATASET in study_config.SOURCES:
        # Of a known data set the whole images are verified, and then reduced.
        return fingerprint.of_script(SCRIPTS / "widedeep/data.py") if IMAGE_SIZE else ""
    if study_config.has_file(DATASET):
        return fingerprint.of_script(SCRIPTS / "widedeep/folders.py", study_config.DATASETS / f"{DATASET}.py")
    code = fingerprint.of_script(SCRIPTS / "widedeep/folders.py")
    if dataset["stream"]:
        return code
    try:
        return f"{code} {folders.checksum(os.path.expanduser(dataset['folder']))}"
    except (UserError, OSError):
        found = described()
        return f"{code} {found.listed}" if found else code


def source_options():
    """Where the images come from, and of one's own, how many the study needs; the config of others is checked."""
    dataset = config["dataset"]
    options = [option(key, dataset[key]) for key in ("source", "archive") if key in dataset]
    options += [option("mirror", mirror) for mirror in dataset["mirrors"]]
    if DATASET not in study_config.SOURCES:
        train, test = study_config.needed_examples(config)
        options += [option("least-train", train), option("least-test", test)]
    return " ".join(options)


def network_options(wildcards):
    """Which network scripts/train.py trains."""
    model = MODELS[wildcards.model]
    # float: a width of 1 and of 1.0 is the same network, and must not train it twice.
    options = {"family": model.family, "depth": model.depth, "width": float(model.width)}
    options |= {"fraction": float(model.fraction), "seed": wildcards.seed}
    return " ".join(option(name, value) for name, value in options.items())


def options_of(section, *without):
    """The keys of a section as options, in an order that the order of the config's lines does not change."""
    return " ".join(
        option(key.replace("_", "-"), config[section][key]) for key in sorted(set(config[section]) - {*without})
    )


def training_priority(wildcards):
    """Trainings come before all else that could run, in the grid's order, first seeds of all configurations first."""
    return len(ALL) - TRAINING_RANKS[wildcards.model, int(wildcards.seed)]


def recipe_options():
    """How all networks are trained; how often a checkpoint is written, and on how many GPUs, is not part of it."""
    return options_of("training", "checkpoint_minutes", "gpus")


def processes(number=1):
    """The options of a job that reads images: threads of each of its `number` processes, and what decodes for them.

    Apart, so that --cores 1, or more threads for a rule, leaves the config's number of workers.
    """

    def options(wildcards, threads):
        return f"--threads {max(1, (threads - WORKERS) // number)} --workers {WORKERS}"

    return options


def launcher():
    """What starts a training: python, or torchrun with a process for each GPU."""
    gpus = config["training"]["gpus"]
    return "python" if gpus == 1 else f"python -m torch.distributed.run --standalone --nproc-per-node {gpus}"


def dump_options():
    return options_of("dumps", "keep")


def probe_options():
    """How linear probes are trained; they see images as the network did."""
    return f"{options_of('probes')} {option('flip', config['training']['flip'])}"


def convergence_options():
    section = config["figures"]["A"]
    options = [option("batch-sizes", section["batch_sizes"])]
    return " ".join(options + [option(key, section[key]) for key in ("examples", "passes")])


def dumps_of(name, largest_seed):
    """The dumps of a configuration up to a seed."""
    return [f"{RESULTS}/models/{name}/seed{seed}/activations.h5" for seed in SEEDS[name] if seed <= int(largest_seed)]


def first_dumps(wildcards):
    return dumps_of(wildcards.model, wildcards.seed)


def second_dumps(wildcards):
    """The dumps of the second configuration of a pair; none where it is the first."""
    return [] if wildcards.model2 == wildcards.model else dumps_of(wildcards.model2, wildcards.seed)


def second_option(wildcards):
    return " ".join(["--second", *second_dumps(wildcards)]) if second_dumps(wildcards) else ""


def labels(networks):
    """The networks' names in their order, a parameter: Snakemake notices other input files, and no other order of them."""
    return [f"{model}/seed{seed}" for model, seed in networks]


def file_of(model, seed, name):
    return f"{RESULTS}/models/{model}/seed{seed}/{name}"


def alone(model, seed):
    """What a panel of one network with itself is drawn from: its file and the networks that it names."""
    return [(file_of(model, seed, "cka.h5"), [(model, seed)])]


def pairs(first, second):
    """What a panel of two configurations is drawn from: the groups of their pairs, and the networks of each."""
    second_seeds = None if first == second else SEEDS[str(second)]
    return [
        (
            f"{RESULTS}/pairs/{first}--{second}/seed{max(a, b)}.h5::seed{a}--seed{b}",
            [(first, a), (second, b)],
        )
        for a, b in study_config.seed_pairs(SEEDS[str(first)], second_seeds)
    ]


def panels_of(figure):
    """The panels of a figure, row by row: (name of the row, what its mean is taken over; nothing for an empty place)."""
    if figure in study_config.FIGURES_OF_ROWS:
        seed = config["figures"][figure]["seed"]
        rows = study_config.rows_of(config, figure).items()
        return [(row, alone(model, seed)) for row, models in rows for model in models]
    if figure == "fig1-seeds":
        models = study_config.models_of(config, figure)
        return [(str(model), alone(model, seed)) for model in models for seed in SEEDS[str(model)]]
    models = study_config.models_of(config, "fig5")
    # Above the diagonal of the matrix of configurations; below it would stand the same, transposed.
    return [
        (str(first), pairs(first, second)[: 1 if figure == "fig5" else None] if row <= column else [])
        for row, first in enumerate(models)
        for column, second in enumerate(models)
    ]


def component_figures():
    """The networks of each figure of first components, a row each: one seed in figure 3, all of them in appendix D."""
    if "fig3" not in config["figures"]:
        return {}
    models = study_config.models_of(config, "fig3")
    return {"fig3": [(model, config["figures"]["fig3"]["seed"]) for model in models], "D": seeds_of(models)}


def block_figures():
    """The networks of each figure of residual blocks: one seed in figure 4, all of them in appendix E."""
    if "fig4" not in config["figures"]:
        return {}
    models = study_config.models_of(config, "fig4")
    one_seed = [(model, config["figures"]["fig4"]["seed"]) for model in models]
    return {"fig4-probes": one_seed, "fig4-delete": one_seed, "E": seeds_of(models)}


def seeds_of(models):
    """(configuration, seed) of all seeds of a list of configurations."""
    return [(model, seed) for model in models for seed in SEEDS[str(model)]]


def heatmap_files(figure):
    """The files that a figure is drawn from."""
    return list(dict.fromkeys(source.split("::")[0] for _, parts in PANELS[figure] for source, _ in parts))


def networks_of(figure):
    """The networks that a heatmap figure shows, each once."""
    return list(dict.fromkeys(network for _, parts in PANELS[figure] for _, networks in parts for network in networks))


def in_braces(networks, name):
    """The files of `files_of` as bash expands them, a word a configuration: Linux takes no command above 128 KiB.

    The networks of a configuration must follow each other. A function, since Snakemake takes braces in a plain
    parameter for wildcards.
    """
    words = []
    for model, of_model in itertools.groupby(networks, key=lambda network: network[0]):
        seeds = ",".join(str(seed) for _, seed in of_model)
        words.append(file_of(model, f"{{{seeds}}}" if "," in seeds else seeds, name))

    def parameter(wildcards):
        return words

    return parameter


def files_of(networks, name):
    """One file of each of a list of (configuration, seed)."""
    return [file_of(model, seed, name) for model, seed in networks]


def tables_of_findings():
    """The tables behind the findings that only some studies have, by the option of scripts/decide_findings.py."""
    tables = {"blocks": ("E", BLOCK_FIGURES), "examples": ("fig6", COMPARED_BY_EXAMPLE)}
    tables |= {"agreement": ("G", COMPARED_BY_AGREEMENT), "convergence": ("A", CONVERGING)}
    return {name: f"{FIGURE}/{figure}.csv" for name, (figure, there) in tables.items() if there}


def family_option():
    """The family that figure 1 shows, where there is that figure: an option of decide_findings.py and make_explorer.py."""
    if "fig1" not in config["figures"]:
        return ""
    row, *_ = study_config.rows_of(config, "fig1").values()
    return option("family", row[0].family)


def report_label(figure, shows):
    """How the report lists a figure: one label only, since it takes a second one with two values for a switch."""
    return {"figure": f"{figure}: {shows}"}


def heatmap_options(figure):
    return " ".join(shlex.join(["--panel", row, *(source for source, _ in parts)]) for row, parts in PANELS[figure])


# Where the report lists each heatmap figure, and as what.
HEATMAPS = {
    "fig1": ("Similarity within a network", "one seed, by depth and by width"),
    "fig1-seeds": ("Similarity within a network", "every seed"),
    "fig2": ("Similarity within a network", "by depth and width on shares of the training set"),
    "C": ("Similarity within a network", "without residual connections"),
    "fig5": ("Similarity between networks", "one pair of networks"),
    "F": ("Similarity between networks", "mean over pairs of seeds"),
}
# The networks of fig5 are those of F too.
FIGURES = [figure for figure in HEATMAPS if ("fig5" if figure == "F" else figure) in config["figures"]]
PANELS = {figure: panels_of(figure) for figure in FIGURES}
# The figures of first components, and the networks in each.
COMPONENT_FIGURES = component_figures()
COMPONENT_TITLES = {"fig3": "components and CKA without them", "D": "the same, every seed"}
# The figures of residual blocks, and the networks in each.
BLOCK_FIGURES = block_figures()
BLOCK_TITLES = {
    "fig4-probes": "linear probes around the residual additions",
    "fig4-delete": "accuracy without residual blocks",
    "E": "probes and deletion, every seed",
}
# The networks whose predictions figure 6 and appendix G compare.
COMPARED_BY_EXAMPLE = (
    # Sorted, so that the order of the grid cannot decide between two pairs that are equally close.
    seeds_of(sorted(study_config.compared_in_figure_6(config), key=str))
    if "fig6" in config["figures"]
    else []
)
COMPARED_BY_AGREEMENT = seeds_of(study_config.models_of(config, "G")) if "G" in config["figures"] else []
CONVERGING = (
    [(study_config.models_of(config, "A")[0], config["figures"]["A"]["seed"])] if "A" in config["figures"] else []
)
PREDICTION_FIGURES = ["fig6-examples", "fig6-classes"] * bool(COMPARED_BY_EXAMPLE) + ["G"] * bool(COMPARED_BY_AGREEMENT)
FIGURE_FILES = [
    f"{FIGURE}/{figure}.{suffix}"
    for figure in [*FIGURES, *COMPONENT_FIGURES, *BLOCK_FIGURES, *PREDICTION_FIGURES, *["A"] * bool(CONVERGING), "B"]
    for suffix in ("pdf", "png", "csv")
]
# The pairs behind fig5 and F, and the networks in them.
PAIR_FILES = heatmap_files("F") if "F" in PANELS else []
PAIRED = networks_of("F") if "F" in PANELS else []
ALL = [(model, seed) for model, seeds in SEEDS.items() for seed in seeds]
TRAINING_RANKS = {
    network: rank for rank, network in enumerate(sorted(ALL, key=lambda network: SEEDS[network[0]].index(network[1])))
}
PROBED = BLOCK_FIGURES.get("E", [])
NETWORK_FILES = files_of(ALL, "model.safetensors") + files_of(ALL, "cka.h5")


# What takes seconds, or depends on data that may be there: where the study is planned, not in the process of each job.
if workflow.is_main_process:
    place = " ".join(map(str, workflow.configfiles))
    try:
        if config["figures"]["colour_map"] != "magma":
            from widedeep import plots

            plots.colours_of(config["figures"]["colour_map"])
        if described():
            place += f" ({DATA} is there; delete it if your images have changed)"
            study_config.check_examples(config, described().train_examples, described().test_examples)
    except UserError as error:
        raise WorkflowError(f"{place}: {error}") from None
