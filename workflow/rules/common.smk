"""The study of the config, and what only Snakemake can make of its jobs; all else is in scripts/widedeep/study/."""

import functools
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import available_cpu_count


def folder_of_code():
    """The folder of this workflow; not workflow.basedir, which in a module is that of the workflow that uses it.

    Of a module on GitHub or GitLab Snakemake fetches single files. The programs need all of them, so its commit is
    checked out below the working directory.
    """
    here = workflow.current_basedir
    if here.is_local:
        return Path(here).parents[1]
    repository = here.hosted_repo.repo
    commit = repository.commit(here.ref).hexsha
    folder = Path.cwd() / ".snakemake/workflow" / commit
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            repository.clone(f"{unfinished}/code").git.checkout(commit)
            os.rename(f"{unfinished}/code", folder)
    return folder


SCRIPTS = folder_of_code() / "scripts"
if {"{", "}"} & {*str(SCRIPTS)}:
    raise WorkflowError(f"{SCRIPTS.parent}: Snakemake takes braces in this path for wildcards; rename the folder.")
sys.path.insert(0, str(SCRIPTS))

from widedeep.data import catalogue
from widedeep.measures import kinds
from widedeep.names import label
from widedeep.networks import families
from widedeep.paper import FIGURES
from widedeep.planning import requests
from widedeep.planning.costs import Costs
from widedeep.planning.images import expected_images
from widedeep.planning.sizes import estimated
from widedeep.runtime import environment, events, files, limits
from widedeep.runtime.errors import UserError
from widedeep.runtime.options import option, words
from widedeep.study import checks, commands, drawings, fingerprint, jobs, places, reading
from widedeep.study.places import ANY, measure_name, pairs_name

environment.name_user()
try:
    # Snakemake has read these files by itself: what is refused in them is no longer there to be seen in the config.
    for path in workflow.configfiles:
        reading.content(path)
except UserError as error:
    raise WorkflowError(str(error)) from None
try:
    STUDY = checks.checked(config)
except UserError as error:
    raise WorkflowError(f"{' '.join(map(str, workflow.configfiles))}: {error}") from None
# The report shows the config with its defaults.
config.update(STUDY.dump())

PLACES = STUDY.places
JOBS = jobs.jobs_of(STUDY)
# The only job of a rule that has one.
JOB = {job.rule: job for job in JOBS if not job.networks}
BY_NAME = {job.name: job for job in JOBS}
KNOWN_DATA = STUDY.dataset.name in catalogue.WITH_SOURCES
PAIRS = pairs_name("{model}", "{model2}", "{seed}")
MEASURES = measure_name(ANY, "{measure}")
# Threads of a job that reads images, and of a training: each process that decodes counts as one.
WORKERS = STUDY.dataset.workers
THREADS = 1 + WORKERS
TRAINING_THREADS = STUDY.training.gpus + WORKERS
# Whether jobs go to a cluster; Snakemake does not know its executor yet, but only then a number of jobs.
ON_CLUSTER = workflow.global_resources["_nodes"].value is not None
PRIORITIES = commands.training_priorities(STUDY)


wildcard_constraints:
    model="|".join(re.escape(str(configuration)) for configuration in STUDY.configurations),
    model2="|".join(re.escape(str(configuration)) for configuration in STUDY.configurations),
    seed=r"\d+",
    measure="|".join(kinds.further()),


def inputs(rule):
    """The named inputs of a rule that has a job for each network, or a single one."""
    return with_verified_data(jobs.files_of(STUDY, rule)[0] if rule in jobs.STAGES else JOB[rule].inputs)


def outputs(rule):
    """The named outputs of such a rule."""
    return jobs.files_of(STUDY, rule)[1] if rule in jobs.STAGES else JOB[rule].outputs


def with_verified_data(named):
    """The content of a known data set is fixed by its checksum, so the age of its file says nothing."""
    return named | ({"data": ancient(named["data"])} if KNOWN_DATA and "data" in named else {})


def job_of(wildcards, rule):
    """The jobs.Job of a rule with these wildcards."""
    if wildcards.get("model2"):
        return BY_NAME[pairs_name(wildcards.model, wildcards.model2, wildcards.seed)]
    if wildcards.get("measure"):
        return BY_NAME[measure_name(label(wildcards.model, wildcards.seed), wildcards.measure)]
    return BY_NAME[f"{wildcards.model}/seed{wildcards.seed}/{rule}"] if rule in jobs.STAGES else JOB[rule]


def network_of(wildcards):
    """The names.Network of the model and seed in wildcards."""
    (network,) = job_of(wildcards, "train").networks
    return network


def program(script, launcher="python"):
    """The start of a stage's command, as a resource, since the code may move without a rerun."""
    return f"{launcher} {shlex.quote(places.from_here(SCRIPTS / script))}"


def code(script, *more):
    """A stage's code, as a parameter: see widedeep/study/fingerprint.py."""
    return fingerprint.of_script(SCRIPTS / script, *more)


def code_with_family(script):
    """The code of a stage that builds networks, with the file of their family."""

    def fingerprint_of_both(wildcards):
        return code(script, families.path_of(network_of(wildcards).configuration.family))

    return fingerprint_of_both


def code_with_measure(script):
    """The code of a stage that computes a measure, with the file of the measure."""

    def fingerprint_of_both(wildcards):
        return code(script, SCRIPTS / f"widedeep/measures/kinds/{wildcards.measure}.py")

    return fingerprint_of_both


def code_of_explorer():
    """The code of the explorer: its script, the families whose layers it shows, the parts of its page."""
    used = sorted({families.path_of(configuration.family) for configuration in STUDY.configurations})
    page = sorted((SCRIPTS / "widedeep/figures/explorer/parts").iterdir())
    return [code("make_explorer.py", *used), *(files.checksum(part)[:16] for part in page)]


def verbatim(text):
    """A parameter with braces, which Snakemake takes for wildcards where it is not a function's."""

    def parameter(wildcards):
        return text

    return parameter


@functools.cache
def data_description():
    """The dataset.Description of the user's own data set; None until its file is there and whole."""
    if KNOWN_DATA or not Path(PLACES.data).exists():
        return None
    from widedeep.formats import dataset

    try:
        return dataset.describe(PLACES.data)
    except UserError:
        return None


def data_fingerprint(wildcards):
    """Fingerprint of images without a known checksum: the code that reads them, names and sizes of their files.

    If the folder of images is missing or has a fault, as on another machine, the data set's file gives the names and
    sizes. Streamed images are too many to be looked at each time.
    """
    section = STUDY.dataset
    if KNOWN_DATA:
        # The checksum is of the whole images, which are then scaled down.
        return code("widedeep/data/loading.py") if section.image_size else ""
    if own_file := catalogue.own_file(section.name):
        return code("widedeep/data/folders.py", own_file)
    of_code = code("widedeep/data/folders.py")
    if section.stream:
        return of_code
    from widedeep.data import folders

    try:
        return f"{of_code} {folders.checksum(os.path.expanduser(section.folder))}"
    except (UserError, OSError):
        return f"{of_code} {data_description().listed}" if data_description() else of_code


@functools.cache
def costs():
    return Costs(STUDY, expected_images(STUDY, data_description()), estimated)


def memory(rule):
    """Megabytes of a job of a rule, as a resource: what it asks a cluster for; on one machine what it is likely to take."""

    def resource(wildcards, attempt):
        job = job_of(wildcards, rule)
        return requests.megabytes(costs(), job, attempt) if ON_CLUSTER else requests.likely_megabytes(costs(), job)

    return resource


@functools.cache
def on_gpu(rule):
    """Whether profile or command line give the jobs of a rule a GPU."""
    settings = workflow.resource_settings
    given = [settings.default_resources or {}, settings.overwrite_resources.get(rule, {})]
    return requests.gives_gpu({name: resource.raw for part in given for name, resource in part.items()})


def minutes(rule):
    """Minutes that a job of a rule asks for, as a resource."""

    def resource(wildcards, attempt):
        return requests.minutes(costs(), job_of(wildcards, rule), attempt, on_gpu(rule))

    return resource


def processes(number=1):
    """The options of a job that reads images: threads of each of its `number` processes, and the workers.

    Apart, so that --cores 1, or more threads for a rule, leaves the config's number of workers.
    """

    def options(wildcards, threads):
        return f"--threads {max(1, (threads - WORKERS) // number)} --workers {WORKERS}"

    return options


def in_report(rule):
    """The outputs of a drawing, its pictures listed in the report with their captions."""
    by_picture = {f"{figure.id}.png": figure for figure in FIGURES.values()}

    def listed(path):
        figure = by_picture.get(Path(path).name)
        if figure is None:
            return path
        return report(
            path,
            caption=f"../report/{figure.id}.rst",
            category=figure.category,
            labels=report_label(figure.id, figure.title),
        )

    return {name: [listed(path) for path in paths] for name, paths in outputs(rule).items()}


def report_label(name, shows):
    """How the report lists a file: one label only, since it takes a second one with two values for a switch."""
    return {"figure": f"{name}: {shows}"}


# Progress and runs follow this file, however Snakemake was started (widedeep/runtime/events.py).
if workflow.is_main_process and (not workflow.dryrun or events.ELSEWHERE in os.environ):
    logger.addHandler(events.Handler(events.path_from_environment(PLACES.events)))

# `cores: all` counts cores beyond the quota of a container or of a Slurm job.
if workflow.is_main_process and limits.cores() < available_cpu_count() == workflow.global_resources["_cores"].value:
    logger.info(f"Cores by the quota of the cgroup: {limits.cores()}")
    workflow.global_resources["_cores"] = limits.cores()

# Jobs that run here at a time share the memory that is free now; one that may need more runs alone. A limit that the user
# gives stays. Not 0, with which jobs count as if they took none.
if workflow.is_main_process and not ON_CLUSTER and limits.free_memory() is not None:
    workflow.global_resources.setdefault("mem_mb", max(1, limits.free_memory() // 10**6))

# What takes seconds, or depends on data that may be there: where the study is planned, not in the process of each job.
if workflow.is_main_process:
    place = " ".join(map(str, workflow.configfiles))
    try:
        if STUDY.figures.colour_map != "magma":
            from widedeep.figures import style

            style.colours_of(STUDY.figures.colour_map)
        if data_description():
            place += f" ({PLACES.data} is there; delete it if your images have changed)"
            checks.check_examples(STUDY, data_description().train_examples, data_description().test_examples)
    except UserError as error:
        raise WorkflowError(f"{place}: {error}") from None
