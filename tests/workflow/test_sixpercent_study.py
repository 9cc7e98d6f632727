"""The study of figure 2 at 6 % of the data: its jobs by Snakemake, and a small part of it on the CPU."""

import pandas as pd
import pytest
import study
import yaml

from widedeep.names import Configuration, Network
from widedeep.paper import CLAIMS
from widedeep.study import checks
from widedeep.study.subset import subset_of

CONFIG = "config/cifar10-sixpercent.yaml"
RESULTS = "results/cifar10-sixpercent"
# Networks whose CKA each figure shows, and the jobs beside training, dump and CKA of each.
FIGURES = {
    # Five depths and five widths, which share ResNet-26 1x.
    "fig1.pdf": (9, {"cka_by_depth_and_width": 1}),
    "fig1-seeds.pdf": (10 + 10 + 20 + 6 + 6 + 6, {"cka_by_seed": 1}),
    # ResNet-26 1x, ResNet-38 1x and ResNet-26 10x on two shares of the data.
    "fig2.pdf": (6, {"cka_by_share_of_data": 1}),
    "fig3.pdf": (4, {"first_components": 1}),
    "fig4-probes.pdf": (4, {"linear_probes": 1, "probe_residual_blocks": 4}),
    "C.pdf": (3, {"cka_without_residuals": 1}),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The workflow in a folder of its own, without results."""
    return study.Study.new(tmp_path_factory.mktemp("sixpercent"))


def dry_run(made, *targets):
    """How many jobs of each rule Snakemake would run."""
    status, said = study.SERVER.snakemake(made.folder, ["--configfile", CONFIG, "--cores", "2", "-n", *targets])
    assert status == 0, said
    return study.jobs_in(said)


def test_the_jobs_of_the_whole(empty):
    # Depth, width, figure 6, the second share, and those without residual connections.
    networks = (10 + 10 + 20 + 6 + 6) + (3 + 3 + 3 + 6) + (10 + 10) + (4 + 4 + 3) + (3 + 3 + 6)
    # Four configurations in figure 5: two of ten seeds or more, of which seven make twenty pairs, and two of six.
    # Between two of them five seeds each make twenty pairs.
    pairs = (6 + 6 + 5 + 5) + 6 * 5
    found = dry_run(empty)
    of_networks = {"train": networks, "dump_activations": networks, "compute_cka": networks, "compute_pairs": pairs}
    assert {rule: found[rule] for rule in of_networks} == of_networks
    assert found["probe_residual_blocks"] == 10 + 20 + 6 + 6
    others = {rule for rule, count in found.items() if count == 1}
    assert {"wide_against_deep", "cka_convergence", "prediction_agreement", "findings"} <= others
    assert len(others) == sum(found.values()) - 3 * networks - pairs - 42


@pytest.mark.parametrize("name", FIGURES)
def test_the_jobs_of_each_figure(empty, name):
    networks, others = FIGURES[name]
    stages = dict.fromkeys(("train", "dump_activations", "compute_cka"), networks)
    assert dry_run(empty, f"{RESULTS}/figures/{name}") == {"download": 1, **stages, **others}


def test_figure_6_compares_the_predictions_of_all_seeds(empty):
    """Of all configurations, of which the program takes two; none needs its CKA."""
    networks = 110 - 12  # those without residual connections are left out
    expected = {"download": 1, "train": networks, "dump_activations": networks, "wide_against_deep": 1}
    assert dry_run(empty, f"{RESULTS}/figures/fig6.csv") == expected


# A small part of it, which runs.


def small_part():
    """The content of its config for seven networks, with one epoch and few images: all its figures, smaller."""
    whole = checks.read(CONFIG)
    chosen = [
        ("resnet", 14, 1, 0.06, 11),
        ("resnet", 26, 1, 0.06, 11),
        ("resnet", 26, 1, 0.06, 12),
        ("resnet", 14, 2, 0.06, 11),
        ("resnet", 14, 2, 0.06, 12),
        ("resnet", 26, 1, 0.25, 11),
        ("plain", 14, 1, 0.06, 11),
    ]
    networks = [Network(Configuration("cifar10", *of), seed) for *of, seed in chosen]
    assert {*networks} <= {*whole.networks}
    content = subset_of(whole, networks).dump()
    # A part of the shares is none to subset_of: ResNet-38 is not there.
    content["figures"]["fig2"] = {
        **whole.dump()["figures"]["fig2"],
        "depth_row": {"depths": [26], "width": 1},
        "width_row": {"depth": 26, "widths": [1]},
    }
    content["training"] |= {"epochs": 1, "batch_size": 16, "mixed_precision": False}
    content["probes"] |= {"epochs": 2, "batch_size": 16}
    content["dumps"] |= {"batch_size": 16, "examples": 32}
    content["figures"]["A"] |= {"batch_sizes": [8, 16], "examples": 32, "passes": 1}
    return content


@pytest.mark.whole
def test_a_small_part_runs_on_the_cpu_to_its_figures_and_findings(tmp_path):
    made = study.Study.new(tmp_path)
    content = small_part()
    whole = checks.read(CONFIG)
    assert content["figures"].keys() == whole.dump()["figures"].keys()
    (tmp_path / study.CONFIG).write_text(yaml.safe_dump(content))
    study.write_cifar10(tmp_path / "data/cifar10/dataset.h5")
    # Neither page is of this study, and the explorer takes as long as two trainings.
    made.snakemake("--omit-from", "explorer", "provenance")
    results = tmp_path / RESULTS
    drawn = {path.stem for path in (results / "figures").glob("*.pdf")}
    within = {"fig1", "fig1-seeds", "fig2", "fig3", "D", "C"}
    others = {"fig4-probes", "fig4-delete", "E", "fig5", "F", "fig6-examples", "fig6-classes", "G", "A", "B"}
    assert drawn == within | others
    summary = pd.read_csv(results / "summary.csv")
    assert sorted(zip(summary.model, summary.seed, strict=True)) == sorted(
        (str(network.configuration), network.seed) for network in checks.checked(content).networks
    )
    findings = pd.read_csv(results / "findings.csv")
    assert [*findings.id] == [*CLAIMS]
    # One or two seeds of each configuration decide nothing on figures 1 and 2.
    verdicts = findings.set_index("id").verdict
    assert {*verdicts[["depth", "width", "seeds", "data"]]} == {"not decidable"}
