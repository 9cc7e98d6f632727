"""How often intervals cover the truth, and how often each verdict is right: simulated studies whose truth is known.

Prints Markdown; docs/statistics.md has the tables. A cell of a table of verdicts is the percentage of studies that say
`reproduced`, then `not reproduced`; the others are not decidable. Where a verdict depends on counts alone, studies are
not drawn: the cell is exact.

Example (from the folder of the workflow):
  python benchmarks/verdicts.py
"""

import argparse
import functools
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import scipy.stats  # noqa: E402
from verdict_simulations_predictions import simulations  # noqa: E402

from widedeep.findings import between, components, minibatches, residual_blocks, within  # noqa: E402
from widedeep.findings.statistics import of_mean, of_mean_over_pairs  # noqa: E402
from widedeep.findings.verdicts import (  # noqa: E402
    CONVERGED,
    FALSE_ALARMS,
    FLAT,
    GROWN,
    NOT_REPRODUCED,
    REPRODUCED,
    SHARED,
    SHARED_MORE,
    SIMILAR,
    WORSE,
    above,
    below,
)

# Contrasts of a network with and of one without a block structure.
WITH, WITHOUT = 0.1, 0.02
# Draws of the percentile bootstrap in each study.
DRAWS = 400


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500, help="for each cell (default: 500); of coverage 5 times")
    parser.add_argument("--predictions", type=int, default=300, help="of figure 6 and appendix G (default: 300)")
    args = parser.parse_args(argv)
    print("\n".join(coverage(5 * args.studies, np.random.default_rng(1))))
    for table in tables_of_verdicts(args.studies, np.random.default_rng(2)):
        print("\n".join(["", *table]), flush=True)
    for table in of_predictions(simulations(args.predictions)):
        print("\n".join(["", *table]))


def of_predictions(rows):
    """Yield the lines of Markdown of verdict_simulations_predictions.simulations: percentages of studies."""
    studies = {}
    for words, number, share in rows:
        kind, _, name = words.partition(": ")
        studies.setdefault((kind, number), {})[name] = f"{100 * share:.0f}"
    for names, part in itertools.groupby(studies.items(), lambda study: tuple(study[1])):
        lines = [_row("simulated", "seeds", *names), "|" + "---|" * (2 + len(names))]
        yield lines + [_row(*study, *found.values()) for study, found in part]


# Coverage


def coverage(studies, rng, seeds=(3, 5, 10, 20)):
    """Lines of Markdown: how often 95 % intervals of a mean over pairs of networks hold its true value.

    The value of a pair is the sum of the effects of both networks, of standard deviation 1, and of noise of 0.5.
    """
    ways = {"jackknife": _jackknife, "bootstrap": _bootstrap}
    lines = [_row("pairs", "effects", "interval", *(f"{number} seeds" for number in seeds))]
    lines.append("|" + "---|" * (3 + len(seeds)))
    for same, skewed in itertools.product((True, False), (False, True)):
        covered = {name: [0] * len(seeds) for name in ways}
        for place, number in enumerate(seeds):
            for _ in range(studies):
                values = _values_of_pairs(number, same, skewed, rng)
                for name, way in ways.items():
                    low, high = way(values, same, rng)
                    covered[name][place] += low <= 0 <= high
        for name, counts in covered.items():
            cells = (f"{count / studies:.2f}" for count in counts)
            kind = "within a configuration" if same else "between two"
            lines.append(_row(kind, "skewed" if skewed else "normal", name, *cells))
    return lines


def _effects(number, skewed, rng):
    """Effects of mean 0 and standard deviation 1; the skewed ones are exponential."""
    return rng.exponential(size=number) - 1 if skewed else rng.normal(size=number)


def _values_of_pairs(number, same, skewed, rng):
    """(number, number) values of pairs; NaN for a network with itself."""
    first = _effects(number, skewed, rng)
    second = first if same else _effects(number, skewed, rng)
    noise = rng.normal(0, 0.5, (number, number))
    if same:
        noise = np.triu(noise, 1) + np.triu(noise, 1).T + np.diag(np.full(number, np.nan))
    return first[:, None] + second + noise


def _jackknife(values, same, _rng):
    number = len(values)
    first, second = np.triu_indices(number, 1) if same else map(np.ravel, np.indices(values.shape))
    # Networks of the second configuration have numbers from `number` on.
    others = second if same else second + number
    found = of_mean_over_pairs(first, others, values[first, second], lambda network: network // number)
    return found.low, found.high


def _bootstrap(values, same, rng):
    """Percentiles of the mean over pairs when networks are drawn with replacement."""
    number = len(values)
    rows = rng.multinomial(number, np.full(number, 1 / number), size=DRAWS)
    columns = rows if same else rng.multinomial(number, np.full(number, 1 / number), size=DRAWS)
    there = np.isfinite(values)
    pairs = ((rows @ there) * columns).sum(axis=1)
    sums = ((rows @ np.where(there, values, 0)) * columns).sum(axis=1)
    return np.percentile(sums[pairs > 0] / pairs[pairs > 0], [2.5, 97.5])


# Verdicts


@dataclass(frozen=True)
class Rule:
    """A rule and the studies that it is tried on.

    Attributes:
        title: of the table.
        share: function of (truth, number, studies, rng) that returns the shares of (reproduced, not reproduced).
        truths: dict from the words of a truth to what `share` takes.
        numbers: of seeds or networks, a column each.
    """

    title: str
    share: callable
    truths: dict
    numbers: tuple


def tables_of_verdicts(studies, rng, rules=None):
    """Yield the lines of Markdown of each rule."""
    for rule in RULES if rules is None else rules:
        lines = [f"**{rule.title}**", "", _row("truth", *rule.numbers), "|" + "---|" * (1 + len(rule.numbers))]
        for words, truth in rule.truths.items():
            cells = (_percent(*rule.share(truth, number, studies, rng)) for number in rule.numbers)
            lines.append(_row(words, *cells))
        yield lines


def _percent(reproduced, not_reproduced):
    return f"{100 * reproduced:.0f} / {100 * not_reproduced:.0f}"


def _row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def _shares(verdicts, weights=None):
    """Shares of (reproduced, not reproduced) among verdicts."""
    kinds = (REPRODUCED, NOT_REPRODUCED)
    return tuple(np.average([verdict == kind for verdict in verdicts], weights=weights) for kind in kinds)


def simulated(study):
    """Make the `share` of a Rule from a function of (truth, number, rng) that draws a study and returns its verdict."""

    def share(truth, number, studies, rng):
        return _shares([study(truth, number, rng) for _ in range(studies)])

    return share


def networks(contrasts, **configuration):
    """Lines of the table of networks, of one configuration."""
    line = {"family": "resnet", "depth": 14, "width": 1, "fraction": 1.0, "layers": 49, "block_size": 0.4}
    line |= {"seed": range(1, len(contrasts) + 1), "contrast": contrasts}
    return pd.DataFrame({**line, **configuration})


def with_block(count, number, **configuration):
    """Lines of `number` networks, `count` of which have a block structure."""
    return networks([WITH] * count + [WITHOUT] * (number - count), **configuration)


@functools.cache
def verdict_of_counts(claim, small, large, number):
    """The verdict on figure 1 where `small` and `large` of `number` networks have a block structure.

    The large ones are as deep as those in which the paper sees one.
    """
    table = pd.concat([with_block(small, number), with_block(large, number, depth=110)], ignore_index=True)
    found = within.seeds(table) if claim == "seeds" else within.depth_or_width(table, "depth", "width")
    return found.verdict


def of_counts(claim):
    """The `share` of a Rule on counts; a truth is the shares of (small, large) networks with a block structure."""

    def share(truth, number, _studies, _rng):
        laws = [scipy.stats.binom.pmf(range(number + 1), number, part) for part in truth]
        # Counts that cannot occur need no verdict.
        weights = {pair: weight for pair, weight in np.ndenumerate(np.outer(*laws)) if weight}
        return _shares([verdict_of_counts(claim, *pair, number) for pair in weights], [*weights.values()])

    return share


def plain_networks(truth, number, _studies, _rng):
    """Appendix C; a truth is the share of plain networks with a block structure. All ResNets of their size have one."""
    counts = range(number + 1)
    verdicts = [
        within.no_residuals(
            pd.concat([with_block(count, number, family="plain"), with_block(number, number)], ignore_index=True)
        ).verdict
        for count in counts
    ]
    return _shares(verdicts, scipy.stats.binom.pmf(counts, number, truth))


def less_data(spread):
    """Figure 2, of two configurations; a truth is by how much the contrast of the first grows with less data."""

    def study(truth, number, rng):
        parts = [
            networks(rng.normal(mean, spread, number), depth=depth, width=8, fraction=fraction)
            for depth, grown in ((14, truth), (26, 0))
            for fraction, mean in ((1, 0.05), (0.25, 0.05 + grown))
        ]
        return within.data(pd.concat(parts, ignore_index=True)).verdict

    return simulated(study)


def mean_over_networks(skewed):
    """Student's interval; a truth is the distance of the mean beyond the threshold, in standard deviations."""
    return simulated(lambda truth, number, rng: above(of_mean(truth + _effects(number, skewed, rng)), 0))


def shared_component(truth, number, rng):
    """Figure 3; a truth is the mean squared cosine (inside, across edges), each of standard deviation 0.05."""
    inside, across = (rng.normal(mean, 0.05, number) for mean in truth)
    table = networks([WITH] * number).assign(cosine_inside=inside, cosine_across=across)
    return components.shared_component(table).verdict


def blocks_inside(truth, number, rng):
    """Figure 4, with five controls; a truth is what residual blocks inside contribute, as a part of what is expected.

    Each mean contribution, 0.05 but inside, has a standard deviation of 0.01 over networks.
    """
    controls = {f"control {place}": tuple(rng.normal(0.05, 0.01, 2)) for place in range(5)}
    inside, outside = (rng.normal(0.05 * part, 0.01, number) for part in (truth, 1))
    compared = [residual_blocks.Comparison(*pair, controls) for pair in zip(inside, outside, strict=True)]
    return below(residual_blocks.excess(compared), 0)


def pairs_of_networks(number, having, rng, effect, noise):
    """Lines of pairs.csv of all ordered pairs, the first `having` networks with a block structure, and their values."""
    pairs = [*itertools.permutations(range(number), 2)]
    effects = rng.normal(0, effect, number)
    errors = rng.normal(0, noise, (number, number))
    values = np.array([effects[a] + effects[b] + errors[min(a, b), max(a, b)] for a, b in pairs])
    contrasts = np.where(np.arange(number) < having, WITH, WITHOUT)
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    table = {"first": first, "second": second, "contrast_first": contrasts[first], "contrast_second": contrasts[second]}
    return pd.DataFrame(table), values


def similar_pairs(truth, number, rng):
    """Figure 5, networks without a block structure; a truth is the mean CKA at equal relative depth."""
    table, values = pairs_of_networks(number, 0, rng, 0.03, 0.03)
    return between.equal_depth(table.assign(equal_depth=truth + values)).verdict


def own_block(others):
    """Figure 5, networks with a block structure and `others` without; a truth is the difference of the best CKA."""

    def study(truth, number, rng):
        table, values = pairs_of_networks(number + others, number, rng, 0.05, 0.05)
        return between.own_block(table.assign(best_inside=0.3, best_outside=0.3 + truth + values)).verdict

    return simulated(study)


def orders_of_examples(spread):
    """Appendix A, nine estimates; a truth is the distance of one of them to the full-batch value."""

    def study(truth, number, rng):
        lines = [
            {"first": "a", "second": second, "batch_size": size, "repeat": repeat, "minibatches": 10, "full_batch": 0.5}
            for second, size, repeat in itertools.product("bcd", (16, 64, 256), range(number))
        ]
        table = pd.DataFrame(lines).assign(biased=0.9)
        off = np.where((table.second == "b") & (table.batch_size == 16), truth, 0)
        return minibatches.convergence(table.assign(unbiased=0.5 + off + rng.normal(0, spread, len(table)))).verdict

    return simulated(study)


SEEDS, FEWER = (3, 4, 5, 6, 8, 10), (3, 5, 10)
SHARES = {
    f"{small:g} of the small, {large:g} of the large": (small, large)
    for small, large in ((0, 0), (0.2, 0.2), (0.5, 0.5), (1, 1), (0, 0.6), (0, 0.8), (0, 1), (0.2, 0.8), (0.8, 0.2))
}
DISTANCES = {f"{distance:+d} standard deviations": distance for distance in (-2, -1, 0, 1, 2)}
COSINES = {
    f"{inside:g} inside, {across:g} across": (inside, across)
    for inside, across in ((0.7, 0.4), (0.8, 0.4), (0.9, 0.8), (0.9, 0.7), (0.9, 0.4))
}


def _numbers(*truths):
    return {f"{truth:g}": truth for truth in truths}


RULES = (
    Rule("Figure 1, depth and width: share of networks with a block structure", of_counts("depth"), SHARES, SEEDS),
    Rule("Figure 1 over seeds: share of networks with a block structure", of_counts("seeds"), SHARES, SEEDS),
    *(
        Rule(
            f"Figure 2: growth of the contrast, of standard deviation {spread:g}, threshold {GROWN:g}",
            less_data(spread),
            _numbers(-2 * GROWN, 0, GROWN, 2 * GROWN, 4 * GROWN),
            FEWER,
        )
        for spread in (0.02, 0.05)
    ),
    Rule(
        "Appendix C: share of networks without residual connections that have a block structure",
        plain_networks,
        _numbers(0, FALSE_ALARMS, 0.3, 0.5, 0.8, 1),
        SEEDS,
    ),
    *(
        Rule(
            f"Figures 3 and 4, mean over networks, {kind} ones: distance beyond the threshold",
            mean_over_networks(kind == "skewed"),
            DISTANCES,
            (*FEWER, 20),
        )
        for kind in ("normal", "skewed")
    ),
    Rule(
        f"Figure 3, shared component: squared cosines, of standard deviation 0.05, thresholds {SHARED:g} and "
        f"{SHARED_MORE:g} more than across",
        simulated(shared_component),
        COSINES,
        FEWER,
    ),
    Rule(
        f"Figure 4, inside the block structure: contribution as a part of the expected, threshold {FLAT:g}",
        simulated(blocks_inside),
        _numbers(0, FLAT / 2, FLAT, 2 * FLAT, 1),
        FEWER,
    ),
    Rule(
        f"Figure 5, equal depth: mean CKA, threshold {SIMILAR:g}",
        simulated(similar_pairs),
        _numbers(SIMILAR - 0.1, SIMILAR - 0.05, SIMILAR, SIMILAR + 0.05, SIMILAR + 0.1),
        FEWER,
    ),
    Rule(
        f"Figure 5, own block: difference of the best CKA, threshold {WORSE:g}; and five networks without a block "
        "structure",
        own_block(others=5),
        _numbers(0, WORSE - 0.1, WORSE, WORSE + 0.1, WORSE + 0.2),
        FEWER,
    ),
    *(
        Rule(
            f"Appendix A: distance of one of nine estimates, each of standard deviation {spread:g}, threshold "
            f"{CONVERGED:g}; by orders of the examples",
            orders_of_examples(spread),
            _numbers(0, CONVERGED / 2, CONVERGED, 2 * CONVERGED),
            (5, 10),
        )
        for spread in (0.002, 0.006)
    ),
)


if __name__ == "__main__":
    main()
