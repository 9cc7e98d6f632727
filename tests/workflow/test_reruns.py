"""What a change reruns and what it does not: dry runs after a real run."""

import os
import shutil
import subprocess

import pytest
import study
from reruns import TINY, Graph, add

STUDY = Graph(TINY)
reruns, new = STUDY.reruns, STUDY.new


def set_key(section, key, value):
    return lambda study: study.edit_config(lambda config: config[section].update({key: value}))


def edit(path, old, new):
    return lambda study: study.edit(path, old, new)


def delete(path):
    return lambda study: (study.results / path).unlink()


def add_seed(study):
    study.edit_config(lambda config: config["grid"][0].update(seeds=[1, 2, 3]))


def add_figure_2(study):
    row = {"depths": [8, 14], "width": 1}
    figure = {"depth_row": row, "fractions": [1], "seed": 1}
    study.edit_config(lambda config: config["figures"].update(fig2=figure))


def add_plain_networks(study):
    def change(config):
        config["grid"].append({"family": "plain", "depths": [8], "widths": [1], "seeds": [1]})
        rows = {"depth_row": {"depths": [8], "width": 1}, "width_row": {"depth": 8, "widths": [1]}}
        config["figures"]["C"] = {**rows, "seed": 1}

    study.edit_config(change)


def remove_depth(study):
    def change(config):
        config["grid"][0]["depths"] = [8]
        config["figures"]["fig1"]["depth_row"]["depths"] = [8]
        del config["figures"]["fig6"]
        config["figures"]["A"]["model"] = {"depth": 8, "width": 1}
        for figure in ("fig1-seeds", "fig3", "fig4", "fig5", "G"):
            config["figures"][figure]["models"] = [{"depth": 8, "width": 1}]

    study.edit_config(change)


def touch_everything(study):
    for path in study.folder.rglob("*"):
        if path.suffix in (".py", ".smk", ".rst", ".yaml", ".yml") or path.name == "Snakefile":
            os.utime(path)


def comment_everything(study):
    for path in (study.folder / "scripts").rglob("*.py"):
        path.write_text(path.read_text() + "\n# A comment.\n")


def forget_dumps(study):
    for path in study.results.glob("models/*/*/activations.h5"):
        path.unlink()


def remake_the_data_file(study):
    """As a second download would."""
    path = study.folder / "data/digits/dataset.h5"
    shutil.copyfile(path, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


CHANGES = {
    "nothing": (lambda _: None, {}),
    "all files touched, as by git checkout": (touch_everything, {}),
    "a comment in every script and module": (comment_everything, {}),
    "a caption": (edit("workflow/report/fig1.rst", "Section 3", "In section 3"), {}),
    "the conda environment": (edit("environment.yml", "name: widedeep", "name: other"), {}),
    "how often checkpoints are written": (set_key("training", "checkpoint_minutes", 1), {}),
    "whether dumps are kept": (set_key("dumps", "keep", False), {}),
    "threads": (edit("workflow/rules/common.smk", "THREADS = 1 +", "THREADS = 2 +"), {}),
    "the download's code": (edit("scripts/widedeep/data/transfer.py", "_TIMEOUT = 60", "_TIMEOUT = 70"), {}),
    "where the images come from": (set_key("dataset", "source", "embedded"), {}),
    "a new file of the same data": (remake_the_data_file, {}),
    "how files are written": (edit("scripts/widedeep/runtime/files.py", "indent=2", "indent=3"), {}),
    "what is told of a run": (edit("scripts/widedeep/runtime/provenance.py", "timeout=60", "timeout=50"), {}),
    "a default written out": (set_key("training", "momentum", 0.9), {}),
    "a width of 1.0 in place of 1": (
        lambda study: study.edit_config(lambda config: config["grid"][0].update(widths=[1.0])),
        {},
    ),
    "the dumps deleted": (forget_dumps, {}),
    "a figure deleted": (delete("figures/fig5.png"), reruns("fig5")),
    "a network's CKA deleted": (
        delete("models/digits-resnet8-w1-f100/seed2/cka.h5"),
        reruns("digits-resnet8-w1-f100/seed2/compute_cka"),
    ),
    "the colour map": (set_key("figures", "colour_map", "viridis"), reruns(STUDY.drawn)),
    "the style of all figures": (
        edit("scripts/widedeep/figures/style.py", "aspect=18", "aspect=19"),
        reruns(STUDY.drawn),
    ),
    "the heatmaps' code": (
        edit("scripts/widedeep/figures/heatmaps.py", "linewidth=1.8", "linewidth=1.9"),
        reruns("fig1 fig1-measures fig1-seeds fig3 D fig4-probes fig4-delete E fig5 F"),
    ),
    "the code of first components": (
        edit("scripts/widedeep/analysis/first_components.py", "_MOST_STEPS = 60", "_MOST_STEPS = 61"),
        reruns("dump_activations"),
    ),
    "the code of figure 3": (edit("scripts/plot_components.py", 'part["cka"], ', 'part["c"], '), reruns("fig3 D")),
    "the summary's code": (edit("scripts/summarise.py", "0.95)", "0.99)"), reruns("summarise")),
    "which seed figure 1 shows": (
        lambda study: study.edit_config(lambda config: config["figures"]["fig1"].update(seed=2)),
        reruns("fig1 fig1-measures", compute_measure=4),
    ),
    "one seed more": (
        add_seed,
        new(2, "D E fig6 G fig1-seeds F summarise_pairs", compute_pairs=3, probe_residual_blocks=1),
    ),
    "one width more": (
        add(widths=[3]),
        new(1),
    ),
    "a rule of the findings": (
        edit("scripts/widedeep/findings/verdicts.py", "WORSE = 0.2", "WORSE = 0.3"),
        reruns("findings"),
    ),
    "the explorer's page": (
        edit("scripts/widedeep/figures/explorer/parts/page.css", "display: grid;", "display: flex;"),
        reruns("explorer"),
    ),
    "the explorer's code": (
        edit("scripts/widedeep/figures/explorer/contents.py", "default=0) / 2", "default=0) / 3"),
        reruns("explorer"),
    ),
    "one fraction more": (
        add(fractions=[0.5]),
        new(1),
    ),
    "a figure of networks that are there": (add_figure_2, {"cka_by_share_of_data": 1}),
    "networks without residual connections": (
        add_plain_networks,
        new(1, cka_without_residuals=1),
    ),
    "one depth less": (
        remove_depth,
        reruns(
            "fig1 fig1-measures fig1-seeds fig3 D fig4-probes fig4-delete E fig5 F A G B "
            "provenance summarise summarise_pairs",
            probe_residual_blocks=2,
        ),
    ),
    "CKA's script": (edit("scripts/compute_cka.py", "first.layers", "second.layers"), reruns("compute_cka")),
    "a measure more": (
        lambda study: study.edit_config(lambda config: config["measures"].append("mutual_knn")),
        {"compute_measure": 2, "measures_by_depth_and_width": 1},
    ),
    "the code of a measure": (
        edit("scripts/widedeep/measures/kinds/rbf_cka.py", "_WIDTH = 0.8", "_WIDTH = 0.4"),
        {"compute_measure": 2, "measures_by_depth_and_width": 1},
    ),
    "code that some measures share": (
        edit("scripts/widedeep/measures/factors.py", "np.float32).eps", "np.float64).eps"),
        {"compute_measure": 2, "measures_by_depth_and_width": 1},
    ),
    "the code of a measure that is not asked for": (
        edit("scripts/widedeep/measures/kinds/svcca.py", "_VARIANCE = 0.99", "_VARIANCE = 0.9"),
        {},
    ),
    "a measure's file deleted": (
        delete("models/digits-resnet8-w1-f100/seed1/measures/procrustes.h5"),
        {"compute_measure": 1, "measures_by_depth_and_width": 1},
    ),
    "CKA's estimator": (
        edit("scripts/widedeep/measures/gram_matrices.py", "_CONSTANT = 16.0**2", "_CONSTANT = 15.0**2"),
        reruns("A dump_activations"),
    ),
    "the number of passes": (set_key("dumps", "passes", 2), reruns("dump_activations")),
    "the dump's script": (edit("scripts/dump_activations.py", '"test")', '"test",)'), reruns("dump_activations")),
    "the probes' learning rate": (set_key("probes", "learning_rate", 0.02), reruns("probe_residual_blocks")),
    "the code of deletion": (
        edit("scripts/widedeep/analysis/deletion.py", "reversed(", "sorted("),
        reruns("probe_residual_blocks"),
    ),
    "the code of the KL divergence": (
        edit("scripts/widedeep/analysis/agreement.py", "maximum(", "minimum("),
        reruns("G"),
    ),
    "the code of Welch's test": (
        edit("scripts/widedeep/analysis/examples.py", "> 1e-12", "> 1e-11"),
        reruns("fig6"),
    ),
    "the learning rate": (set_key("training", "learning_rate", 0.01), reruns("train")),
    "the training's code": (
        edit("scripts/widedeep/training/recipe.py", "math.ceil(10 *", "math.ceil(20 *"),
        reruns("train"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_reruns_exactly(copied, name):
    change, expected = CHANGES[name]
    change(copied)
    assert copied.jobs_of_dry_run() == expected


def test_networks_of_code_that_only_moved_can_be_kept(copied):
    """As the change log advises after a move of code: trainings count as done."""
    copied.edit("scripts/widedeep/training/recipe.py", "math.ceil(10 *", "math.ceil(20 *")
    assert "train" in copied.jobs_of_dry_run()
    weights = {path: path.read_bytes() for path in copied.results.glob("models/*/*/model.safetensors")}
    copied.snakemake("--touch", "--until", "train")
    assert "train" not in copied.jobs_of_dry_run()
    assert {path: path.read_bytes() for path in weights} == weights


def test_a_caption_remakes_the_report_and_nothing_else(copied):
    copied.edit("workflow/report/fig1.rst", "Section 3", "In the third section")
    said = copied.run_study().stdout
    assert "Making the report" in said
    assert "Nothing to do" in said
    assert "In the third section" in (copied.results / "report.html").read_text()


@pytest.mark.whole
def test_one_seed_more_runs_to_the_end_and_leaves_the_old_files_alone(copied):
    old = {path: path.stat().st_mtime_ns for path in copied.results.glob("models/**/*") if path.is_file()}
    old |= {path: path.stat().st_mtime_ns for path in copied.results.glob("pairs/**/*.h5")}
    add_seed(copied)
    copied.run_study()
    assert {path: path.stat().st_mtime_ns for path in old} == old
    assert (copied.results / "models/digits-resnet14-w1-f100/seed3/cka.h5").exists()
    assert copied.jobs_of_dry_run() == {}


@pytest.mark.whole
def test_one_depth_less_deletes_nothing_and_runs_what_aggregates(copied):
    before = {path: path.stat().st_mtime_ns for path in copied.results.rglob("*") if path.is_file()}
    remove_depth(copied)
    said = copied.run_study().stdout
    assert "Finished." in said
    assert all(path.exists() for path in before)
    kept = [path for path in before if {"models", "pairs"} & set(path.parts) and path.suffix in (".h5", ".safetensors")]
    assert len(kept) > 20
    assert [path for path in kept if path.stat().st_mtime_ns != before[path]] == []
    assert copied.jobs_of_dry_run() == {}


@pytest.mark.parametrize("metadata", [True, False])
def test_results_in_a_fresh_checkout_rerun_nothing(finished, tmp_path, metadata):
    """Without Snakemake's own notes too, as long as nothing changes: then it has nothing to compare with."""
    fresh = study.Study.new(tmp_path)
    for name in ("results", "data", *[".snakemake/metadata"] * metadata):
        (fresh.folder / name).parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", finished.folder / name, (fresh.folder / name).parent], check=True)
    assert fresh.jobs_of_dry_run() == {}
    set_key("training", "learning_rate", 0.01)(fresh)
    assert fresh.jobs_of_dry_run() == (reruns("train") if metadata else {})
