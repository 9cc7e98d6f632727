"""Which networks a number of minutes pays for, on the paper's grid and an invented machine."""

from dataclasses import replace

import pytest

from widedeep.names import Configuration, Network
from widedeep.planning import budget, throughput
from widedeep.planning.costs import Costs
from widedeep.planning.images import images_of
from widedeep.study import checks
from widedeep.study.config import Study
from widedeep.study.jobs import jobs_of, measure_job, network_job, pairs_job

PAPER = checks.read("config/cifar10.yaml")
COSTS = Costs(PAPER, images_of(PAPER))
# As many operations at a time whatever the width, and nothing else takes time.
RATES = budget.Rates(
    at_once=1,
    operations={1: 1e13},
    analysing={1: 1e13},
    fewer={},
    start=0,
    products=1e18,
    store_gram=0,
    in_float32=1,
    cores=1,
)


def size(depth, width=1):
    return Configuration("cifar10", "resnet", depth, width, 1)


def operations(configuration):
    """Of the training of one of its networks."""
    return COSTS.training(Network(configuration, 1))


def seconds(*configurations):
    """Of their trainings, one after the other."""
    return sum(map(operations, configurations)) / 1e13


def planned(allowed, rates=RATES, done=None):
    """The plan where analysis takes no time."""
    return budget.Budget(COSTS, rates, done or {}, there=lambda _: True).plan(allowed)


def networks(trainings):
    return [training.network for training in trainings]


def first_seeds(*configurations):
    return [Network(configuration, 1) for configuration in configurations]


def with_figures(**changes):
    """The paper's study with other sections of figures; None removes one."""
    content = PAPER.dump()
    figures = {**content["figures"], **changes}
    content["figures"] = {key: value for key, value in figures.items() if value is not None}
    return Study(**content)


def test_the_ends_come_first_then_the_figure_then_the_cheap_ones_then_further_seeds():
    known = budget.candidates(COSTS)
    first = [network.configuration for network in known if network.seed == 1]
    assert first[:4] == [size(164), size(26, 10), size(26), size(14)]
    assert {*first[4:11]} == {*map(size, (38, 56, 80, 110)), *(size(26, width) for width in (2, 4, 8))}
    rest = [*map(operations, first[11:])]
    assert rest == sorted(rest)
    assert {size(depth) for depth in (20, 32, 44, 56, 110)} <= {*first}  # those of He et al.
    seeds = [network.seed for network in known]
    assert seeds == sorted(seeds)
    # All of the family on all data, each once.
    shown = {(network.configuration.family, network.configuration.fraction) for network in known}
    assert shown == {("resnet", 1)}
    assert {*known} == {n for n in PAPER.networks if (n.configuration.family, n.configuration.fraction) in shown}
    assert len(known) == len({*known})


def test_without_figure_1_the_grid_has_rows_too():
    deep, wide, small = budget.ends(with_figures(fig1=None))
    assert (deep[0], deep[-1]) == (size(164), size(14))
    assert (wide[0], small) == (size(14, 10), [size(14)])


@pytest.mark.parametrize(
    ("row", "ends"),
    [("depth_row", [size(164), size(14, 10), size(14)]), ("width_row", [size(164), size(26, 10), size(14)])],
)
def test_a_row_that_figure_1_lacks_is_of_the_grid(row, ends):
    figure = {key: value for key, value in PAPER.dump()["figures"]["fig1"].items() if key in (row, "seed")}
    deep, wide, small = budget.ends(with_figures(fig1=figure))
    assert [deep[0], wide[0], small[0]] == ends


def test_with_time_enough_all_is_trained():
    plan = planned(1e12)
    assert networks(plan.trainings) == budget.candidates(COSTS)
    assert plan.left_out == []


def test_the_deepest_and_the_widest_that_fit_stand_for_those_that_do_not():
    trio = seconds(size(164), size(26, 10), size(26))
    assert networks(planned(trio * 1.001).trainings)[:3] == first_seeds(size(164), size(26, 10), size(26))
    # The costliest gives way: the widest, again and again, until the deepest is costlier.
    assert networks(planned(trio * 0.999).trainings)[:3] == first_seeds(size(164), size(26, 8), size(26))
    less = seconds(size(164), size(26, 2), size(26))
    assert networks(planned(less * 1.001).trainings) == first_seeds(size(164), size(26, 2), size(26))
    # Behind the figure's widths come those of the grid's smallest depth.
    shallow = seconds(size(56), size(14, 2), size(26))
    assert networks(planned(shallow * 1.001).trainings)[:3] == first_seeds(size(56), size(14, 2), size(26))
    # Where no wide one is left, the smallest is the third.
    narrow = seconds(size(20), size(14))
    assert networks(planned(narrow * 1.001).trainings) == first_seeds(size(20), size(14))


def test_what_does_not_fit_is_left_out_with_its_time():
    plan = planned(seconds(size(14)) * 1.5)
    assert networks(plan.trainings) == first_seeds(size(14))
    left_out = {left.network: left.seconds for left in plan.left_out}
    assert len(left_out) == 589
    assert left_out[Network(size(164), 1)] == pytest.approx(seconds(size(164)))
    assert planned(seconds(size(14)) * 0.9).trainings == []


def test_a_later_seed_does_not_take_the_place_of_an_earlier_one():
    for share in (1.5, 3, 6, 20, 60):
        chosen = networks(planned(seconds(size(14)) * share).trainings)
        for network in chosen:
            earlier = {Network(network.configuration, seed) for seed in range(1, network.seed)}
            assert earlier <= {*chosen}


def test_no_plan_takes_longer_than_it_may_and_places_are_filled_in_order():
    rates = replace(RATES, at_once=3, operations={1: 1e13, 10: 4e13}, start=20, products=1e10, cores=2)
    for minutes in (60, 200, 1000):
        plan = budget.Budget(COSTS, rates, {}, there=lambda _: False).plan(60 * minutes)
        assert 0 < plan.seconds <= 60 * minutes
        free = [0.0] * 3
        for training in plan.trainings:
            share = throughput.at_width(training.network.configuration.width, rates.operations) / 3
            assert training.seconds == pytest.approx(20 + COSTS.training(training.network) / share)
            assert training.end == pytest.approx(min(free) + training.seconds)
            free[free.index(min(free))] = training.end
        assert plan.analysis > 0


def test_seeds_of_a_configuration_have_the_device_together_and_configurations_follow_each_other():
    """At most four; three count as two, and the one that has most left to do decides."""
    rates = replace(RATES, at_once=4, operations={1: 1e13}, fewer={1: 0.4, 2: 0.7}, start=10)
    seeds, other = [Network(size(14), seed) for seed in range(1, 8)], Network(size(26), 1)
    done = {seeds[0]: 1, seeds[1]: 0.5}
    made = budget.Budget(COSTS, rates, done, there=lambda _: True)
    plans = made._scheduled([*seeds[:3], other, *seeds[3:]])
    assert [planned.network for planned in plans] == [*seeds[1:], other]
    of_one, of_other = operations(size(14)), operations(size(26))
    ends = [10 + 4 * of_one / 1e13, 20 + (4 + 2 / 0.7) * of_one / 1e13]
    ends.append(ends[-1] + 10 + of_other / 0.4 / 1e13)
    assert [planned.end for planned in plans] == pytest.approx([ends[0]] * 4 + [ends[1]] * 2 + [ends[2]])
    assert plans[0].operations == pytest.approx(of_one / 2)
    assert plans[0].seconds == pytest.approx(ends[0])


def test_a_further_seed_costs_little_where_seeds_train_together():
    """The whole time of a plan is that of its configurations, not of its networks."""
    alone = replace(RATES, at_once=4, fewer={1: 0.25, 2: 0.5, 3: 0.75})
    allowed = 4 * operations(size(14)) / 1e13
    assert networks(planned(allowed * 1.001, alone).trainings) == [Network(size(14), seed) for seed in (1, 2, 3, 4)]


def test_what_is_finished_costs_nothing_and_what_is_begun_less():
    done = {Network(size(164), 1): 1, Network(size(26, 10), 1): 0.75}
    plan = planned(seconds(size(26, 10)) * 0.26 + seconds(size(26)), done=done)
    assert networks(plan.trainings)[:2] == first_seeds(size(26, 10), size(26))
    assert plan.trainings[0].operations == pytest.approx(operations(size(26, 10)) / 4)
    left_out = networks(plan.left_out)
    assert Network(size(164), 2) in left_out
    assert Network(size(164), 1) not in left_out


def test_the_least_time_is_enough_for_one():
    rates = replace(RATES, start=20, products=1e10, cores=2)
    made = budget.Budget(COSTS, rates, {}, there=lambda _: False)
    assert networks(made.plan(made.least() * 1.001).trainings) == first_seeds(size(14))
    assert made.plan(made.least() * 0.999).trainings == []


def test_only_jobs_that_have_not_run_take_time():
    rates = replace(RATES, at_once=2, start=1, products=1e10, cores=2)
    there = set()

    def analysis():
        return budget.Budget(COSTS, rates, {}, there=lambda path: path in there).analysis(PAPER)

    whole, jobs = analysis(), jobs_of(PAPER)
    for rule in ("dump_activations", "compute_cka", "probe_residual_blocks", "compute_pairs"):
        there.update(job.writes[-1] for job in jobs if job.rule == rule)
        less = analysis()
        assert less < whole
        whole = less
    # Figures and tables, two at a time.
    assert whole == sum(not job.networks for job in jobs if job.rule != "download") / 2


def test_a_job_takes_as_long_as_its_operations():
    rates = replace(RATES, analysing={1: 1e12}, products=1e10, store_gram=0.002, in_float32=3)
    made = budget.Budget(COSTS, rates, {})
    network, found = Network(size(26), 1), COSTS.size_of(size(26))

    def seconds_of(job):
        return made._work(job, PAPER)

    # The features of a layer on 10,000 images are not held, so each of 20 steps of Lanczos' method is a pass.
    passes, products = 10 * 39 * 256 + 20 * 10_000 + 10_000, 10 * 39 * 256**2 + 20 * 2 * 10_000
    # Per stage four blocks of seven layers, the stem's three more; two shortcuts; pooled features and logits.
    features = 16 * 32**2 * (4 * 7 + 3) + (32 * 16**2 + 64 * 8**2) * (4 * 7 + 1) + 64 + 10
    work = found.forward * passes + 2 * products * features
    stored = 390 * found.layers * 0.002 + COSTS.dump_bytes(network) / 200e6
    assert seconds_of(network_job(PAPER, "dump_activations", network)) == pytest.approx(3 * work / 1e12 + stored)
    # Twelve blocks, a probe before and one after the addition, and three stages of which each has half the features.
    probes = 3 * 2 * 10 * 2 * 4 * (16 * 32 * 32 + 32 * 16 * 16 + 64 * 8 * 8)
    learned, measured = (found.forward + probes) * 50_000 * 300, found.forward * (50_000 + 13 * 10_000)
    probing = seconds_of(network_job(PAPER, "probe_residual_blocks", network))
    assert probing == pytest.approx((learned + 3 * measured) / 1e12)
    products = 2 * 2 * found.layers**2 * 390 * 256**2 / 2
    read = COSTS.dump_bytes(network) / 200e6
    # cka.h5 has one pair, and reads its dump as the first and the second; seed 2 has two of two networks each.
    assert seconds_of(network_job(PAPER, "compute_cka", network)) == pytest.approx(products / 1e10 + 2 * read)
    pairs = pairs_job(PAPER, size(26), size(26), 2)
    assert seconds_of(pairs) == pytest.approx(2 * 2 * products / 1e10 + 4 * read)
    measure = measure_job(PAPER, "procrustes", network)
    assert seconds_of(measure) == pytest.approx(COSTS.operations(measure) / 1e10 + read)


def test_further_measures_take_time_of_the_cores():
    study = Study(**{**PAPER.dump(), "measures": ["procrustes", "rsa_pearson"]})
    costs = Costs(study, images_of(study))
    rates = replace(RATES, start=1, products=1e10, cores=2)
    jobs = [job for job in jobs_of(study) if job.rule == "compute_measure"]
    assert len(jobs) == 2 * len({*study.shown("fig1")})
    there = {path for job in jobs for path in job.writes}

    def analysis(of_costs, there=frozenset()):
        return budget.Budget(of_costs, rates, {}, there=lambda path: path in there).analysis(of_costs.study)

    made = budget.Budget(costs, rates, {})
    drawing = 1
    expected = sum(1 + made._work(job, study) for job in jobs) + drawing
    assert analysis(costs) - analysis(COSTS) == pytest.approx(expected / 2)
    assert analysis(costs, there) - analysis(COSTS) == pytest.approx(drawing / 2)


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

    def throughput_of(number):
        asked.append(number)
        return together[number]

    assert budget.fastest_number(throughput_of, most) == best
    assert asked == tried
