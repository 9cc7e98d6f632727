"""Options of the stages' command lines that follow from a study."""

import example

from widedeep.names import Configuration, Network
from widedeep.study import checks, commands


def with_dataset(**section):
    return checks.checked({**example.CONFIG, "dataset": section})


def test_what_the_images_are_and_where_they_come_from_are_apart():
    study = with_dataset(name="cifar10", image_size=16, source="official", mirrors=["http://a/", "http://b/"])
    assert commands.content_options(study) == "--dataset cifar10 --image-size 16"
    assert commands.source_options(study) == "--source official --mirror http://a/ --mirror http://b/"


def test_images_of_ones_own_must_be_as_many_as_the_study_needs():
    study = with_dataset(name="own", folder="my images", image_size=8, stream=True)
    assert commands.content_options(study) == "--dataset own --folder 'my images' --image-size 8 --stream"
    assert commands.source_options(study) == "--least-train 64 --least-test 64"


def test_a_network_is_trained_by_one_command_however_its_numbers_are_written():
    words = {
        commands.network_options(Network(Configuration("digits", "plain", 8, width, share), 3))
        for width, share in ((1, 1), (1.0, 1.0))
    }
    assert words == {"--family plain --depth 8 --width 1.0 --fraction 1.0 --seed 3"}


def test_several_gpus_are_started_by_torchrun():
    assert commands.launcher(1) == "python"
    assert commands.launcher(4).endswith(" --nproc-per-node 4")


def test_a_training_is_told_where_the_other_seeds_of_its_configuration_are():
    grid = [{"depths": [8], "widths": [1, 2], "seeds": [5, 2, 3]}, {"depths": [14], "widths": [1], "seeds": [1]}]
    study = checks.checked({**example.CONFIG, "grid": grid})
    options = {str(network): commands.beside_options(study, network) for network in study.networks}
    place = f"{study.places.results}/models/digits-resnet8-w2-f100"
    assert options["digits-resnet8-w2-f100/seed2"] == f"--beside {place}/seed{{3,5}}/ --at-once 8"
    assert options["digits-resnet14-w1-f100/seed1"] == ""
    alone = checks.checked({**example.CONFIG, "grid": grid, "training": {**example.CONFIG["training"], "at_once": 1}})
    assert {commands.beside_options(alone, network) for network in alone.networks} == {""}


def test_first_seeds_of_all_configurations_are_trained_first():
    study = checks.checked({**example.CONFIG, "grid": [{"depths": [8, 14], "widths": [1], "seeds": [5, 2]}]})
    priorities = commands.training_priorities(study)
    order = sorted(priorities, key=lambda network: -priorities[network])
    assert [(network.configuration.depth, network.seed) for network in order] == [(8, 2), (14, 2), (8, 5), (14, 5)]
    assert min(priorities.values()) > 0
