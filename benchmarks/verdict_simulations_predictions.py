"""Levels and powers of the findings on predictions (figure 6, appendix G), in simulated studies, for verdicts.py.

Networks follow the logistic model of ability and difficulty: network s is right on example i with probability
1 / (1 + exp(difficulty_i - ability_s)). Abilities vary over the seeds of a configuration.
"""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from widedeep.analysis import examples, permutations  # noqa: E402
from widedeep.analysis.agreement import kappa_of_errors  # noqa: E402
from widedeep.findings import predictions  # noqa: E402
from widedeep.findings.statistics import (
    SIGNIFICANT,  # noqa: E402
    of_difference,  # noqa: E402
)
from widedeep.findings.verdicts import MATCHED, REPRODUCED  # noqa: E402

CLASSES = 10
# Standard deviations: of difficulties, of the mean difficulties of classes, of abilities over seeds. Accuracy is about
# 0.86 at ability 0.
DIFFICULTY, OF_CLASSES, ABILITY, EASE = 1.6, 0.7, 0.04, 2.5


def simulations(studies=300, examples_each=(1000, 10000), rng=None):
    """Shares of simulated studies, for each kind of study and number of seeds.

    Args:
        studies: number of each kind.
        examples_each: numbers of test examples.
        rng: numpy.random.Generator.

    Returns:
        list of (what was simulated, seeds of each configuration, share of studies)
    """
    rng = rng or np.random.default_rng(7)
    rows = []
    for number, seeds in itertools.product(examples_each, (4, 10, 20)):
        for gap in (0, 0.06, 0.12):
            rows += _figure_6(f"{number} images, abilities {gap:g} apart", seeds, studies, rng, number, gap=gap)
    for seeds in (4, 5, 10):
        rows += _figure_6("1000 images, 20 each way prefer one at 75:25", seeds, studies, rng, 1000, each_way=20)
        rows += _figure_6("1000 images, one class differs by 5 points", seeds, studies, rng, 1000, points=5)
    for seeds in (3, 4, 5, 10):
        for kind, settings in OF_AGREEMENT.items():
            rows += _appendix_g(kind, seeds, min(studies, 200), rng, **settings)
    return rows


def networks(abilities, difficulty, rng):
    """(networks, examples) bool, whether the prediction is right; `difficulty` is (examples,) or a row a network."""
    chance = 1 / (1 + np.exp(difficulty - np.reshape(abilities, (-1, 1))))
    return rng.random(chance.shape) < chance


def _figure_6(kind, seeds, studies, rng, number, gap=0.0, each_way=0, points=0):
    """Rows of the shares of studies that are matched and find a difference, by example and by class."""
    counts = np.zeros(6)
    for _ in range(studies):
        labels = rng.integers(0, CLASSES, number)
        difficulty = rng.normal(-EASE, DIFFICULTY, number) + rng.normal(0, OF_CLASSES, CLASSES)[labels]
        abilities = np.concatenate([rng.normal(0, ABILITY, seeds), rng.normal(gap, ABILITY, seeds)])
        correct = networks(abilities, difficulty, rng)
        for part, chances in ((correct[:seeds], (0.75, 0.25)), (correct[seeds:], (0.25, 0.75))):
            part[:, :each_way] = rng.random((seeds, each_way)) < chances[0]
            part[:, each_way : 2 * each_way] = rng.random((seeds, each_way)) < chances[1]
        first, second = correct[:seeds], correct[seeds:]
        # Wrong predictions on one class become right ones, so that its accuracy rises by `points`.
        wrong = ~first & (labels == 0)
        first |= wrong & (rng.random(first.shape) < points / 100 / max(wrong[:, labels == 0].mean(), 0.01))
        counts += _tests(first, second, labels)
    names = (
        "matched",
        "by example",
        "by class",
        "by class, Benjamini and Hochberg",
        "by example, matched",
        "by class, matched",
    )
    return [(f"figure 6, {kind}: {name}", seeds, count / studies) for name, count in zip(names, counts, strict=True)]


def _tests(first, second, labels):
    """Which tests say that two configurations differ, and whether their accuracies match; 6 of 0 or 1."""
    apart = of_difference(first.mean(axis=1), second.mean(axis=1), level=0.9)
    matched = -MATCHED <= apart.low <= apart.high <= MATCHED
    by_example = permutations.examples_test(first, second).p <= SIGNIFICANT
    by_class = permutations.classes_test(first, second, labels, CLASSES) <= SIGNIFICANT
    accuracies = [examples.class_accuracies(part, labels, CLASSES) for part in (first, second)]
    corrected = np.nanmin(examples.class_differences(*accuracies)["q"], initial=1) < 0.05
    return np.array([matched, by_example, by_class, corrected, by_example and matched, by_class and matched])


# Kinds of studies of appendix G: mean abilities of the configurations, and the standard deviations of difficulties that
# all networks share, and of those that the networks of one configuration share.
OF_AGREEMENT = {
    "independent errors, accuracies 0.95, 0.88, 0.73": {"abilities": (3, 2, 1), "common": 0, "own": 0},
    "one difficulty, equal accuracies": {"abilities": (2, 2, 2), "common": 2, "own": 0},
    "one difficulty, accuracies 0.87, 0.78, 0.65": {"abilities": (3, 2, 1), "common": 2, "own": 0},
    "one difficulty, hardly any chance, accuracies 0.76, 0.68, 0.59": {"abilities": (3, 2, 1), "common": 4, "own": 0},
    "own difficulties, equal accuracies": {"abilities": (2, 2, 2), "common": 1.5, "own": 1.3},
    "own difficulties, different accuracies": {"abilities": (2.5, 2, 1.5), "common": 1.5, "own": 1.3},
}


def _appendix_g(kind, seeds, studies, rng, abilities, common, own, number=1000):
    """Rows of the shares of verdicts on appendix G, and of studies in which kappa alone would say `reproduced`."""
    counts = {"reproduced": 0, "not reproduced": 0, "not decidable": 0, "kappa alone: reproduced": 0}
    for _ in range(studies):
        shared = rng.normal(0, common, number)
        right = np.concatenate(
            [networks(rng.normal(mean, 0.1, seeds), shared + rng.normal(0, own, number), rng) for mean in abilities]
        )
        table = table_of_pairs(right, np.repeat(np.arange(len(abilities)), seeds))
        counts[predictions.agreement(table).verdict] += 1
        alone = predictions.agreement(table.assign(kappa_largest=1)).verdict
        counts["kappa alone: reproduced"] += alone == REPRODUCED
    return [(f"appendix G, {kind}: {name}", seeds, count / studies) for name, count in counts.items()]


def table_of_pairs(right, configurations):
    """The columns of G-pairs.csv that decide, of (networks, examples) bool and (networks,) configurations."""
    kappa, largest = kappa_of_errors(right)
    first, second = np.triu_indices(len(right), 1)
    return pd.DataFrame(
        {
            "first": [f"n/seed{one}" for one in first],
            "second": [f"n/seed{one}" for one in second],
            "configuration_first": configurations[first].astype(str),
            "configuration_second": configurations[second].astype(str),
            "kappa": kappa[first, second],
            "kappa_largest": largest[first, second],
        }
    )


if __name__ == "__main__":
    for what, of_each, share in simulations():
        print(f"| {what} | {of_each} | {share:.3f} |", flush=True)
