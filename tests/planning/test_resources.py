"""What jobs ask of a cluster follows the size of the network, and grows with each attempt."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from widedeep.analysis import similarity
from widedeep.names import Configuration
from widedeep.study import config as study_config

RULES = Path(__file__).parents[2] / "workflow/rules/resources.smk"
SMALL, DEEP, WIDE = (Configuration("cifar10", "resnet", *size, 1.0) for size in ((14, 1), (164, 1), (38, 10)))
OF_ONE_NETWORK = ("training", "dump", "probe", "cka")


def loaded(given=None, epochs=1, dataset=None, described=None, **figures):
    """The functions of the rule file, which is plain Python, with the names that it takes from the others."""
    models = {str(model): model for model in (SMALL, DEEP, WIDE)}
    dataset = {"name": "cifar10", "stream": False, **(dataset or {})}
    names = {
        "config": {
            "dataset": dataset,
            "dumps": {"batch_size": 256, "passes": 1},
            "training": {"batch_size": 128, "epochs": epochs},
            "probes": {"batch_size": 128, "epochs": epochs},
            "figures": figures,
        },
        "study_config": study_config,
        "workflow": SimpleNamespace(resource_settings=SimpleNamespace(overwrite_resources=given or {})),
        "DATASET": dataset["name"],
        "IMAGE_SIZE": dataset.get("image_size"),
        "described": lambda: described,
        "MODELS": models,
        "SEEDS": dict.fromkeys(models, list(range(1, 11))),
        "CONVERGING": [(SMALL, 1)],
    }
    exec(compile(RULES.read_text(), RULES, "exec"), names)
    return SimpleNamespace(**names)


def of(model, **more):
    return SimpleNamespace(model=str(model), **more)


@pytest.mark.parametrize("stage", OF_ONE_NETWORK)
@pytest.mark.parametrize("quantity", ["memory", "minutes"])
def test_it_follows_the_network_and_the_attempt(stage, quantity):
    asked = getattr(loaded(), f"{stage}_{quantity}")
    assert asked(of(SMALL), 1) < asked(of(DEEP), 1)
    if stage != "cka":  # Gram matrices do not know the width
        assert asked(of(SMALL), 1) < asked(of(WIDE), 1)
    assert asked(of(SMALL), 1) < asked(of(SMALL), 2) < asked(of(SMALL), 3)


def test_pairs_follow_the_number_of_networks():
    rules = loaded()
    for asked in (rules.pairs_memory, rules.pairs_minutes):
        few, many = (asked(of(SMALL, model2=str(SMALL), seed=seed), 1) for seed in ("2", "10"))
        assert few < many
        assert many < asked(of(SMALL, model2=str(SMALL), seed="10"), 2)


def test_the_memory_of_pairs_ends_where_no_more_networks_are_held_at_once():
    """Not so the minutes; a network is never split."""
    rules = loaded()
    for model in (SMALL, DEEP):
        rules.SEEDS[str(model)].extend(range(11, 101))
    of_100, of_50 = (of(SMALL, model2=str(SMALL), seed=seed) for seed in ("100", "50"))
    assert rules.pairs_memory(of_100, 1) == rules.pairs_memory(of_50, 1)
    assert rules.pairs_minutes(of_100, 1) > rules.pairs_minutes(of_50, 1)
    assert rules.pairs_memory(of_50, 1) > 1.5 * similarity.MEMORY / 1e6
    assert rules.pairs_memory(of(DEEP, model2=str(DEEP), seed="2"), 1) > 1.5 * similarity.memory([575] * 4, 256) / 1e6


def test_a_day_is_the_longest():
    assert loaded(epochs=300).training_minutes(of(WIDE), 1) == 24 * 60


def test_a_gpu_takes_less_time_where_the_profile_gives_one():
    with_gpu = loaded({"train": {"gpu": 1}})
    assert with_gpu.training_minutes(of(DEEP), 1) < loaded().training_minutes(of(DEEP), 1)
    assert with_gpu.dump_minutes(of(DEEP), 1) == loaded().dump_minutes(of(DEEP), 1)


def counted(train, test, side, classes):
    return SimpleNamespace(
        train_examples=train, test_examples=test, image_shape=(3, side, side), classes=["x"] * classes
    )


@pytest.mark.parametrize("dataset", [{"name": "own"}, {"name": "own", "image_size": 64, "stream": True}])
@pytest.mark.parametrize("stage", ["training", "dump", "probe"])
def test_images_of_ones_own_are_many_until_they_are_counted(dataset, stage):
    unknown, few, many = (
        loaded(dataset=dataset, described=described)
        for described in (None, counted(1000, 200, 32, 4), counted(90_000, 19_000, 64, 500))
    )
    for quantity in ("memory", "minutes"):
        asked = [getattr(rules, f"{stage}_{quantity}")(of(SMALL), 1) for rules in (few, many, unknown)]
        assert asked == sorted(asked)
        assert asked[0] < asked[2]


def test_a_training_asks_for_all_images_that_are_not_streamed():
    large = {"described": counted(100_000, 10_000, 224, 10)}
    kept, streamed = (loaded(dataset={"name": "own", "stream": stream}, **large) for stream in (False, True))
    for asked in ("training_memory", "probe_memory"):
        difference = getattr(kept, asked)(of(SMALL), 1) - getattr(streamed, asked)(of(SMALL), 1)
        assert difference == pytest.approx(2 * 110_000 * 3 * 224**2 / 1e6, abs=1)


def test_appendix_a_asks_for_its_gram_matrices():
    small, large = (loaded(A={"examples": examples}).convergence_memory(of(SMALL), 1) for examples in (1000, 10000))
    assert small < large
