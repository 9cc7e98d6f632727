"""Which networks of a study a number of minutes pays for, and in which order they are trained.

Estimates err upwards: as if as many processes as are worth while ran all the time, each as slow to start as the first
one that was measured, and as if dumps and probes had ended before CKA begins.
"""

import heapq
import itertools
import math
import os
from dataclasses import dataclass

from widedeep import config as study_config
from widedeep import costs, dumps, expected, reduction, remaining

# One more process for each that runs is worth while if all together get faster by this.
_WORTH_WHILE = 1.1
# Forward passes over the test set that first components take, at most about (as in workflow/rules/resources.smk).
_COMPONENT_PASSES = 20
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
        model, seed: the network.
        operations: that are left of it.
        seconds: that it takes beside others.
        end: seconds from the start of the first training to the end of this one.
    """

    model: object
    seed: int
    operations: float
    seconds: float
    end: float


@dataclass(frozen=True)
class Plan:
    """What is trained, and what is not.

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


def fastest_number(throughput, most):
    """How many processes are worth while: their number is doubled as long as all together get faster by a tenth.

    Args:
        throughput: function from a number of processes to what all together do a second; 0 if they find no memory.
        most: processes.

    Returns:
        the number; 0 if one alone finds no memory.
    """
    number, rate = 0, throughput(1)
    while rate:
        number = max(2 * number, 1)
        if 2 * number > most or (more := throughput(2 * number)) < _WORTH_WHILE * rate:
            break
        rate = more
    return number


def ends(config):
    """The configurations between which a study lies, each with those that stand for it where it costs too much.

    Args:
        config: checked; without figure 1, whose rows these are, rows of its grid take their place.

    Returns:
        three lists of names.Model, the first choice first: deep ones, down to the shallowest of the grid; wide ones of
        the figure, then of the grid's smallest depth, then a narrow one; the smallest of the figure, and of the grid.
    """
    deep, wide = _rows(config)
    others = _alike(config)
    small, smallest = min(*deep, *wide, key=_size), min(others, key=_size)
    shallower = [model for model in others if model.width == small.width and model.depth < small.depth]
    wider = [model for model in others if model.depth == smallest.depth and model.width > smallest.width]
    return (
        list(dict.fromkeys(sorted(deep, key=_size, reverse=True) + sorted(shallower, key=_size, reverse=True))),
        [model for row in (wide, wider) for model in sorted(row, key=_size, reverse=True) if model.width > small.width]
        + [smallest],
        list(dict.fromkeys([small, smallest])),
    )


def _rows(config):
    """The depth row and the width row of figure 1; of the grid, where the figure lacks one or is none."""
    rows = study_config.rows_of(config, "fig1") if "fig1" in config["figures"] else {}
    grid = list(study_config.grid(config))
    first = [*itertools.chain(*rows.values()), *grid][0]
    same = [m for m in grid if (m.family, m.fraction) == (first.family, first.fraction)]
    smallest = min(same, key=_size)
    return (
        rows.get("depth_row") or [m for m in same if m.width == smallest.width],
        rows.get("width_row") or [m for m in same if m.depth == smallest.depth],
    )


def _alike(config):
    """The configurations of figure 1, and all of the grid that are of its family and on all data."""
    rows = [model for row in _rows(config) for model in row]
    return [m for m in study_config.grid(config) if m in rows or (m.family, m.fraction) == (rows[0].family, 1)]


def _size(model):
    return model.width, model.depth


def candidates(config, cost_of):
    """The networks that may be trained, the most telling ones first.

    These are figure 1's and all of the same family on all data: the deepest, the widest and the smallest of the figure,
    the smallest of the grid, the rest of the figure and then the others, from the cheapest. Second seeds come after the
    first ones of all.

    Args:
        config: checked.
        cost_of: dict from names.Model to costs.Cost.

    Returns:
        list of (names.Model, seed)
    """
    grid, rows = study_config.grid(config), [model for row in _rows(config) for model in row]
    deep, wide, small = ends(config)
    rest = sorted(_alike(config), key=lambda model: (model not in rows, cost_of[model].training))
    models = dict.fromkeys([deep[0], wide[0], *small, *rest])
    ranked = [(rank, model, seed) for model in models for rank, seed in enumerate(grid[model])]
    return [(model, seed) for _, model, seed in sorted(ranked, key=lambda entry: entry[0])]


class Budget:
    """What the networks of a study cost on a machine, and which of them fit into a number of seconds.

    Args:
        config: checked.
        images: costs.Images.
        study: list of costs.Cost, of its whole grid.
        rates: Rates.
        done: dict from (names.Model, seed) to the share of its training that is done; 1 means finished.
        there: says whether the file at a path is there, for tests.
    """

    def __init__(self, config, images, study, rates, done, there=os.path.exists):
        self._config, self._images, self._rates, self._done, self._there = config, images, rates, done, there
        self._cost_of = {cost.model: cost for cost in study}
        self._trained = {network for network, share in done.items() if share == 1}
        section = config["dumps"]
        self._dumped = min(section.get("examples", images.test_examples), images.test_examples)
        order = dumps.minibatches(self._dumped, section["batch_size"], section["passes"], section["seed"])
        self._minibatches = len(order)

    def plan(self, seconds):
        """Choose the networks to train in so many seconds, report included.

        First a deep, a wide and a small one (`ends`). While these three do not fit, the next choice stands for the
        dearest of them. Then each other candidate is added if it fits, and the seeds before it are there.

        Args:
            seconds: from now to the report.

        Returns:
            Plan
        """
        rows = [[(model, self._cost_of[model].seeds[0]) for model in row] for row in ends(self._config)]
        # One network may stand at two ends.
        while not self._fit(list(dict.fromkeys(row[0] for row in rows)), seconds):
            replaceable = [row for row in rows if len(row) > 1]
            if not replaceable:
                break
            max(replaceable, key=lambda row: self._left(row[0])).pop(0)
        known, chosen = candidates(self._config, self._cost_of), []
        for network in dict.fromkeys([*(row[0] for row in rows), *known]):
            if self._is_next(network, chosen) and self._fit([*chosen, network], seconds):
                chosen.append(network)
        left_out = [network for network in known if network not in self._trained.union(chosen)]
        alone = [planned for network in left_out for planned in self._scheduled([network])]
        return Plan(self._scheduled(chosen), alone, self._analysis_with(chosen))

    def least(self):
        """Seconds of the candidate that is finished soonest, report included."""
        following = [n for n in candidates(self._config, self._cost_of) if self._is_next(n, [])]
        return min(self._scheduled([network])[0].end + self._analysis_with([network]) for network in following)

    def analysis(self, config):
        """Seconds of all jobs of a checked config but download and trainings, as far as they have not run.

        Dumps and probes share the device, the others the cores.
        """
        on_device, on_cores = [], []
        for job in expected.jobs(config):
            # Tables and figures are made anew with each network.
            if job.rule in ("download", "train") or (job.networks and self._there(job.outputs[-1])):
                continue
            seconds = self._rates.start + self._work(job, config)
            (on_device if job.rule in ("dump_activations", "probe_blocks") else on_cores).append(seconds)
        return remaining.at_once(on_device, self._rates.at_once) + remaining.at_once(on_cores, self._rates.cores)

    def _is_next(self, network, chosen):
        """Whether a network is neither finished nor chosen, and those of its configuration with smaller seeds are."""
        model, seed = network
        there = self._trained.union(chosen)
        return network not in there and all(
            (model, other) in there for other in self._cost_of[model].seeds if other < seed
        )

    def _fit(self, networks, seconds):
        longest = max((planned.end for planned in self._scheduled(networks)), default=0.0)
        return longest <= seconds and longest + self._analysis_with(networks) <= seconds

    def _analysis_with(self, networks):
        everything = list(dict.fromkeys([*networks, *self._trained]))
        return self.analysis(reduction.reduced(self._config, everything)) if everything else 0.0

    def _left(self, network):
        """Operations."""
        return self._cost_of[network[0]].training * (1 - self._done.get(network, 0))

    def _scheduled(self, networks):
        """The Planned of those networks that are not trained, started in this order as places become free."""
        free, planned = [0.0] * self._rates.at_once, []
        for model, seed in networks:
            if (model, seed) in self._trained:
                continue
            operations = self._left((model, seed))
            seconds = self._rates.start + self._on_device(model, operations)
            end = heapq.heappop(free) + seconds
            heapq.heappush(free, end)
            planned.append(Planned(model, seed, operations, seconds, end))
        return planned

    def _on_device(self, model, operations):
        """Seconds, while others share the device."""
        return operations * self._rates.at_once / costs.throughput_at(model.width, self._rates.operations)

    def _work(self, job, config):
        """Seconds of one job beside its start; of drawing and tabulating, nothing."""
        of_job = [self._cost_of[model] for model, _ in job.networks]
        if job.rule == "dump_activations":
            return self._dump(*of_job)
        if job.rule == "probe_blocks":
            return self._probes(*of_job)
        if job.rule == "compute_cka":
            return self._cka(*of_job, 1, *of_job, 1)
        if job.rule == "compute_pairs":
            # Of all networks up to the larger seed.
            seeds = study_config.grid(config)
            first, second = (sum(seed <= largest for seed in seeds[model]) for model, largest in job.networks)
            return self._cka(of_job[0], first, of_job[1], second)
        return 0.0

    def _dump(self, cost):
        section = self._config["dumps"]
        seen = self._minibatches * section["batch_size"] + _COMPONENT_PASSES * self._dumped + self._images.test_examples
        grams = 2 * self._minibatches * section["batch_size"] ** 2 * _features(cost.layers)
        on_device = self._on_device(cost.model, self._rates.in_float32 * (cost.forward * seen + grams))
        stored = self._minibatches * len(cost.layers) * self._rates.a_gram if section["form"] == "gram" else 0
        return on_device + stored + cost.dumps[section["form"]] / _DISK

    def _probes(self, cost):
        seen = cost.model.fraction * self._images.train_examples * self._config["probes"]["epochs"]
        # Two probes a block, at layers of one size, and three products a probe.
        features = 2 * _features([layer for layer in cost.layers if layer.kind == "add"])
        learned = (cost.forward + 3 * 2 * features * self._images.classes) * seen
        # Accuracies of the probes, and of the network without each block and without each last ones of a stage, which
        # run from the first missing block on, half of the network in the mean.
        variants = 2 * sum(layer.kind == "add" for layer in cost.layers)
        measured = cost.model.fraction * self._images.train_examples + (1 + variants / 2) * self._images.test_examples
        return self._on_device(cost.model, learned + self._rates.in_float32 * cost.forward * measured)

    def _cka(self, first, first_networks, second, second_networks):
        """All pairs of layers of so many networks of two configurations, with and without first components."""
        section = self._config["dumps"]
        layers = first_networks * len(first.layers), second_networks * len(second.layers)
        operations = 2 * 2 * layers[0] * layers[1] * self._minibatches * section["batch_size"] ** 2 / 2
        read = first_networks * first.dumps[section["form"]] + second_networks * second.dumps[section["form"]]
        return operations / self._rates.products + read / _DISK


def _features(layers):
    return sum(math.prod(layer.shape) for layer in layers)
