"""The study of figure 2 at 6 % of the data: the paper's recipe, its figures, and seeds enough for verdicts."""

import re
from pathlib import Path

import check_config
import pandas as pd
import plan
import pytest
import scipy.stats

from widedeep.findings.networks import longest_row
from widedeep.names import Configuration
from widedeep.planning.costs import Costs
from widedeep.planning.images import images_of
from widedeep.study import checks
from widedeep.study.jobs import jobs_of
from widedeep.training.recipe import Recipe

PATH = "config/cifar10-sixpercent.yaml"
STUDY = checks.read(PATH)
OPENING = Path(PATH).read_text().split("study:")[0]
# Seeds of the networks on whose heatmaps the rule of the block structure was fixed.
LABELLED = {1, 2, 3}


def number_of_seeds(depth, width=1, fraction=0.06, family="resnet"):
    return len(STUDY.configurations[Configuration("cifar10", family, depth, width, fraction)])


def decides(small, large):
    """Whether Fisher's exact test tells two counts apart, each (with a block, of all)."""
    return scipy.stats.fisher_exact([[count, of - count] for count, of in (small, large)]).pvalue <= 0.05


def interval(count, of):
    return scipy.stats.binomtest(count, of).proportion_ci(0.95, method="exact")


def test_the_config_is_valid(capsys):
    check_config.main([PATH])
    assert f"study cifar10-sixpercent, {len(STUDY.networks)} networks" in capsys.readouterr().out


def test_the_recipe_is_the_papers():
    assert STUDY.training.recipe == Recipe(
        epochs=300,
        batch_size=128,
        learning_rate=0.01,
        schedule="epoch",
        momentum=0.9,
        l2=1e-4,
        label_smoothing=0,
        batchnorm_momentum=0.01,
        flip=True,
        mixed_precision=True,
    )
    assert (STUDY.probes.epochs, STUDY.probes.batch_size, STUDY.probes.learning_rate) == (300, 128, 0.01)
    assert STUDY.dataset.image_size is None
    assert (STUDY.dumps.batch_size, STUDY.dumps.examples) == (256, None)


def test_the_grid_on_3_000_images_is_the_papers_with_three_seeds_or_more():
    images = {round(configuration.fraction * 50_000) for configuration in STUDY.configurations}
    assert images == {3000, 12_500}
    assert min(number_of_seeds(depth) for depth in (14, 26, 38, 56, 110)) >= 3
    assert min(number_of_seeds(26, width) for width in (2, 4, 8, 10)) >= 3
    plain = [configuration for configuration in STUDY.configurations if configuration.family == "plain"]
    assert {configuration.fraction for configuration in plain} == {0.06}
    assert len(plain) >= 3


def test_no_network_is_one_on_which_the_rule_was_fixed():
    assert not LABELLED & {network.seed for network in STUDY.networks}


@pytest.mark.parametrize(("small", "large"), [((14, 1), (110, 1)), ((26, 1), (26, 10))], ids=["depth", "width"])
def test_figure_1_decides_when_two_large_networks_lack_a_block(small, large):
    small, large = number_of_seeds(*small), number_of_seeds(*large)
    assert decides((0, small), (large - 2, large))
    # Even if the rule is mistaken in one of the small ones.
    assert decides((1, small), (large - 2, large))


@pytest.mark.parametrize(("grown", "fixed", "ends"), [("depth", "width", (14, 110)), ("width", "depth", (1, 10))])
def test_the_rows_that_decide_figure_1_are_those_on_3_000_images(grown, fixed, ends):
    networks = [network.configuration for network in STUDY.networks if network.configuration.family == "resnet"]
    row = longest_row(pd.DataFrame([vars(configuration) for configuration in networks]), grown, fixed)
    assert (row[grown].min(), row[grown].max()) == ends
    assert {*row.fraction} == {0.06}


def test_counts_over_seeds_decide_when_two_large_networks_lack_a_block():
    small, large = number_of_seeds(14) + number_of_seeds(26), number_of_seeds(110) + number_of_seeds(26, 10)
    assert interval(large - 2, large).low > 0.5
    assert interval(small // 5, small).high < 0.5


def test_figure_6_has_a_wide_and_a_deep_configuration_of_ten_seeds_or_more():
    assert STUDY.shown("fig6") == []
    several = [one for one, seeds in STUDY.configurations.items() if one.fraction == 0.06 and len(seeds) >= 10]
    pairs = [
        (wide, deep)
        for wide in several
        for deep in several
        if wide.width > deep.width and wide.depth < deep.depth and "plain" not in (wide.family, deep.family)
    ]
    assert {(deep.depth, deep.width) for _, deep in pairs} >= {(26, 1), (38, 1)}


def test_figure_2_compares_each_network_on_more_data_with_seeds_enough():
    on_more = {one: seeds for one, seeds in STUDY.configurations.items() if one.fraction == 0.25}
    shown = STUDY.sections["fig2"].shown("cifar10")
    assert {*shown} == {"fraction 0.25", "fraction 0.06"}
    assert {*shown["fraction 0.25"]} == {*on_more}
    for one, seeds in on_more.items():
        assert len(seeds) >= 3
        assert number_of_seeds(one.depth, one.width) >= len(seeds)


def test_appendix_c_can_show_a_block_and_its_lack():
    seeds = number_of_seeds(38, family="plain")
    assert seeds <= number_of_seeds(38)
    # Three plain configurations share the level; at most 0.145 of heatmaps are called a block by mistake.
    assert scipy.stats.binomtest(seeds - 2, seeds, 0.145, "greater").pvalue < 0.05 / 3
    assert interval(0, seeds).high < 0.5


def test_it_has_all_figures_of_the_paper_on_cifar_10():
    assert {*STUDY.sections} == {"A", "fig1", "fig1-seeds", "fig2", "fig3", "fig4", "fig5", "fig6", "G", "C"}


# What the opening says is what the plan says.


def test_the_opening_tells_the_jobs_and_networks():
    assert f"jobs:   {len(jobs_of(STUDY))} ({len(STUDY.networks)} networks)" in OPENING


def test_the_opening_tells_the_training_and_the_disk_of_the_plan(capsys):
    plan.main(["--configfile", PATH, "--throughput", "20000"])
    said = capsys.readouterr().out
    (everything,) = re.findall(r"  training  .* (\d+)PFLOP\n", said)
    kept, dumps = re.search(r"([\d.]+)GB, and for a while .* to ([\d.]+)GB of dumps", said).groups()
    assert f" {everything} PFLOP of training" in OPENING
    assert f"disk:   {float(kept):.1f} GB, and " in OPENING
    assert f" to {float(dumps):.0f} GB of dumps" in OPENING


def test_the_opening_tells_the_work_of_the_widest_and_the_disk_of_the_pairs():
    costs = Costs(STUDY, images_of(STUDY))
    widest = [network for network in STUDY.networks if network.configuration.width == 10]
    work = sum(costs.training(network) for network in widest)
    assert f"of which {work / 1e15:.0f} for the nine networks of width 10" in OPENING
    assert len(widest) == 9
    steps = sum(300 * (round(network.configuration.fraction * 50_000) // 128) for network in STUDY.networks)
    assert steps == pytest.approx(1e6, rel=0.05)
    # All dumps that the pairs of figure 5 read are there at the same time.
    read = {path for job in jobs_of(STUDY) if job.rule == "compute_pairs" for path in job.reads}
    networks = [one for one in STUDY.networks if STUDY.places.of_network(one, "activations.h5") in read]
    assert f" {sum(costs.dump_bytes(one) for one in networks) / 1e9:.0f} to " in OPENING
