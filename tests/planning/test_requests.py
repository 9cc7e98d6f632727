"""What jobs ask of a cluster follows the size of the network, and grows with each attempt."""

import pytest

from widedeep.data.catalogue import Images
from widedeep.measures.memory import AT_ONCE, held_bytes
from widedeep.names import Configuration, Network
from widedeep.planning import requests
from widedeep.planning.costs import Costs
from widedeep.planning.images import expected_images
from widedeep.planning.sizes import estimated
from widedeep.study import checks
from widedeep.study.jobs import jobs_of, measure_job, network_job, pairs_job

SMALL, DEEP, WIDE = (Configuration("cifar10", "resnet", *size, 1.0) for size in ((14, 1), (164, 1), (38, 10)))
# Examples a minibatch of CKA: so many that Gram matrices need more memory than any program.
BATCH = 1024
OF_ONE_NETWORK = ("train", "dump_activations", "probe_residual_blocks", "compute_cka")


class Requests:
    """What the jobs of a study of these three configurations ask for.

    Args:
        epochs: of trainings and probes.
        seeds: of each configuration.
        images: catalogue.Images, or None before the data set is there.
        figure: the section of appendix A.
        dataset: further keys of the section dataset.
    """

    def __init__(self, epochs=1, seeds=2, images=None, figure=None, dataset=None):
        sizes = [(14, 1), (164, 1), (38, 10)]
        self._name = (dataset or {}).get("name", "cifar10")
        self.study = checks.checked(
            {
                "study": "s",
                "dataset": {"name": "cifar10", **(dataset or {})},
                "grid": [{"depths": [d], "widths": [w], "seeds": [*range(1, seeds + 1)]} for d, w in sizes],
                "training": {"epochs": epochs},
                "dumps": {"batch_size": BATCH, "passes": 1},
                "probes": {"epochs": epochs},
                "figures": {"A": figure} if figure else {},
            }
        )
        self._costs = Costs(self.study, images or expected_images(self.study), estimated)

    def memory(self, job, attempt=1):
        return requests.megabytes(self._costs, job, attempt)

    def likely(self, job):
        return requests.likely_megabytes(self._costs, job)

    def minutes(self, job, attempt=1, on_gpu=False):
        return requests.minutes(self._costs, job, attempt, on_gpu)

    def job(self, rule, configuration):
        """A job of the first network of a configuration."""
        shape = configuration.family, configuration.depth, configuration.width, configuration.fraction
        return network_job(self.study, rule, Network(Configuration(self._name, *shape), 1))

    def pairs(self, configuration, seed):
        return pairs_job(self.study, configuration, configuration, seed)


@pytest.mark.parametrize("rule", OF_ONE_NETWORK)
@pytest.mark.parametrize("quantity", ["memory", "minutes"])
def test_it_follows_the_network_and_the_attempt(rule, quantity):
    asked_for, job = Requests(), Requests().job
    asked = getattr(asked_for, quantity)
    assert asked(job(rule, SMALL)) < asked(job(rule, DEEP))
    if rule != "compute_cka":  # Gram matrices do not know the width
        assert asked(job(rule, SMALL)) < asked(job(rule, WIDE))
    assert asked(job(rule, SMALL)) < asked(job(rule, SMALL), 2) < asked(job(rule, SMALL), 3)


@pytest.mark.parametrize("measure", ["procrustes", "rsa_pearson"])
@pytest.mark.parametrize("quantity", ["memory", "minutes"])
def test_a_further_measure_follows_the_depth_and_the_attempt(quantity, measure):
    of = Requests()
    asked = getattr(of, quantity)
    small, deep = (measure_job(of.study, measure, Network(one, 1)) for one in (SMALL, DEEP))
    assert asked(small) < asked(small, 2)
    # The outputs of 81 blocks need no more memory than any program.
    assert asked(small) < asked(deep) or (quantity, measure) == ("memory", "procrustes")


def test_a_measure_with_decompositions_asks_for_more_time_though_it_compares_fewer_layers():
    of = Requests()
    decomposing, sorting = (measure_job(of.study, name, Network(SMALL, 1)) for name in ("procrustes", "mutual_knn"))
    assert of.minutes(decomposing) > of.minutes(sorting)


@pytest.mark.parametrize(("quantity", "configuration"), [("memory", DEEP), ("minutes", SMALL)])
def test_pairs_follow_the_number_of_networks(quantity, configuration):
    asked_for = Requests(seeds=10)
    asked = getattr(asked_for, quantity)
    few, many = (asked_for.pairs(configuration, seed) for seed in (2, 10))
    assert asked(few) < asked(many) < asked(many, 2)


def test_the_memory_of_pairs_ends_where_no_more_networks_are_held_at_once():
    """Not so the minutes; a network is never split, and sums of all pairs of layers are always held."""
    asked = Requests(seeds=60)
    of_60, of_30 = (asked.pairs(SMALL, seed) for seed in (60, 30))
    assert asked.memory(of_60) < 1.5 * asked.memory(of_30)
    assert asked.minutes(of_60) - 10 == pytest.approx(4 * (asked.minutes(of_30) - 10), rel=0.01)
    assert asked.memory(of_30) > 1.5 * AT_ONCE / 1e6
    assert asked.memory(asked.pairs(DEEP, 2)) > 1.5 * held_bytes([575, 575], BATCH, 4) / 1e6


def test_a_day_is_the_longest():
    asked = Requests(epochs=300)
    assert asked.minutes(asked.job("train", WIDE)) == 24 * 60


def test_a_gpu_takes_less_time_where_the_profile_gives_one():
    asked = Requests()
    job = asked.job("train", DEEP)
    assert asked.minutes(job, on_gpu=True) < asked.minutes(job)


OWN = {"name": "own", "folder": "x", "image_size": 64}


@pytest.mark.parametrize("dataset", [OWN, {**OWN, "stream": True}])
@pytest.mark.parametrize("rule", ["train", "dump_activations", "probe_residual_blocks"])
@pytest.mark.parametrize("quantity", ["memory", "minutes"])
def test_images_of_ones_own_are_many_until_they_are_counted(dataset, rule, quantity):
    counted = Images(1000, 1100, (3, 32, 32), 4), Images(90_000, 19_000, (3, 64, 64), 500), None
    asked = []
    for images in counted:
        of = Requests(dataset=dataset, images=images)
        asked.append(getattr(of, quantity)(of.job(rule, SMALL)))
    assert asked == sorted(asked)
    assert asked[0] < asked[2]


@pytest.mark.parametrize("rule", ["train", "probe_residual_blocks"])
def test_a_job_asks_for_all_images_that_are_not_streamed(rule):
    images = Images(100_000, 10_000, (3, 224, 224), 10)
    asked = []
    for stream in (False, True):
        of = Requests(dataset={**OWN, "stream": stream}, images=images)
        asked.append(of.memory(of.job(rule, SMALL)))
    assert asked[0] - asked[1] == pytest.approx(1.5 * 2 * 110_000 * 3 * 224**2 / 1e6, abs=2)


def test_appendix_a_asks_for_its_gram_matrices():
    asked = []
    for examples in (1000, 10_000):
        of = Requests(figure={"model": {"depth": 14, "width": 1}, "seed": 1, "examples": examples})
        (job,) = (job for job in jobs_of(of.study) if job.rule == "cka_convergence")
        asked.append(of.memory(job))
    assert asked[0] < asked[1]


def test_jobs_that_draw_ask_for_what_any_program_needs():
    of = Requests()
    (job,) = (job for job in jobs_of(of.study) if job.rule == "accuracy_table")
    assert (of.memory(job), of.memory(job, 2)) == (2000, 4000)
    assert of.minutes(job) == 10


def test_on_one_machine_jobs_count_without_the_margin_of_a_request():
    """With it a laptop would run fewer jobs at a time than it has memory for."""
    of = Requests()
    asked = {job.rule: (of.likely(job), of.memory(job)) for job in jobs_of(of.study)}
    assert {"train", "accuracy_table"} <= asked.keys()
    for rule, (likely, requested) in asked.items():
        assert 0 < likely <= requested / 1.49, rule
    assert of.likely(of.job("train", SMALL)) < of.likely(of.job("train", WIDE))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("gpu", "gpus", "gpus_per_task", "gpus_per_node") for value in (1, "2", "'1'")),
        ("gpus", "a100:1"),
        ("gpu_model", "'a100_3g.20gb'"),
        *(("gres", value) for value in ("gpu", "gpu:1", "'gpu:a100:1'", "gpu:a100", "nvme:1,gpu:2", "gres:gpu:1")),
        ("tres_per_task", "cpu:4,gres/gpu:1"),
        ("tres_per_task", "gres/gpu=1"),
        *(("slurm_extra", f"'--signal=TERM@120 {option}'") for option in ("--gres=gpu:1", "--gpus=a100:1", "-G 1")),
        *(("slurm_extra", option) for option in ("--gpus 1", "--gpus-per-task=1 --qos=x", "-G2", "'--gres=gpu'")),
        ("slurm_extra", "--tres-per-task=gres/gpu:1"),
    ],
)
def test_a_gpu_is_seen_in_any_spelling(name, value):
    assert requests.gives_gpu({"mem_mb": 2000, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("gpu", value) for value in (0, "0", "'0'", None, "1 if attempt > 1 else 0")),
        ("gpus_per_task", "a100:0"),
        *(("gres", value) for value in ("gpu:0", "'gpu:a100:0'", "nvme:1", "gpuless:1")),
        ("tres_per_task", "cpu:4"),
        ("slurm_partition", "gpu"),
        ("slurm_extra", "'--signal=TERM@120 --partition=gpu --gpu-bind=none'"),
        ("slurm_extra", "--gres=gpu:0 --gpus=0"),
        ("tasks_per_gpu", 1),
    ],
)
def test_no_gpu_is_seen_where_none_is_given(name, value):
    assert not requests.gives_gpu({"mem_mb": 2000, name: value})
