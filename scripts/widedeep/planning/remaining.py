"""Remaining time of a study, estimated from the durations of its own finished jobs.

A job takes as long as finished jobs of the same rule and configuration. Where there are none, finished jobs of the rule
are scaled by operations: with a line through their durations (start-up, and seconds an operation), or in proportion if
all of them have the same size. Operations are those of CIFAR ResNets, a rough guide for other families.
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
    """Estimated total or remaining time of a job.

    Attributes:
        seconds: None if no job of its rule has finished.
        scaled: whether it is scaled from jobs of another size.
    """

    seconds: float | None
    scaled: bool = False


def estimates(study, states):
    """Estimate the remaining time of each job that is not done.

    Args:
        study: config.Study.
        states: list of progress.State of all its jobs.

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
        # Jobs other than trainings report no position; their age is the time since they began.
        if state.job.rule != "train":
            return Estimate(max(0.0, whole.seconds - state.age), whole.scaled)
        share = (state.position["epoch"] - 1) / state.position["epochs"] if state.position else 0
    else:
        section = study.probes if state.job.rule == "probe_residual_blocks" else study.training
        share = (state.checkpoint - 1) / section.epochs if state.checkpoint else 0
    return Estimate(whole.seconds * (1 - min(max(share, 0), 1)), whole.scaled)


class _Rule:
    """Durations of the finished jobs of one rule.

    Args:
        costs: costs.Costs of the study.
    """

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
    """Key of jobs that take equally long: their configurations and operations; for drawings and tables, the name."""
    configurations = tuple(network.configuration for network in job.networks)
    return (configurations, operations) if configurations else job.name


def line_through(known):
    """Fit a line to durations with least squared relative errors; neither of its coefficients is negative.

    Args:
        known: list of (size, seconds), both positive.

    Returns:
        (seconds at size 0, seconds a unit of size)
    """
    # Weighted by 1 / seconds^2: an error of a minute is large for a small network and small for a large one.
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
    """Seconds that a finished jobs.Job took in all its attempts together; None where they are not recorded."""
    if job.rule not in ("train", "probe_residual_blocks"):
        return timed(job)
    try:
        return provenance.read(job.outputs["provenance"])["seconds"]
    except UserError:
        return None


def timed(job):
    """Seconds of the last attempt of a jobs.Job, from its file of timings; None where it has none."""
    try:
        with open(job.timing, newline="") as file:
            return float(next(csv.DictReader(file, delimiter="\t"))["s"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def at_once(left, running):
    """Seconds until all jobs have ended when several run at a time; no less than the longest job takes.

    Args:
        left: list of the seconds of each job.
        running: number of jobs at a time, at least 1.
    """
    return max(sum(left) / running, max(left, default=0.0))
