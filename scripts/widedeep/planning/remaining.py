"""How long the rest of a study takes, from the durations of its own finished jobs.

A network whose configuration has none yet is estimated from others of the same stage, by the number of operations: with
two or more of different size by a line through their durations (start-up, and seconds an operation), else in
proportion. Operations are those of CIFAR ResNets, and no more than a guide for other families.
"""

import csv
from dataclasses import dataclass

from widedeep.planning import sizes
from widedeep.planning.costs import Costs
from widedeep.planning.images import expected_images
from widedeep.runtime import provenance
from widedeep.runtime.errors import UserError


@dataclass(frozen=True)
class Estimate:
    """Estimated remaining seconds of a job.

    Attributes:
        seconds: None if no job of its rule has finished.
        scaled: whether it follows from jobs of another size.
    """

    seconds: float | None
    scaled: bool = False


def estimates(study, states):
    """An Estimate of the rest of each job that is not done.

    Args:
        study: config.Study.
        states: list of progress.State.

    Returns:
        list of (progress.State, Estimate)
    """
    costs = Costs(study, expected_images(study), sizes.estimated)
    rules = {}
    for state in states:
        rules.setdefault(state.job.rule, _Rule(costs))
        if state.name == "done":
            rules[state.job.rule].learn(state.job)
    return [(state, _left(state, rules[state.job.rule], study)) for state in states if state.name != "done"]


def _left(state, rule, study):
    whole = rule.estimate(state.job)
    if whole.seconds is None:
        return whole
    if state.name == "running":
        # A job that does not report its position has its age behind it.
        if state.job.rule != "train":
            return Estimate(max(0.0, whole.seconds - state.age), whole.scaled)
        share = (state.position["epoch"] - 1) / state.position["epochs"] if state.position else 0
    else:
        section = study.probes if state.job.rule == "probe_residual_blocks" else study.training
        share = (state.checkpoint - 1) / section.epochs if state.checkpoint else 0
    return Estimate(whole.seconds * (1 - min(max(share, 0), 1)), whole.scaled)


class _Rule:
    """The durations of the finished jobs of one rule."""

    def __init__(self, costs):
        self._costs = costs
        self._by_kind, self._known = {}, []

    def learn(self, job):
        seconds = duration(job)
        if seconds:
            operations = self._costs.operations(job)
            self._by_kind.setdefault(_kind(job, operations), []).append(seconds)
            self._known.append((operations, seconds))

    def estimate(self, job):
        if not self._known:
            return Estimate(None)
        operations = self._costs.operations(job)
        alike = self._by_kind.get(_kind(job, operations))
        if alike:
            return Estimate(sum(alike) / len(alike))
        start, per_operation = line_through(self._known)
        return Estimate(start + per_operation * operations, scaled=True)


def _kind(job, operations):
    """What jobs that take equally long have in common: configuration and operations, or their name."""
    configurations = tuple(network.configuration for network in job.networks)
    return (configurations, operations) if configurations else job.name


def line_through(known):
    """The line with the least relative errors whose values are nowhere negative.

    Args:
        known: list of (size, seconds), both positive.

    Returns:
        (seconds at size 0, seconds a unit of size)
    """
    # Weighted by 1 / seconds^2: a minute more is much for a small network and nothing for a large one.
    weights = [1 / seconds**2 for _, seconds in known]
    total = sum(weights)
    size = sum(w * x for w, (x, _) in zip(weights, known, strict=True)) / total
    seconds = sum(w * y for w, (_, y) in zip(weights, known, strict=True)) / total
    spread = sum(w * (x - size) ** 2 for w, (x, _) in zip(weights, known, strict=True))
    slope = sum(w * (x - size) * (y - seconds) for w, (x, y) in zip(weights, known, strict=True))
    slope = slope / spread if len({x for x, _ in known}) > 1 else None
    if slope is None or seconds - slope * size < 0:
        squares = sum(w * x * x for w, (x, _) in zip(weights, known, strict=True))
        return 0.0, sum(w * x * y for w, (x, y) in zip(weights, known, strict=True)) / squares
    return (seconds, 0.0) if slope < 0 else (seconds - slope * size, slope)


def duration(job):
    """Seconds that a finished job took, all its attempts together; None if nothing tells."""
    if job.rule not in ("train", "probe_residual_blocks"):
        return timed(job)
    try:
        return provenance.read(job.outputs["provenance"])["seconds"]
    except UserError:
        return None


def timed(job):
    """Seconds that the last attempt of a job took, as it noted itself (--timing); None if it did not."""
    try:
        with open(job.timing, newline="") as file:
            return float(next(csv.DictReader(file, delimiter="\t"))["s"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def at_once(left, running):
    """Seconds until the end if `running` jobs run at a time, as far as there are so many; none is split.

    Args:
        left: list of seconds.
        running: at least 1.
    """
    return max(sum(left) / running, max(left, default=0.0))
