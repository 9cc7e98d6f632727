"""The study of some of a study's networks: always a valid one, of those networks and no others."""

import random
from pathlib import Path

import pytest
import yaml

from widedeep.names import Configuration, Network
from widedeep.study import checks
from widedeep.study.config import Study
from widedeep.study.subset import subset_of

PAPER = checks.read("config/cifar10.yaml")


def resnet(depth, width=1, fraction=1):
    return Configuration("cifar10", "resnet", depth, width, fraction)


def figures_of(*networks, study=PAPER):
    """The figures of the study of some networks, (configuration, seed) each."""
    return subset_of(study, [Network(*network) for network in networks]).dump()["figures"]


def sizes(models):
    return [(model["depth"], model["width"]) for model in models]


@pytest.mark.parametrize(
    "path",
    [
        "config/cifar10.yaml",
        "config/cifar10-small.yaml",
        "config/cifar10-sixpercent.yaml",
        "config/demo.yaml",
        "config/he-2016.yaml",
    ],
)
def test_any_subset_is_a_valid_config_of_these_networks(path):
    study = checks.read(path)
    first = min(network.seed for network in study.networks)
    for seed in range(25):
        rng = random.Random(seed)
        # Few seeds too, and few configurations.
        few = rng.choice([1, 2, 4])
        chosen = [network for network in study.networks if network.seed < first + few]
        chosen = rng.sample(chosen, min(rng.choice([1, 2, 3, 8, len(chosen)]), len(chosen)))
        found = checks.checked(yaml.safe_load(yaml.safe_dump(subset_of(study, chosen).dump())))
        assert {*found.networks} == {*chosen}
        assert [*found.configurations] == list(dict.fromkeys(network.configuration for network in chosen))
        other = {"grid", "figures", "measures"}
        assert found.model_dump(exclude=other) == study.model_dump(exclude=other)
        assert found.measures == (study.measures if "fig1" in found.sections else [])


@pytest.mark.parametrize("path", [str(path) for path in Path("config").glob("*.yaml") if path.stem != "imagenet"])
def test_the_whole_keeps_its_figures(path):
    study = checks.read(path)
    assert checks.checked(subset_of(study, study.networks).dump()).figures == study.figures


def test_rows_keep_the_sizes_that_are_there():
    networks = [(resnet(depth), 1) for depth in (14, 26, 56, 110)] + [(resnet(26, 4), 1), (resnet(14, 8), 1)]
    figure = figures_of(*networks)["fig1"]
    assert figure["depth_row"] == {"depths": [26, 56, 110], "width": 1, "fraction": 1}
    assert figure["width_row"] == {"depth": 26, "widths": [1, 4], "fraction": 1}


def test_rows_that_are_left_with_one_size_get_others():
    networks = [(resnet(depth), 1) for depth in (14, 20)] + [(resnet(14, 2), 1)]
    figure = figures_of(*networks)["fig1"]
    assert figure["depth_row"]["depths"] == [14, 20]
    assert (figure["width_row"]["depth"], figure["width_row"]["widths"]) == (14, [1, 2])


@pytest.mark.parametrize("row", ["depth_row", "width_row"])
def test_a_figure_of_one_row_keeps_one(row):
    networks = [(resnet(depth), 1) for depth in (14, 26, 56)] + [(resnet(26, 4), 1)]
    whole = figures_of(*networks)["fig1"]
    other = {"depth_row": "width_row", "width_row": "depth_row"}[row]
    content = PAPER.dump()
    del content["figures"]["fig1"][other]
    found = figures_of(*networks, study=Study(**content))["fig1"]
    assert found == {key: whole[key] for key in whole if key != other}


def test_lists_of_configurations_have_stand_ins_for_the_missing():
    """The paper's are ResNet-26 1x, ResNet-110 1x and ResNet-26 10x."""
    networks = [(resnet(26), 1), (resnet(80), 1), (resnet(44), 1), (resnet(26, 4), 1), (resnet(14, 10), 1)]
    assert sizes(figures_of(*networks)["fig3"]["models"]) == [(26, 1), (80, 1), (26, 4)]
    assert sizes(figures_of(*networks[:3])["fig3"]["models"]) == [(26, 1), (80, 1)]
    assert figures_of(*networks)["A"]["model"] == {"family": "resnet", "depth": 26, "width": 1, "fraction": 1}


def test_a_figure_shows_networks_with_its_seed_alone():
    assert sizes(figures_of((resnet(26), 1), (resnet(110), 2))["fig3"]["models"]) == [(26, 1)]
    assert "fig3" not in figures_of((resnet(26), 2))


def test_pairs_need_two_seeds():
    assert "fig5" not in figures_of((resnet(26), 1), (resnet(110), 1))
    assert sizes(figures_of((resnet(26), 1), (resnet(110), 1), (resnet(26), 2))["fig5"]["models"]) == [(26, 1)]


def test_figure_6_compares_its_pair_or_another_or_none():
    pair = [(model, seed) for model in (resnet(14, 2), resnet(62)) for seed in (1, 2)]
    assert figures_of(*pair)["fig6"] == PAPER.dump()["figures"]["fig6"]
    assert figures_of(*pair[:2], (resnet(26), 1), (resnet(26), 2))["fig6"] == {}
    assert "fig6" not in figures_of(*pair[:3])
    assert "fig6" not in figures_of(*pair[:2], (resnet(26, 4), 1), (resnet(26, 4), 2))


def test_shares_of_the_data_are_compared_only_where_all_are_there():
    everything = [(network.configuration, network.seed) for network in PAPER.networks]
    assert "fig2" not in figures_of(*[network for network in everything if network[0].fraction == 1])
    assert figures_of(*everything)["fig2"] == PAPER.dump()["figures"]["fig2"]
    assert "fig2" not in figures_of(*[network for network in everything if network != (resnet(110, 1, 0.25), 1)])


def test_further_measures_are_left_out_with_figure_1():
    study = Study(**{**PAPER.dump(), "measures": ["svcca"]})
    networks = [Network(resnet(depth), 1) for depth in (14, 26)] + [Network(resnet(14, 2), 1)]
    assert subset_of(study, networks).measures == ["svcca"]
    found = subset_of(study, [Network(resnet(26), 2)])
    assert "fig1" not in found.sections
    assert found.measures == []
    checks.checked(found.dump())


def test_what_is_made_shares_nothing_with_what_it_was_made_of():
    dumped = subset_of(PAPER, PAPER.networks).dump()
    dumped["figures"]["fig6"]["wide"]["depth"] = 8
    dumped["training"]["epochs"] = 1
    assert PAPER.dump()["figures"]["fig6"]["wide"]["depth"] == 14
    assert PAPER.training.epochs == 300
