"""The record of a finding, its thresholds, and the three verdicts.

A claim is reproduced if the 95 % interval of the number that decides it lies wholly beyond the claim's threshold, not
reproduced if it lies wholly short of it, and else not decidable. docs/method.md explains each threshold.
"""

from dataclasses import dataclass

import numpy as np

from widedeep.networks.families import configuration_title
from widedeep.paper import CLAIMS

# A network hardly trained, and decides nothing, if its training accuracy is lower than the smallest network's by more.
HARDLY_TRAINED = 0.1
# Seeds or networks that a verdict needs at least.
FEWEST_SEEDS = 3
# "Most" is more than this share of networks.
MOST = 0.5
# "Nearly always" is at least this share of networks, "lack" at most the rest.
NEARLY_ALWAYS = 0.8
# The paper sees a block structure on all of CIFAR-10 from these sizes on.
SEEN_FROM = {"depth": 110, "width": 8}
# With less data a block structure grows if its contrast rises by more than this, in right angles.
GROWN = 0.02
# Layers share their first component if the mean squared cosine is above this ...
SHARED = 0.8
# ... and larger by this than that of pairs at equal distance across the edges of the block structure.
SHARED_MORE = 0.2
# A first component is dominant if its share of the variance is larger by this factor than outside the block structure.
DOMINANT = 2
# The block structure weakens if at most this part of its contrast is left without first components.
WEAKENED = 0.5
# The rule finds a block structure in at most this share of heatmaps in which the eye sees none: the upper end of the
# exact interval of 2 in 47.
FALSE_ALARMS = 0.145
# Layers of two networks are similar if their CKA is at least this.
SIMILAR = 0.7
# The block structure resembles nothing in another network if the best CKA of its layers there is lower by this than the
# best CKA of other layers.
WORSE = 0.2
# Inside the block structure probes are flat if they gain at most this share of the gain expected from their position.
# The same holds for the accuracy that a deleted residual block costs.
FLAT = 0.4
# Smaller differences of accuracy are noise.
SLACK = 0.01
# Mean accuracies match if the 90 % interval of their difference lies within this.
MATCHED = 0.02
# Networks of one architecture agree more if Cohen's kappa of their errors is larger by this than that of others.
AGREE_MORE = 0.02
# Minibatch CKA has converged if it differs from the full-batch value by at most this.
CONVERGED = 0.02

REPRODUCED, NOT_REPRODUCED, NOT_DECIDABLE = "reproduced", "not reproduced", "not decidable"


@dataclass(frozen=True)
class Finding:
    """One claim of the paper, and the verdict of a study on it.

    Attributes:
        id: of the claim, in paper.CLAIMS.
        result: the figure that shows it.
        claim: the claim, a sentence.
        number: the deciding number in words.
        interval: its 95 % interval in words, with the threshold; "" if there is none.
        smallest_effect: the smallest effect that the study could have seen, in words; "" if it could see none.
        verdict: REPRODUCED, NOT_REPRODUCED or NOT_DECIDABLE.
        why: which networks decided, or why none could.
    """

    id: str
    result: str
    claim: str
    number: str
    interval: str
    smallest_effect: str
    verdict: str
    why: str


def finding(claim, verdict, why, number="", interval="", smallest_effect=""):
    """Make the Finding on the claim with an id; the other arguments as in Finding."""
    known = CLAIMS[claim]
    return Finding(known.id, known.result, known.text, number, interval, smallest_effect, verdict, why)


def above(interval, threshold):
    """The verdict on "it is above the threshold" by a statistics.Interval; not decidable without an interval."""
    if interval.low > threshold:
        return REPRODUCED
    return NOT_REPRODUCED if interval.high < threshold else NOT_DECIDABLE


def below(interval, threshold):
    """The verdict on "it is below the threshold", as `above`."""
    if interval.high < threshold:
        return REPRODUCED
    return NOT_REPRODUCED if interval.low > threshold else NOT_DECIDABLE


def all_of(*verdicts):
    """The verdict on a claim of several parts: all must be reproduced, and one that is not refutes it."""
    if NOT_REPRODUCED in verdicts:
        return NOT_REPRODUCED
    return NOT_DECIDABLE if NOT_DECIDABLE in verdicts else REPRODUCED


def interval_in_words(interval, threshold, relation):
    """`0.66 to 0.76, threshold above 0.70`, with as many decimals as show on which side of the threshold each end lies.

    Args:
        interval: statistics.Interval.
        threshold: number.
        relation: `above` or `below`, where the claim puts the number.

    Returns:
        str; "" if the interval has no ends
    """
    ends = (interval.low, interval.high)
    if not np.isfinite(ends).all():
        return ""
    low, high, border = told(*ends, threshold)
    return f"{low} to {high}, threshold {relation} {border}"


def told(*numbers):
    """Format numbers with the fewest decimals, two or more, in which those that differ look different; a list."""
    different = len(set(numbers))
    for decimals in range(2, 9):
        words = [f"{number:.{decimals}f}" for number in numbers]
        if len(set(words)) == different:
            break
    return words


def detectable_in_words(interval, threshold, relation):
    """The smallest true value beyond a threshold that would have been seen there with a power of 0.8, in words.

    Args:
        interval, threshold, relation: as in interval_in_words.
    """
    if not np.isfinite(interval.detectable):
        return ""
    sign = {"above": 1, "below": -1}[relation]
    return f"{threshold + sign * interval.detectable:.2f}"


def by_interval(claim, number, interval, threshold, relation, why):
    """The Finding that one interval and one threshold decide; arguments as in Finding and interval_in_words."""
    verdict = {"above": above, "below": below}[relation](interval, threshold)
    words = [part(interval, threshold, relation) for part in (interval_in_words, detectable_in_words)]
    return finding(claim, verdict, why, number, *words)


def name_of(configuration):
    """`ResNet-14 6x, 25% of data`, from the lines of one configuration."""
    return configuration_title(configuration.iloc[0])


def name_and_layers(configuration):
    """`ResNet-14 6x (49 layers)`, from the lines of one configuration."""
    return f"{name_of(configuration)} ({configuration.layers.iloc[0]:.0f} layers)"
