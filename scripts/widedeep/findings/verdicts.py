"""The record of a finding, and the thresholds of all verdicts.

The thresholds were fixed on networks with other seeds than the demo's (config/demo-calibration.yaml; docs/method.md has
the numbers). A verdict rests on all seeds, never on a chosen network.
"""

from dataclasses import dataclass

from widedeep.networks.families import configuration_title
from widedeep.paper import CLAIMS

# Smallest share of layers in the block structure of a network that has one.
HAS_BLOCK = 0.04
# "Most" is more than this share of seeds.
MOST = 0.5
# "Nearly always" is at least this share of seeds.
NEARLY_ALWAYS = 0.8
# A network hardly trained, and decides nothing, if its accuracy is lower than the small network's by more than this.
HARDLY_TRAINED = 0.1
# The accuracies compared for that.
ACCURACIES = ("train_accuracy", "test_accuracy")
# Seeds or networks that a verdict needs at least.
FEWEST_SEEDS = 3
# The block structure vanishes if the mean CKA in it falls by at least this without first components.
FALL = 0.2
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
# A difference exceeds what seeds explain if at most this share of the splits of seeds gives one as large. Nothing is
# decided if there are too few splits for that: with three seeds each, the smallest possible share is 0.1.
SIGNIFICANT = 0.05
# Mean accuracies match if they differ by at most this, and by no more than seeds explain.
MATCHED = 0.02
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
        number: the deciding number in words, with its range over seeds.
        verdict: REPRODUCED, NOT_REPRODUCED or NOT_DECIDABLE.
        why: which networks decided, or why none could.
    """

    id: str
    result: str
    claim: str
    number: str
    verdict: str
    why: str


def finding(claim, number, verdict, why):
    """Make the Finding on the claim with an id; the other arguments as in Finding."""
    known = CLAIMS[claim]
    return Finding(known.id, known.result, known.text, number, verdict, why)


def name_of(configuration):
    """`ResNet-14 6x, 25% of data`, from the lines of one configuration."""
    return configuration_title(configuration.iloc[0])


def name_and_layers(configuration):
    """`ResNet-14 6x (49 layers)`, from the lines of one configuration."""
    return f"{name_of(configuration)} ({configuration.layers.iloc[0]:.0f} layers)"


def spread(values):
    """Median, smallest and largest, as `0.20 (0.02 to 0.43)`."""
    return f"{values.median():.2f} ({values.min():.2f} to {values.max():.2f})"


def verdict(holds):
    """REPRODUCED if the claim holds, else NOT_REPRODUCED."""
    return REPRODUCED if holds else NOT_REPRODUCED
