"""What a change reruns and what it does not: dry runs after a real run."""

import os
import shutil
import subprocess

import pytest
import study

HEATMAPS = {"fig1": 1, "fig1-seeds": 1, "fig5": 1, "F": 1}
BLOCKS = {"fig4-probes": 1, "fig4-delete": 1, "E": 1}
COMPONENTS = {"fig3": 1, "D": 1}
DRAWN = {**HEATMAPS, **COMPONENTS, **BLOCKS}
PREDICTED = {"fig6": 1, "G": 1}
ALL_DRAWN = {**DRAWN, **PREDICTED, "A": 1, "B": 1}
DECIDED = {"findings": 1, "explorer": 1}
TABLES = {"summarise": 1, **DECIDED}
BEHIND_CKA = {**DRAWN, **TABLES, "summarise_pairs": 1}
WITHIN = {"compute_cka": 6, "fig1": 1, "fig1-seeds": 1, **COMPONENTS, **BLOCKS, **TABLES}
BEHIND_DUMPS = {"compute_cka": 6, "compute_pairs": 4, **BEHIND_CKA}
BEHIND_MODELS = {"dump_activations": 6, "provenance": 1, **PREDICTED, **BEHIND_DUMPS}
BEHIND_PROBES = {"probe_blocks": 2, **BLOCKS, **DECIDED}
BEHIND_TRAINING = {"A": 1, "train": 6, "B": 1, **BEHIND_PROBES, **BEHIND_MODELS}


def set_key(section, key, value):
    return lambda study: study.edit_config(lambda config: config[section].update({key: value}))


def edit(path, old, new):
    return lambda study: study.edit(path, old, new)


def delete(path):
    return lambda study: (study.results / path).unlink()


def add_seed(study):
    study.edit_config(lambda config: config["grid"][0].update(seeds=[1, 2, 3]))


def add_width(study):
    study.edit_config(lambda config: config["grid"].append({"depths": [8], "widths": [3], "seeds": [1]}))


def add_fraction(study):
    study.edit_config(
        lambda config: config["grid"].append({"depths": [8], "widths": [1], "seeds": [1], "fractions": [0.5]})
    )


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
    "a figure deleted": (delete("figures/fig5.png"), {"fig5": 1}),
    "a network's CKA deleted": (
        delete("models/digits-resnet8-w1-f100/seed2/cka.h5"),
        {"compute_cka": 1, "fig1-seeds": 1, "D": 1, **TABLES},
    ),
    "the colour map": (set_key("figures", "colour_map", "viridis"), {**ALL_DRAWN, **DECIDED}),
    "the heatmaps' code": (
        edit("scripts/widedeep/figures/plots.py", "aspect=18", "aspect=19"),
        {**ALL_DRAWN, **DECIDED},
    ),
    "the code of first components": (
        edit("scripts/widedeep/analysis/first_components.py", "_MOST_STEPS = 60", "_MOST_STEPS = 61"),
        BEHIND_MODELS,
    ),
    "the code of figure 3": (edit("scripts/plot_components.py", 'part["cka"], ', 'part["c"], '), COMPONENTS),
    "the summary's code": (edit("scripts/summarise.py", "0.95)", "0.99)"), TABLES),
    "which seed figure 1 shows": (
        lambda study: study.edit_config(lambda config: config["figures"]["fig1"].update(seed=2)),
        {"fig1": 1},
    ),
    "one seed more": (
        add_seed,
        {
            "train": 2,
            "dump_activations": 2,
            "compute_cka": 2,
            "compute_pairs": 3,
            "probe_blocks": 1,
            "D": 1,
            "E": 1,
            **PREDICTED,
            "fig1-seeds": 1,
            "F": 1,
            "B": 1,
            "provenance": 1,
            "summarise_pairs": 1,
            **TABLES,
        },
    ),
    "one width more": (
        add_width,
        {"train": 1, "dump_activations": 1, "compute_cka": 1, "B": 1, "provenance": 1, **TABLES},
    ),
    "a rule of the findings": (edit("scripts/widedeep/findings/decisions.py", "FALL = 0.2", "FALL = 0.3"), DECIDED),
    "the explorer's page": (edit("scripts/explorer/page.css", "display: grid;", "display: flex;"), {"explorer": 1}),
    "the explorer's code": (edit("scripts/make_explorer.py", "> 1 else None", "> 2 else None"), {"explorer": 1}),
    "one fraction more": (
        add_fraction,
        {"train": 1, "dump_activations": 1, "compute_cka": 1, "B": 1, "provenance": 1, **TABLES},
    ),
    "a figure of networks that are there": (add_figure_2, {"fig2": 1}),
    "networks without residual connections": (
        add_plain_networks,
        {"train": 1, "dump_activations": 1, "compute_cka": 1, "C": 1, "B": 1, "provenance": 1, **TABLES},
    ),
    "one depth less": (
        remove_depth,
        {**DRAWN, "A": 1, "G": 1, "B": 1, "provenance": 1, "probe_blocks": 2, "summarise_pairs": 1, **TABLES},
    ),
    "CKA's script": (edit("scripts/compute_cka.py", "first.layers", "second.layers"), WITHIN),
    "CKA's estimator": (
        edit("scripts/widedeep/measures/cka.py", "_LARGE_MEAN = 4.0", "_LARGE_MEAN = 3.0"),
        {"A": 1, **BEHIND_MODELS},
    ),
    "the number of passes": (set_key("dumps", "passes", 2), BEHIND_MODELS),
    "the dump's script": (edit("scripts/dump_activations.py", '"test")', '"test",)'), BEHIND_MODELS),
    "the probes' learning rate": (set_key("probes", "learning_rate", 0.02), BEHIND_PROBES),
    "the code of deletion": (edit("scripts/widedeep/analysis/deletion.py", "reversed(", "sorted("), BEHIND_PROBES),
    "the code of the KL divergence": (
        edit("scripts/widedeep/analysis/agreement.py", "maximum(", "minimum("),
        {"G": 1, **DECIDED},
    ),
    "the code of Welch's test": (
        edit("scripts/widedeep/analysis/examples.py", "> 1e-12", "> 1e-11"),
        {"fig6": 1, **DECIDED},
    ),
    "the learning rate": (set_key("training", "learning_rate", 0.01), BEHIND_TRAINING),
    "the training's code": (
        edit("scripts/widedeep/training/loop.py", "math.ceil(10 *", "math.ceil(20 *"),
        BEHIND_TRAINING,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_reruns_exactly(copied, name):
    change, expected = CHANGES[name]
    change(copied)
    assert copied.jobs_of_dry_run() == expected


def test_a_caption_remakes_the_report_and_nothing_else(copied):
    copied.edit("workflow/report/fig1.rst", "Section 3", "In the third section")
    said = copied.run_study().stdout
    assert "Making the report" in said
    assert "Nothing to do" in said
    assert "In the third section" in (copied.results / "report.html").read_text()


def test_one_seed_more_runs_to_the_end_and_leaves_the_old_files_alone(copied):
    old = {path: path.stat().st_mtime_ns for path in copied.results.glob("models/**/*") if path.is_file()}
    old |= {path: path.stat().st_mtime_ns for path in copied.results.glob("pairs/**/*.h5")}
    add_seed(copied)
    copied.run_study()
    assert {path: path.stat().st_mtime_ns for path in old} == old
    assert (copied.results / "models/digits-resnet14-w1-f100/seed3/cka.h5").exists()
    assert copied.jobs_of_dry_run() == {}


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
    assert fresh.jobs_of_dry_run() == (BEHIND_TRAINING if metadata else {})
