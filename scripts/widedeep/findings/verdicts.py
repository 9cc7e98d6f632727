"""Findings, verdicts, and the thresholds that decide them.

The thresholds come from networks of other seeds than the demo's (config/demo-calibration.yaml; docs/method.md has the
numbers). A verdict rests on all seeds, never on a chosen network.
"""

from dataclasses import dataclass

from widedeep.networks.families import configuration_title
from widedeep.paper import CLAIMS

# A network has a block structure if at least this share of its layers is in the block.
HAS_BLOCK = 0.04
# A configuration has what more than this share of its seeds has.
MOST = 0.5
# "Nearly always" is at least this share of seeds.
NEARLY_ALWAYS = 0.8
# A configuration whose accuracy is this much below the small one's hardly trained, and decides nothing.
HARDLY_TRAINED = 0.1
ACCURACIES = ("train_accuracy", "test_accuracy")
FEWEST_SEEDS = 3
# The block vanishes if the CKA among its layers falls by this, to that of other layers, without the first component.
FALL = 0.2
# Layers of two networks are similar from here on.
SIMILAR = 0.7
# The block resembles nothing in another network if its layers' best match there is worse by this than other layers'.
WORSE = 0.2
# Probes are flat in the block, and its blocks dispensable, if they gain, or cost, at most this share of what their
# place alone would make of them.
FLAT = 0.4
# Accuracies that are less apart are noise: a probe that loses less may still be said to rise.
SLACK = 0.01
# A difference exceeds what seeds explain if at most this share of the random splits of seeds gives one as large. Where
# no share can be that small, nothing is decided: with three seeds each, the smallest possible one is a tenth.
SIGNIFICANT = 0.05
# Mean accuracies that are further apart than this, or than seeds explain, are not matched.
MATCHED = 0.02
# Minibatch CKA has reached the full-batch value when it is this near.
CONVERGED = 0.02

REPRODUCED, NOT_REPRODUCED, NOT_DECIDABLE = "reproduced", "not reproduced", "not decidable"


@dataclass(frozen=True)
class Finding:
    """One claim of the paper and the verdict of a study.

    Attributes:
        id: of the claim, in paper.CLAIMS.
        result: the figure that shows it.
        claim: the paper's, in a sentence.
        number: the number that decides, in words, with its values over seeds.
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
    """The Finding on a claim, by its id."""
    of = CLAIMS[claim]
    return Finding(of.id, of.result, of.text, number, verdict, why)


def name_of(configuration):
    """`ResNet-14 6x, 25% of data` of lines of one configuration."""
    return configuration_title(configuration.iloc[0])


def name_and_layers(configuration):
    """`ResNet-14 6x (49 layers)`, beside a share of layers."""
    return f"{name_of(configuration)} ({configuration.layers.iloc[0]:.0f} layers)"


def spread(values):
    """Median, smallest and largest, as `0.20 (0.02 to 0.43)`."""
    return f"{values.median():.2f} ({values.min():.2f} to {values.max():.2f})"


def verdict(holds):
    return REPRODUCED if holds else NOT_REPRODUCED
