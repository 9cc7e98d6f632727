"""Chooses the networks of a study that can be trained and analysed within a number of minutes.

Estimates err upwards: the device always serves as many jobs at a time as pay off, every job starts as slowly as the
first one that was measured, CKA begins after all dumps and probes have ended, and on a GPU these gain nothing from each
other.
"""

import functools
import heapq
import itertools
import os
from dataclasses import dataclass

from widedeep.names import Network
from widedeep.planning import remaining, throughput
from widedeep.study.drawings import drawings_of, measured
from widedeep.study.jobs import measure_job, network_job, networks_of, pairs_job, pairs_of, tables_of
from widedeep.study.subset import subset_of

# Doubling the number of processes pays off if their total throughput grows by this factor.
_WORTH_WHILE = 1.1
# Bytes a second of writing and reading dumps.
_DISK = 200e6


@dataclass(frozen=True)
class Rates:
    """Rates of a machine.

    Attributes:
        at_once: number of trainings that its device serves at a time.
        operations: dict from width multipliers to floating-point operations a second of all these trainings together.
        analysing: the same of as many processes that dump or probe, which train nothing.
        fewer: dict from smaller numbers of trainings to their operations a second, as a share of those of `at_once`.
            Empty where each training is a process; else seeds of one configuration share one (companions.py).
        start: seconds from the start of a job to the start of its work.
        products: floating-point operations a second of one core in float64 matrix products.
        store_gram: seconds in which one core stores a Gram matrix, with its first component where the device does not
            find it.
        in_float32: ratio of the time of a forward pass in full float32 (precision.py) to that in a training.
        cores: number of cores.
    """

    at_once: int
    operations: dict
    analysing: dict
    fewer: dict
    start: float
    products: float
    store_gram: float
    in_float32: float
    cores: int


@dataclass(frozen=True)
class Planned:
    """A planned training.

    Attributes:
        network: names.Network.
        operations: floating-point operations that are left of it.
        seconds: time that it takes beside others.
        end: seconds from the start of the first training to the end of this one.
    """

    network: Network
    operations: float
    seconds: float
    end: float


@dataclass(frozen=True)
class Plan:
    """The networks to train, and those that are left out.

    Attributes:
        trainings: list of Planned in the order in which they start.
        left_out: list of Planned for the networks that do not fit, each timed as if it were the only one.
        analysis: seconds from the end of the trainings to the report.
    """

    trainings: list
    left_out: list
    analysis: float

    @property
    def seconds(self):
        """Seconds from now to the report."""
        return max((planned.end for planned in self.trainings), default=0.0) + self.analysis


def fastest_number(throughput_of, most):
    """Double the number of processes as long as their total throughput grows by a tenth.

    Args:
        throughput_of: function from a number of processes to their total throughput; 0 if they run out of memory.
        most: largest number of processes.

    Returns:
        the last number that paid off; 0 if one process alone runs out of memory
    """
    number, rate = 0, throughput_of(1)
    while rate:
        number = max(2 * number, 1)
        if 2 * number > most or (more := throughput_of(2 * number)) < _WORTH_WHILE * rate:
            break
        rate = more
    return number


def ends(study):
    """Deep, wide and small configurations of a study, the first choices with the ones that replace them if too costly.

    They are those of the rows of figure 1; where it lacks a row, or the study lacks the figure, of a row of the grid.

    Args:
        study: config.Study.

    Returns:
        (deep, wide, small), three lists of names.Configuration by preference. Deep: of the figure, then shallower ones
        of the grid. Wide: of the figure, then of the grid's smallest depth, then the smallest. Small: the smallest of
        the figure, then of the grid.
    """
    deep, wide = _rows(study)
    others = _alike(study)
    small, smallest = min(*deep, *wide, key=_size), min(others, key=_size)
    shallower = [one for one in others if one.width == small.width and one.depth < small.depth]
    wider = [one for one in others if one.depth == smallest.depth and one.width > smallest.width]
    return (
        list(dict.fromkeys(sorted(deep, key=_size, reverse=True) + sorted(shallower, key=_size, reverse=True))),
        [one for row in (wide, wider) for one in sorted(row, key=_size, reverse=True) if one.width > small.width]
        + [smallest],
        list(dict.fromkeys([small, smallest])),
    )


def _rows(study):
    """The depth row and the width row of figure 1, or of the grid where the figure lacks one."""
    rows = study.sections["fig1"].shown(study.dataset.name) if "fig1" in study.sections else {}
    grid = list(study.configurations)
    first = [*itertools.chain(*rows.values()), *grid][0]
    same = [one for one in grid if (one.family, one.fraction) == (first.family, first.fraction)]
    smallest = min(same, key=_size)
    return (
        rows.get("depth_row") or [one for one in same if one.width == smallest.width],
        rows.get("width_row") or [one for one in same if one.depth == smallest.depth],
    )


def _alike(study):
    """The configurations of figure 1, and all configurations of its family on all data."""
    rows = [one for row in _rows(study) for one in row]
    return [one for one in study.configurations if one in rows or (one.family, one.fraction) == (rows[0].family, 1)]


def _size(configuration):
    return configuration.width, configuration.depth


def candidates(costs):
    """The networks that may be trained, the most informative first.

    These are the networks of figure 1, and all of the same family on all data. First come the deepest, the widest and
    the smallest configuration of the figure, then the smallest of the grid, then the rest of the figure, then all
    others; the rest and the others by cost. All first seeds come before all second ones.

    Args:
        costs: costs.Costs of the study.

    Returns:
        list of names.Network
    """
    study = costs.study
    rows = [one for row in _rows(study) for one in row]
    deep, wide, small = ends(study)
    rest = sorted(_alike(study), key=lambda one: (one not in rows, costs.training(study.all_seeds([one])[0])))
    chosen = dict.fromkeys([deep[0], wide[0], *small, *rest])
    ranked = [(rank, network) for one in chosen for rank, network in enumerate(study.all_seeds([one]))]
    return [network for _, network in sorted(ranked, key=lambda entry: entry[0])]


class Budget:
    """Time that the networks of a study take on a machine; chooses those that fit.

    What is there already is looked up once, so make a new Budget when jobs have run.

    Args:
        costs: costs.Costs of the whole study.
        rates: Rates of the machine.
        done: dict from names.Network to the share of its training that is done; 1 means finished.
        there: function of a path that tells whether its file exists; tests replace it.
    """

    def __init__(self, costs, rates, done, there=os.path.exists):
        self._costs, self._study, self._rates, self._done, self._there = costs, costs.study, rates, done, there
        self._trained = {network for network, share in done.items() if share == 1}
        # Asked for again with each network that is added to a plan.
        self._of_network = functools.cache(self._seconds_of_network)
        self._training = functools.cache(self._seconds_of_training)
        self._tables = len(tables_of(self._study))

    def plan(self, seconds):
        """Choose the networks to train.

        First a deep, a wide and a small one (`ends`). While these three do not fit, the costliest of them is replaced
        by the next choice. Then each other candidate is added if it fits and the seeds before it are in the plan.

        Args:
            seconds: time from now to the report.

        Returns:
            Plan
        """
        rows = [[self._study.all_seeds([one])[0] for one in row] for row in ends(self._study)]
        # One network may be deep and small, for example.
        while not self._fit(list(dict.fromkeys(row[0] for row in rows)), seconds):
            replaceable = [row for row in rows if len(row) > 1]
            if not replaceable:
                break
            max(replaceable, key=lambda row: self._left(row[0])).pop(0)
        known, chosen = candidates(self._costs), []
        for network in dict.fromkeys([*(row[0] for row in rows), *known]):
            if self._is_next(network, chosen) and self._fit([*chosen, network], seconds):
                chosen.append(network)
        left_out = [network for network in known if network not in self._trained.union(chosen)]
        alone = [planned for network in left_out for planned in self._scheduled([network])]
        return Plan(self._scheduled(chosen), alone, self._analysis_with(chosen))

    def least(self):
        """Least number of seconds in which one more candidate can be trained and analysed, report included."""
        following = [network for network in candidates(self._costs) if self._is_next(network, [])]
        return min(self._scheduled([network])[0].end + self._analysis_with([network]) for network in following)

    def analysis(self, study):
        """Seconds of the jobs of a study that have not run, without download and trainings.

        Dumps and probes share the device, all others the cores.

        Args:
            study: config.Study, a subset of the whole study.
        """

        def of_networks(rule):
            return [self._of_network(rule, network) for network in networks_of(study, rule)]

        on_device = of_networks("dump_activations") + of_networks("probe_residual_blocks")
        pairs = [self._seconds_of(pairs_job(study, *pair), study) for pair in pairs_of(study)]
        measures = [self._seconds_of(measure_job(study, *one), study) for one in measured(study)]
        # Tables and figures are made again with every new network.
        drawn = [self._rates.start] * (len(drawings_of(study)) + self._tables)
        on_cores = of_networks("compute_cka") + measures + pairs + drawn
        return remaining.at_once(on_device, self._rates.at_once) + remaining.at_once(on_cores, self._rates.cores)

    def _seconds_of_network(self, rule, network):
        return self._seconds_of(network_job(self._study, rule, network), self._study)

    def _seconds_of(self, job, study):
        """Seconds of a job; 0 if it has run."""
        return 0.0 if self._there(job.writes[-1]) else self._rates.start + self._work(job, study)

    def _is_next(self, network, chosen):
        """Whether a network is neither trained nor chosen, and all smaller seeds of its configuration are."""
        there = self._trained.union(chosen)
        same = self._study.all_seeds([network.configuration])
        return network not in there and all(other in there for other in same if other.seed < network.seed)

    def _fit(self, networks, seconds):
        longest = max((planned.end for planned in self._scheduled(networks)), default=0.0)
        return longest <= seconds and longest + self._analysis_with(networks) <= seconds

    def _analysis_with(self, networks):
        everything = list(dict.fromkeys([*networks, *self._trained]))
        return self.analysis(subset_of(self._study, everything)) if everything else 0.0

    def _left(self, network):
        """Floating-point operations that are left of a training."""
        return self._costs.training(network) * (1 - self._done.get(network, 0))

    def _scheduled(self, networks):
        """list of Planned for networks that are not trained, in the order in which they start."""
        waiting = [network for network in networks if network not in self._trained]
        return self._seeds_together(waiting) if self._rates.fewer else self._side_by_side(waiting)

    def _side_by_side(self, waiting):
        """Each network has a share of the device, and starts when there is room."""
        free, planned = [0.0] * self._rates.at_once, []
        for network in waiting:
            seconds = self._training(network)
            end = heapq.heappop(free) + seconds
            heapq.heappush(free, end)
            planned.append(Planned(network, self._left(network), seconds, end))
        return planned

    def _seeds_together(self, waiting):
        """Seeds of one configuration have the device together, and configurations follow each other."""
        configurations, planned, now = dict.fromkeys(network.configuration for network in waiting), [], 0.0
        for configuration in configurations:
            seeds = [network for network in waiting if network.configuration == configuration]
            for first in range(0, len(seeds), self._rates.at_once):
                together = seeds[first : first + self._rates.at_once]
                seconds = self._seconds_together(together)
                now += seconds
                planned += [Planned(network, self._left(network), seconds, now) for network in together]
        return planned

    def _seconds_together(self, networks):
        shares = {**self._rates.fewer, self._rates.at_once: 1.0}
        # A number between two measured ones counts as the smaller.
        share = shares[max(number for number in shares if number <= len(networks))]
        rate = share * throughput.at_width(networks[0].configuration.width, self._rates.operations)
        return self._rates.start + len(networks) * max(map(self._left, networks)) / rate

    def _seconds_of_training(self, network):
        rate = throughput.at_width(network.configuration.width, self._rates.operations)
        return self._rates.start + self._left(network) * self._rates.at_once / rate

    def _on_device(self, network, operations):
        """Seconds of so many operations of an analysis, while as many as possible share the device."""
        rate = throughput.at_width(network.configuration.width, self._rates.analysing)
        return operations * self._rates.at_once / rate

    def _work(self, job, study):
        """Seconds of a job without its start; 0 for a drawing or a table.

        Args:
            job: jobs.Job.
            study: config.Study of the job, which may lack seeds of the whole study.
        """
        if job.rule == "dump_activations":
            return self._dump(*job.networks)
        if job.rule == "probe_residual_blocks":
            (network,) = job.networks
            learned, measured = self._costs.probing(network)
            return self._on_device(network, learned + self._rates.in_float32 * measured)
        if job.rule == "compute_cka":
            return self._comparison(job.networks, job.networks)
        if job.rule == "compute_measure":
            return self._costs.measuring(job) / self._rates.products + self._costs.dump_bytes(*job.networks) / _DISK
        if job.rule == "compute_pairs":
            larger = job.networks[0].seed
            first, second = (study.all_seeds([network.configuration]) for network in job.networks)
            return self._comparison(*([one for one in part if one.seed <= larger] for part in (first, second)))
        return 0.0

    def _dump(self, network):
        on_device = self._on_device(network, self._rates.in_float32 * sum(self._costs.dumping(network)))
        layers = self._costs.size_of(network.configuration).layers
        grams = self._costs.minibatches * layers if self._study.dumps.form == "gram" else 0
        return on_device + grams * self._rates.store_gram + self._costs.dump_bytes(network) / _DISK

    def _comparison(self, first, second):
        """Seconds of comparing all layers of two lists of networks, and of reading their dumps."""
        read = sum(self._costs.dump_bytes(network) for network in [*first, *second])
        return self._costs.products(first, second) / self._rates.products + read / _DISK
