"""Which networks of a study a number of minutes pays for, and in which order they are trained.

Estimates err upwards: as if as many processes as are worth while ran all the time, each as slow to start as the first
one that was measured, and as if dumps and probes had ended before CKA begins.
"""

import heapq
import itertools
import os
from dataclasses import dataclass

from widedeep.names import Network
from widedeep.planning import remaining, throughput
from widedeep.study.jobs import jobs_of
from widedeep.study.subset import subset_of

# One more process for each that runs is worth while if all together get faster by this.
_WORTH_WHILE = 1.1
# Bytes a second at which dumps are written and read.
_DISK = 200e6


@dataclass(frozen=True)
class Rates:
    """How fast a machine is.

    Attributes:
        at_once: how many processes its device serves at a time.
        operations: dict from width multipliers to the floating-point operations a second of all of them together.
        start: seconds until a job begins its work.
        products: operations a second of one core in matrix products in double precision.
        a_gram: seconds in which a core stores a Gram matrix, and finds its first component where the device does not.
        in_float32: how many times longer than in a training a forward pass takes in full float32 (precision.py).
        cores: their number.
    """

    at_once: int
    operations: dict
    start: float
    products: float
    a_gram: float
    in_float32: float
    cores: int


@dataclass(frozen=True)
class Planned:
    """A training.

    Attributes:
        network: names.Network.
        operations: that are left of it.
        seconds: that it takes beside others.
        end: seconds from the start of the first training to the end of this one.
    """

    network: Network
    operations: float
    seconds: float
    end: float


@dataclass(frozen=True)
class Plan:
    """The networks that are trained, and those that are not.

    Attributes:
        trainings: list of Planned in the order in which they start.
        left_out: list of Planned that do not fit, each as if it were the only one.
        analysis: seconds from the end of the trainings to the report.
    """

    trainings: list
    left_out: list
    analysis: float

    @property
    def seconds(self):
        """From now to the report."""
        return max((planned.end for planned in self.trainings), default=0.0) + self.analysis


def fastest_number(throughput_of, most):
    """How many processes are worth while: their number is doubled as long as all together get faster by a tenth.

    Args:
        throughput_of: function from a number of processes to what all together do a second; 0 if they find no memory.
        most: processes.

    Returns:
        the number; 0 if one alone finds no memory.
    """
    number, rate = 0, throughput_of(1)
    while rate:
        number = max(2 * number, 1)
        if 2 * number > most or (more := throughput_of(2 * number)) < _WORTH_WHILE * rate:
            break
        rate = more
    return number


def ends(study):
    """The configurations between which a study lies, each with those that replace it where it costs too much.

    Args:
        study: config.Study; without figure 1, whose rows these are, rows of its grid take their place.

    Returns:
        three lists of names.Configuration, the first choice first: deep ones, down to the shallowest of the grid; wide
        ones of the figure, then of the grid's smallest depth, then a narrow one; the smallest of the figure, and of the
        grid.
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
    """The depth row and the width row of figure 1; of the grid, where the figure lacks one or is none."""
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
    """The configurations of figure 1, and all of the grid that are of its family and on all data."""
    rows = [one for row in _rows(study) for one in row]
    return [one for one in study.configurations if one in rows or (one.family, one.fraction) == (rows[0].family, 1)]


def _size(configuration):
    return configuration.width, configuration.depth


def candidates(costs):
    """The networks that may be trained, the most telling ones first.

    These are figure 1's and all of the same family on all data: the deepest, the widest and the smallest of the figure,
    the smallest of the grid, the rest of the figure and then the others, from the cheapest. Second seeds come after the
    first ones of all.

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
    """The time that the networks of a study take on a machine, and which of them fit into a number of seconds.

    Args:
        costs: costs.Costs of the study, of its whole grid.
        rates: Rates.
        done: dict from names.Network to the share of its training that is done; 1 means finished.
        there: function that says whether the file at a path is there, for tests.
    """

    def __init__(self, costs, rates, done, there=os.path.exists):
        self._costs, self._study, self._rates, self._done, self._there = costs, costs.study, rates, done, there
        self._trained = {network for network, share in done.items() if share == 1}

    def plan(self, seconds):
        """Choose the networks to train in so many seconds, report included.

        First a deep, a wide and a small one (`ends`). While these three do not fit, the next choice takes the place of
        the costliest of them. Then each other candidate is added if it fits, and the seeds before it are there.

        Args:
            seconds: from now to the report.

        Returns:
            Plan
        """
        rows = [[self._study.all_seeds([one])[0] for one in row] for row in ends(self._study)]
        # One network may be at two ends.
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
        """Seconds of the candidate that is finished soonest, report included."""
        following = [network for network in candidates(self._costs) if self._is_next(network, [])]
        return min(self._scheduled([network])[0].end + self._analysis_with([network]) for network in following)

    def analysis(self, study):
        """Seconds of all jobs of a study but download and trainings, as far as they have not run.

        Dumps and probes share the device, the others the cores.

        Args:
            study: config.Study, a part of the whole.
        """
        on_device, on_cores = [], []
        for job in jobs_of(study):
            # Tables and figures are made anew with each network.
            if job.rule in ("download", "train") or (job.networks and self._there(job.writes[-1])):
                continue
            seconds = self._rates.start + self._work(job, study)
            (on_device if job.rule in ("dump_activations", "probe_residual_blocks") else on_cores).append(seconds)
        return remaining.at_once(on_device, self._rates.at_once) + remaining.at_once(on_cores, self._rates.cores)

    def _is_next(self, network, chosen):
        """Whether a network is neither finished nor chosen, and those of its configuration with smaller seeds are."""
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
        """Operations that are left of a training."""
        return self._costs.training(network) * (1 - self._done.get(network, 0))

    def _scheduled(self, networks):
        """The Planned of those networks that are not trained, started in this order as places become free."""
        free, planned = [0.0] * self._rates.at_once, []
        for network in networks:
            if network in self._trained:
                continue
            operations = self._left(network)
            seconds = self._rates.start + self._on_device(network, operations)
            end = heapq.heappop(free) + seconds
            heapq.heappush(free, end)
            planned.append(Planned(network, operations, seconds, end))
        return planned

    def _on_device(self, network, operations):
        """Seconds, while others share the device."""
        rate = throughput.at_width(network.configuration.width, self._rates.operations)
        return operations * self._rates.at_once / rate

    def _work(self, job, study):
        """Seconds of one job beside its start; of drawing and tabulating, nothing.

        Args:
            study: config.Study whose job it is: it may lack seeds of the whole.
        """
        if job.rule == "dump_activations":
            return self._dump(*job.networks)
        if job.rule == "probe_residual_blocks":
            (network,) = job.networks
            learned, measured = self._costs.probing(network)
            return self._on_device(network, learned + self._rates.in_float32 * measured)
        if job.rule == "compute_cka":
            return self._comparison(job.networks, job.networks)
        if job.rule == "compute_pairs":
            larger = job.networks[0].seed
            first, second = (study.all_seeds([network.configuration]) for network in job.networks)
            return self._comparison(*([one for one in part if one.seed <= larger] for part in (first, second)))
        return 0.0

    def _dump(self, network):
        on_device = self._on_device(network, self._rates.in_float32 * sum(self._costs.dumping(network)))
        layers = self._costs.size_of(network.configuration).layers
        grams = self._costs.minibatches * layers if self._study.dumps.form == "gram" else 0
        return on_device + grams * self._rates.a_gram + self._costs.dump_bytes(network) / _DISK

    def _comparison(self, first, second):
        """All pairs of layers of some networks with others, with and without first components, and their dumps."""
        read = sum(self._costs.dump_bytes(network) for network in [*first, *second])
        return self._costs.products(first, second) / self._rates.products + read / _DISK
