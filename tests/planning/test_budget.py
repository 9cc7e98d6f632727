"""Which networks a number of minutes pays for, on the paper's grid and an invented machine."""

from dataclasses import replace

import pytest

from widedeep.names import Configuration
from widedeep.planning import budget, costs
from widedeep.study import config as study_config
from widedeep.study import jobs as study_jobs

PAPER = study_config.read("config/cifar10.yaml")
IMAGES = costs.images_of(PAPER)
STUDY = costs.of_study(PAPER, IMAGES)
COST = {cost.model: cost for cost in STUDY}
# As many operations at a time whatever the width, and nothing else takes time.
RATES = budget.Rates(at_once=1, operations={1: 1e13}, start=0, products=1e18, a_gram=0, in_float32=1, cores=1)


def size(depth, width=1):
    return Configuration("cifar10", "resnet", depth, width, 1)


def hours(*models):
    """Of their trainings, one after the other."""
    return sum(COST[model].training for model in models) / 1e13


def planned(seconds, rates=RATES, done=None):
    """The plan where analysis takes no time."""
    made = budget.Budget(PAPER, IMAGES, STUDY, rates, done or {}, there=lambda _: True)
    return made.plan(seconds)


def networks(trainings):
    return [(training.model, training.seed) for training in trainings]


def test_the_ends_come_first_then_the_figure_then_the_cheap_ones_then_further_seeds():
    known = budget.candidates(PAPER, COST)
    first = [model for model, seed in known if seed == 1]
    assert first[:4] == [size(164), size(26, 10), size(26), size(14)]
    assert {*first[4:11]} == {*map(size, (38, 56, 80, 110)), *(size(26, width) for width in (2, 4, 8))}
    rest = [COST[model].training for model in first[11:]]
    assert rest == sorted(rest)
    assert {size(depth) for depth in (20, 32, 44, 56, 110)} <= {*first}  # those of He et al.
    seeds = [seed for _, seed in known]
    assert seeds == sorted(seeds)
    # All of the family on all data, each once.
    grid = study_config.grid(PAPER).items()
    assert {*known} == {(m, seed) for m, seeds in grid for seed in seeds if (m.family, m.fraction) == ("resnet", 1)}
    assert len(known) == len({*known})


def test_without_figure_1_the_grid_has_rows_too():
    config = {**PAPER, "figures": {key: value for key, value in PAPER["figures"].items() if key != "fig1"}}
    deep, wide, small = budget.ends(config)
    assert (deep[0], deep[-1]) == (size(164), size(14))
    assert (wide[0], small) == (size(14, 10), [size(14)])


@pytest.mark.parametrize(
    ("row", "ends"),
    [("depth_row", [size(164), size(14, 10), size(14)]), ("width_row", [size(164), size(26, 10), size(14)])],
)
def test_a_row_that_figure_1_lacks_is_of_the_grid(row, ends):
    figure = {key: value for key, value in PAPER["figures"]["fig1"].items() if key in (row, "seed")}
    deep, wide, small = budget.ends({**PAPER, "figures": {"fig1": figure}})
    assert [deep[0], wide[0], small[0]] == ends


def test_with_time_enough_all_is_trained():
    known = budget.candidates(PAPER, COST)
    plan = planned(1e12)
    assert networks(plan.trainings) == known
    assert plan.left_out == []


def test_the_deepest_and_the_widest_that_fit_stand_for_those_that_do_not():
    trio = hours(size(164), size(26, 10), size(26))
    assert networks(planned(trio * 1.001).trainings)[:3] == [(size(164), 1), (size(26, 10), 1), (size(26), 1)]
    # The dearest gives way: the widest, again and again, until the deepest is dearer.
    assert networks(planned(trio * 0.999).trainings)[:3] == [(size(164), 1), (size(26, 8), 1), (size(26), 1)]
    less = hours(size(164), size(26, 2), size(26))
    assert networks(planned(less * 1.001).trainings) == [(size(164), 1), (size(26, 2), 1), (size(26), 1)]
    # Behind the figure's widths come those of the grid's smallest depth.
    shallow = hours(size(56), size(14, 2), size(26))
    assert networks(planned(shallow * 1.001).trainings)[:3] == [(size(56), 1), (size(14, 2), 1), (size(26), 1)]
    # Where no wide one is left, the smallest is the third.
    narrow = hours(size(20), size(14))
    assert networks(planned(narrow * 1.001).trainings) == [(size(20), 1), (size(14), 1)]


def test_what_does_not_fit_is_left_out_with_its_time():
    plan = planned(hours(size(14)) * 1.5)
    assert networks(plan.trainings) == [(size(14), 1)]
    left_out = {(left.model, left.seed): left.seconds for left in plan.left_out}
    assert len(left_out) == 589
    assert left_out[size(164), 1] == pytest.approx(hours(size(164)))
    assert planned(hours(size(14)) * 0.9).trainings == []


def test_a_later_seed_does_not_take_the_place_of_an_earlier_one():
    for share in (1.5, 3, 6, 20, 60):
        chosen = networks(planned(hours(size(14)) * share).trainings)
        for model, seed in chosen:
            assert {(model, earlier) for earlier in range(1, seed)} <= {*chosen}


def test_no_plan_takes_longer_than_it_may_and_places_are_filled_in_order():
    rates = budget.Rates(
        at_once=3, operations={1: 1e13, 10: 4e13}, start=20, products=1e10, a_gram=0, in_float32=1, cores=2
    )
    for minutes in (60, 200, 1000):
        made = budget.Budget(PAPER, IMAGES, STUDY, rates, {}, there=lambda _: False)
        plan = made.plan(60 * minutes)
        assert 0 < plan.seconds <= 60 * minutes
        free = [0.0] * 3
        for training in plan.trainings:
            share = costs.throughput_at(training.model.width, rates.operations) / 3
            assert training.seconds == pytest.approx(20 + COST[training.model].training / share)
            assert training.end == pytest.approx(min(free) + training.seconds)
            free[free.index(min(free))] = training.end
        assert plan.analysis > 0


def test_what_is_finished_costs_nothing_and_what_is_begun_less():
    done = {(size(164), 1): 1, (size(26, 10), 1): 0.75}
    plan = planned(hours(size(26, 10)) * 0.26 + hours(size(26)), done=done)
    assert networks(plan.trainings)[:2] == [(size(26, 10), 1), (size(26), 1)]
    assert plan.trainings[0].operations == pytest.approx(COST[size(26, 10)].training / 4)
    assert size(164) in {left.model for left in plan.left_out}  # its other seeds
    assert (size(164), 1) not in networks(plan.left_out)


def test_the_least_time_is_enough_for_one():
    rates = replace(RATES, start=20, products=1e10, cores=2)
    made = budget.Budget(PAPER, IMAGES, STUDY, rates, {}, there=lambda _: False)
    assert networks(made.plan(made.least() * 1.001).trainings) == [(size(14), 1)]
    assert made.plan(made.least() * 0.999).trainings == []


def test_only_jobs_that_have_not_run_take_time():
    rates = replace(RATES, at_once=2, start=1, products=1e10, cores=2)
    there = set()
    made = budget.Budget(PAPER, IMAGES, STUDY, rates, {}, there=lambda path: path in there)
    whole = made.analysis(PAPER)
    jobs = [job for job in study_jobs.jobs(PAPER) if job.networks and job.rule != "train"]
    for rule in ("dump_activations", "compute_cka", "probe_blocks", "compute_pairs"):
        there.update(job.outputs[-1] for job in jobs if job.rule == rule)
        less = made.analysis(PAPER)
        assert less < whole
        whole = less
    # Figures and tables, two at a time.
    assert whole == sum(not job.networks for job in study_jobs.jobs(PAPER) if job.rule != "download") / 2


def test_a_job_takes_as_long_as_its_operations():
    rates = replace(RATES, operations={1: 1e12}, products=1e10, a_gram=0.002, in_float32=3)
    made = budget.Budget(PAPER, IMAGES, STUDY, rates, {})
    (cost,) = (cost for cost in STUDY if cost.model == size(26))
    passes, grams = 10 * 39 * 256 + 20 * 10_000 + 10_000, 10 * 39 * 256**2
    features = sum(
        shape.shape[0] * (shape.shape[1:] or (1, 1))[0] * (shape.shape[2:] or (1,))[0] for shape in cost.layers
    )
    operations = cost.forward * passes + 2 * grams * features
    stored = 390 * len(cost.layers) * 0.002 + cost.dumps["gram"] / 200e6
    assert made._dump(cost) == pytest.approx(3 * operations / 1e12 + stored)
    # Twelve blocks, a probe before and one after the addition, and three stages of which each has half the features.
    probes = 3 * 2 * 10 * 2 * 4 * (16 * 32 * 32 + 32 * 16 * 16 + 64 * 8 * 8)
    learned, measured = (cost.forward + probes) * 50_000 * 300, cost.forward * (50_000 + 13 * 10_000)
    assert made._probes(cost) == pytest.approx((learned + 3 * measured) / 1e12)
    layers = len(cost.layers)
    products = 2 * 2 * layers**2 * 390 * 256**2 / 2
    assert made._cka(cost, 1, cost, 2) == pytest.approx(2 * products / 1e10 + 3 * cost.dumps["gram"] / 200e6)


@pytest.mark.parametrize(
    ("together", "most", "best", "tried"),
    [
        ({1: 10, 2: 19, 4: 30, 8: 31}, 16, 4, [1, 2, 4, 8]),
        ({1: 10, 2: 19, 4: 30}, 7, 4, [1, 2, 4]),
        ({1: 10, 2: 10.5}, 16, 1, [1, 2]),
        ({1: 10, 2: 20, 4: 0}, 16, 2, [1, 2, 4]),  # no memory
        ({1: 10}, 1, 1, [1]),
        ({1: 0}, 16, 0, [1]),
    ],
)
def test_processes_are_added_as_long_as_all_together_get_faster(together, most, best, tried):
    asked = []

    def throughput(number):
        asked.append(number)
        return together[number]

    assert budget.fastest_number(throughput, most) == best
    assert asked == tried
