"""The list of jobs, without Snakemake: a graph in order, with the edges that a table by hand expects."""

import collections
import shlex
from pathlib import Path

import bash
import pytest

from widedeep.names import Network
from widedeep.study import checks, jobs
from widedeep.study.jobs import jobs_of

# Whose outputs each rule reads.
READS = {
    "download": "",
    "train": "download",
    "dump_activations": "download train",
    "compute_cka": "dump_activations",
    "compute_measure": "dump_activations",
    "probe_residual_blocks": "download train",
    "compute_pairs": "dump_activations",
    "cka_by_depth_and_width": "compute_cka train",
    "measures_by_depth_and_width": "compute_measure train",
    "cka_by_seed": "compute_cka train",
    "cka_by_share_of_data": "compute_cka train",
    "cka_without_residuals": "compute_cka train",
    "cka_between_networks": "compute_pairs train",
    "cka_between_networks_mean": "compute_pairs train",
    "first_components": "compute_cka dump_activations train",
    "first_components_by_seed": "compute_cka dump_activations train",
    "linear_probes": "compute_cka probe_residual_blocks train",
    "deleted_blocks": "compute_cka probe_residual_blocks train",
    "probes_and_deletion_by_seed": "compute_cka probe_residual_blocks train",
    "wide_against_deep": "download dump_activations train",
    "prediction_agreement": "dump_activations train",
    "cka_convergence": "download train",
    "training_curves": "train",
    "accuracy_table": "train",
    "summarise": "compute_cka dump_activations train",
    "summarise_pairs": "compute_pairs compute_cka",
    "findings": (
        "summarise summarise_pairs probes_and_deletion_by_seed wide_against_deep prediction_agreement cka_convergence"
    ),
    "provenance": "dump_activations train",
    "explorer": "compute_cka compute_pairs download dump_activations findings probe_residual_blocks train",
}
# No figure of the paper: neither the demo nor the paper's grid has it.
OWN = "training_curves"
MEASURES = {"compute_measure", "measures_by_depth_and_width"}
CONFIGS = [*sorted(map(str, Path("config").glob("*.yaml"))), "tests/workflow/tiny.yaml"]


@pytest.fixture(scope="module")
def studies():
    """dict from the path of each shipped config to its study."""
    return {path: checks.read(path) for path in CONFIGS}


def writers_of(made):
    """dict from each path that is written to the jobs that write it."""
    writers = collections.defaultdict(list)
    for job in made:
        for path in job.writes:
            writers[path].append(job)
    return writers


@pytest.mark.parametrize("path", CONFIGS)
def test_each_file_that_is_read_is_written_once_by_a_job_before(studies, path):
    made = jobs_of(studies[path])
    writers, places = writers_of(made), {job.name: place for place, job in enumerate(made)}
    assert [path for path, several in writers.items() if len(several) > 1] == []
    for job in made:
        for read in job.reads:
            (writer,) = writers[read]
            assert places[writer.name] < places[job.name], f"{job.name} reads {read} before it is written"


@pytest.mark.parametrize("path", CONFIGS)
def test_rules_read_the_outputs_of_the_rules_that_a_table_by_hand_says(studies, path):
    made = jobs_of(studies[path])
    writers, found = writers_of(made), collections.defaultdict(set)
    for job in made:
        found[job.rule].update(writer.rule for read in job.reads for writer in writers[read])
    for rule, read in found.items():
        # A study without a figure lacks what only that figure needs; without figure 5 there are no pairs.
        without_pairs = rule == "summarise_pairs" and "fig5" not in studies[path].sections
        assert read == ({*READS[rule].split()} & {*found} if not without_pairs else set()), rule


def test_the_demo_has_a_job_of_every_rule_of_the_paper(studies):
    assert {job.rule for job in jobs_of(studies["config/demo.yaml"])} == {*READS} - {OWN}


@pytest.mark.parametrize("path", CONFIGS)
def test_every_job_has_a_name_a_log_and_a_timing_of_its_own(studies, path):
    made = jobs_of(studies[path])
    for of_each in ([job.name for job in made], [job.log for job in made], [job.timing for job in made]):
        assert len({*of_each}) == len(made)
    keys = {(job.rule, tuple(job.wildcards.items())) for job in made}
    assert len(keys) == len(made)


@pytest.mark.parametrize("path", CONFIGS)
def test_targets_are_outputs_and_those_of_every_job_but_what_lies_beside_networks(studies, path):
    made = jobs_of(studies[path])
    writers, targets = writers_of(made), jobs.targets_of(made)
    assert {*targets} <= {*writers}
    assert len({*targets}) == len(targets)
    asked = {(writers[path][0].rule, Path(path).name) for path in targets if writers[path][0].networks}
    further = {("compute_measure", f"{measure}.h5") for measure in studies[path].measures}
    assert asked == {("train", "model.safetensors"), ("compute_cka", "cka.h5")} | further
    drawn = {path for job in made if not job.networks and job.rule != "download" for path in job.writes}
    assert drawn <= {*targets}


def behind(made, targets):
    """Names of all jobs that files need."""
    writers, waiting, found = writers_of(made), [*targets], set()
    while waiting:
        (job,) = writers[waiting.pop()]
        if job.name not in found:
            found.add(job.name)
            waiting += job.reads
    return found


@pytest.mark.parametrize("path", CONFIGS)
def test_no_job_is_in_vain(studies, path):
    made = jobs_of(studies[path])
    assert behind(made, jobs.targets_of(made)) == {job.name for job in made}


def test_the_jobs_of_the_papers_grid(studies):
    study = studies["config/cifar10.yaml"]
    counts = collections.Counter(job.rule for job in jobs_of(study))
    # 310 of the grid of depths and widths, 280 more for figure 6, 120 on shares of the data, 24 without residuals.
    networks = (11 + 5 * 4) * 10 + (90 + 190) + (5 + 3) * 3 * 5 + 4 * 2 * 3
    assert networks == 734
    # Four configurations in figure 5. Twenty pairs within one end at seed 7, twenty between two at seed 5.
    pairs = 4 * 6 + 6 * 5
    # Four configurations of ten seeds in figure 4.
    of_networks = {
        "train": networks,
        "dump_activations": networks,
        "compute_cka": networks,
        "compute_pairs": pairs,
        "probe_residual_blocks": 40,
    }
    assert counts == {**dict.fromkeys(READS.keys() - MEASURES - {OWN}, 1), **of_networks}
    assert counts.total() == 2317


def test_pairs_read_all_dumps_up_to_their_seed_and_hold_their_larger_one(studies):
    study = studies["config/cifar10.yaml"]
    first, second = study.shown("fig5")[:2]
    across = jobs.pairs_job(study, first, second, 3)
    assert across.inputs == {
        side: [study.places.of_network(Network(one, seed), "activations.h5") for seed in (1, 2, 3)]
        for side, one in (("first", first), ("second", second))
    }
    within = jobs.pairs_job(study, first, first, 3)
    assert within.inputs == {"first": across.inputs["first"], "second": []}
    assert within.wildcards == {"model": str(first), "model2": str(first), "seed": 3}
    assert within.writes == [f"results/cifar10/pairs/{first}--{first}/seed3.h5"]


def test_a_further_measure_is_computed_once_for_each_network_of_figure_1(studies):
    study = studies["tests/workflow/tiny.yaml"]
    made = [job for job in jobs_of(study) if job.rule == "compute_measure"]
    labels = ["digits-resnet8-w1-f100/seed1", "digits-resnet14-w1-f100/seed1"]
    found = [(job.measure, str(*job.networks)) for job in made]
    assert found == [(measure, label) for measure in ("rbf_cka", "procrustes") for label in labels]
    (job,) = (job for job in made if job.name == f"{labels[0]}/measures/rbf_cka")
    assert job.reads == [f"results/tiny/models/{labels[0]}/activations.h5"]
    assert job.writes == [f"results/tiny/models/{labels[0]}/measures/rbf_cka.h5"]
    assert job.wildcards == {"model": "digits-resnet8-w1-f100", "seed": 1, "measure": "rbf_cka"}


def test_rules_for_any_network_fit_each_of_its_jobs(studies):
    study = studies["tests/workflow/tiny.yaml"]
    for job in jobs_of(study):
        if job.rule in jobs.STAGES:
            for any_network, own in zip(jobs.files_of(study, job.rule), (job.inputs, job.outputs), strict=True):
                assert {name: path.format(**job.wildcards) for name, path in any_network.items()} == own


# Command lines, as bash takes them.


@pytest.mark.parametrize("path", CONFIGS)
def test_bash_finds_in_the_arguments_what_a_job_reads_and_writes(studies, path):
    study, seen = studies[path], 0
    for job in jobs_of(study):
        if not job.arguments:
            continue
        words = bash.words(job.arguments)
        paths = [word.partition("::")[0] for word in words if word.startswith(("results/", "data/"))]
        if job.rule in READS and job.name.startswith("figures/"):
            assert {*paths} == {*job.reads, *job.writes}, job.name
        elif job.rule in ("summarise", "provenance", "explorer"):
            folders = [path for path in paths if path.endswith("/")]
            assert folders == [study.places.of_network(network, "") for network in study.networks], job.name
        else:
            assert {*paths} <= {*job.reads}, job.name
        assert len(job.arguments) < 128 * 2**10
        seen += 1
    assert seen > 5


def test_the_paths_of_an_option_keep_their_order(studies):
    study = studies["config/cifar10.yaml"]
    (job,) = (job for job in jobs_of(study) if job.rule == "accuracy_table")
    words = bash.words(job.arguments)
    start = words.index("--metrics") + 1
    assert words[start : start + 734] == job.inputs["metrics"]
    assert len(job.arguments) < 10_000


@pytest.mark.parametrize(
    "paths",
    [
        ["a/seed1/x", "a/seed2/x", "a/seed10/x"],
        ["a/seed1/x", "b/seed1/x", "b/seed2/x", "a/seed2/x"],
        ["a/seed1/x", "a/seed2/y"],
        ["one"],
        [],
        ["a b", "{1,2}", "$HOME", "`id`", "'", '"', "*", "~", "a\\b", "# x", ""],
        ["a/seed1/$x.h5"],
    ],
    ids=str,
)
def test_bash_makes_the_paths_of_the_words_of_an_option(paths):
    assert bash.words(" ".join(jobs.arguments_of({"some_files": paths}))) == ["--some-files", *paths]
    assert bash.words(" ".join(jobs.arguments_of({"": paths, "one": 2.5}))) == [*paths, "--one", "2.5"]


def test_titles_of_rows_with_any_character_are_one_word(studies):
    study = studies["config/cifar10.yaml"]
    (job,) = (job for job in jobs_of(study) if job.rule == "cka_by_share_of_data")
    words = bash.words(job.arguments)
    rows = [words[place + 1] for place, word in enumerate(words) if word == "--panel"]
    assert [*dict.fromkeys(rows)] == [*study.sections["fig2"].shown("cifar10")]
    assert shlex.quote(rows[0]) in job.arguments
