"""The paper's claims and the rules that decide whether a study reproduces them.

The thresholds come from networks of other seeds than the demo's (config/demo-calibration.yaml; docs/method.md has the
numbers). A verdict rests on all seeds, never on a chosen network.
"""

from dataclasses import dataclass, replace

import pandas as pd

from widedeep import metrics
from widedeep.blocks import by_place
from widedeep.errors import UserError

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
    """One claim of the paper and what a study says about it.

    Attributes:
        result: id as in the figures.
        claim: the paper's, in a sentence.
        number: what decides, in words, with its values over seeds.
        verdict: REPRODUCED, NOT_REPRODUCED or NOT_DECIDABLE.
        why: which networks decided, or why none could.
    """

    result: str
    claim: str
    number: str
    verdict: str
    why: str


def decide(networks, pairs, blocks, examples, agreement, convergence, family=None):
    """All findings of a study.

    Args:
        networks: DataFrame as of scripts/summarise.py.
        pairs, blocks, examples, agreement, convergence: DataFrames as of scripts/summarise_pairs.py, plot_blocks.py,
            compare_examples.py --summary, compare_predictions.py and converge_cka.py; they may have no line.
        family: whose networks decide figures 1 and 2; by default, and for `plain`, the one with the most networks,
            without `plain`. Of ties the first.

    Returns:
        list of Finding

    Raises:
        UserError: no network is of the family.
    """
    resnets = with_shortcuts(networks, family)
    untrained = networks[behind(networks, resnets)]
    labels = untrained.model + "/seed" + untrained.seed.astype(str)
    trained = networks.drop(untrained.index)
    blocks, pairs = blocks[~blocks.network.isin(labels)], without_names(pairs, labels)
    names = [metrics.configuration_name(network) for _, network in untrained.iterrows()]
    single = [
        first_component(trained),
        rising_probes(blocks),
        flat_probes(blocks),
        dispensable_blocks(blocks),
        same_depth(pairs),
        own_block(pairs),
        without_shortcuts(trained),
    ]
    left_out = f"; of the study's networks {len(untrained)} hardly trained and are left out" if len(untrained) else ""
    by_capacity = [
        by_size(resnets, "depth", "width", "Deep networks have a block structure, shallow ones have none."),
        by_size(resnets, "width", "depth", "Wide networks have a block structure, narrow ones have none."),
        over_seeds(resnets),
        by_data(resnets),
    ]
    if resnets.empty:
        why = "no network of the study has residual connections; appendix C is about those without"
        by_capacity = [replace(finding, why=why) for finding in by_capacity]
    return [
        *by_capacity,
        *(replace(finding, why=finding.why + left_out) for finding in single),
        by_example(examples),
        by_class(examples),
        own_kind(without_names(agreement, names)),
        by_batch_size(convergence),
    ]


def with_shortcuts(networks, family):
    """The lines of the family whose networks decide figures 1 and 2, as `decide` says; none where all are `plain`."""
    if family is not None and family not in set(networks.family):
        known = ", ".join(networks.family.unique())
        raise UserError(f"family '{family}' has no network in the table, which holds {known}; name one of those.")
    if family in (None, "plain"):
        families = networks.family[networks.family != "plain"]
        family = families.value_counts(sort=False).idxmax() if len(families) else None
    return networks[networks.family == family]


def behind(networks, resnets):
    """Which of `networks` hardly trained: the smallest of `resnets` on that share of the data (or any) is far ahead.

    Where `resnets` is empty, the smallest of `networks` instead.
    """
    far = pd.Series(False, networks.index)
    for fraction, lines in networks.groupby("fraction"):
        small = smallest(networks if resnets.empty else resnets, fraction)
        for accuracy in ACCURACIES:
            far[lines.index] |= small[accuracy].mean() - lines[accuracy] > HARDLY_TRAINED
    return far


def smallest(networks, fraction):
    """The lines of the smallest configuration on this share of the data, or of all where none was trained on it."""
    same = networks[networks.fraction == fraction]
    narrow, _ = ends(networks if same.empty else same, "width")
    return ends(narrow, "depth")[0]


def without_names(pairs, names):
    """The lines of a table of pairs in which neither the first nor the second has one of these names."""
    return pairs[~(pairs["first"].isin(names) | pairs["second"].isin(names))]


def by_size(networks, grown, fixed, claim):
    """Figure 1: in a row of networks the smallest has no block in most seeds, and the largest has one in most."""
    result = f"fig1, {grown}"
    row = longest_row(networks, grown, fixed)
    if row is None:
        return Finding(result, claim, "", NOT_DECIDABLE, f"the grid has no networks that differ in {grown} alone")
    small, large = ends(row, grown)
    number = f"share of layers in the block: {spread(small.layers_in_block)} and {spread(large.layers_in_block)}"
    why = f"{name_and_layers(small)} and {name_and_layers(large)}"
    if obstacle := too_few_seeds(small, large) or hardly_trained(small, large):
        return Finding(result, claim, number, NOT_DECIDABLE, obstacle)
    return Finding(result, claim, number, verdict(not has_block(small) and has_block(large)), why)


def over_seeds(networks):
    """Figure 1 over seeds: the smallest network never has a block, the largest nearly always has one."""
    result = "fig1-seeds"
    claim = "Over seeds, small networks lack the block structure, and large ones nearly always have it."
    rows = {grown: longest_row(networks, grown, fixed) for grown, fixed in (("depth", "width"), ("width", "depth"))}
    compared = [ends(row, grown) for grown, row in rows.items() if row is not None]
    compared = [pair for pair in compared if not (too_few_seeds(*pair) or hardly_trained(*pair))]
    if not compared:
        return Finding(result, claim, "", NOT_DECIDABLE, f"no row of the grid has {FEWEST_SEEDS} seeds that trained")
    small, large = (sum_of_seeds(configurations) for configurations in zip(*compared, strict=True))
    number = f"networks with a block: {small[0]} of {small[1]} small ones, {large[0]} of {large[1]} large ones"
    why = "; ".join(f"{name_of(small)} and {name_of(large)}" for small, large in compared)
    return Finding(result, claim, number, verdict(small[0] == 0 and large[0] >= NEARLY_ALWAYS * large[1]), why)


def by_data(networks):
    """Figure 2: with less data some configuration gains a block and none loses it."""
    result, claim = "fig2", "With less training data the block structure appears in narrower and shallower networks."
    gained, lost, compared, skipped = [], [], [], []
    for _, configuration in networks.groupby(["depth", "width"]):
        little, much = ends(configuration, "fraction")
        if configuration.fraction.nunique() == 1:
            continue
        if obstacle := too_few_seeds(little, much) or hardly_trained_on_less(networks, little, much):
            skipped.append(obstacle)
            continue
        compared.append(
            f"{name_and_layers(much)}: {spread(much.layers_in_block)}, then {spread(little.layers_in_block)}"
        )
        if has_block(little) and not has_block(much):
            gained.append(name_of(little))
        if has_block(much) and not has_block(little):
            lost.append(name_of(little))
    if not compared:
        why = "; ".join(skipped) or "no configuration was trained on several shares of the data"
        return Finding(result, claim, "", NOT_DECIDABLE, why)
    number = f"share of layers in the block, {'; '.join(compared)}"
    why = f"with less data {', '.join(gained) or 'none'} gained a block, {', '.join(lost) or 'none'} lost it"
    why = "; ".join([why, *skipped])
    return Finding(result, claim, number, verdict(gained and not lost), why)


def first_component(networks):
    """Figure 3: the CKA among the block's layers falls when the first component is removed."""
    result, claim = "fig3", "The block structure vanishes when the first principal component is removed."
    blocks = networks[networks.layers_in_block >= HAS_BLOCK]
    # Layers that are nothing but their first component have no CKA without it.
    blocks = blocks.dropna(subset=["cka_in_block", "cka_in_block_without_first_component"])
    if len(blocks) < FEWEST_SEEDS:
        return Finding(result, claim, "", NOT_DECIDABLE, f"fewer than {FEWEST_SEEDS} networks have a block structure")
    falls = blocks.cka_in_block - blocks.cka_in_block_without_first_component
    number = f"mean CKA in the block falls by {spread(falls)}, from {spread(blocks.cka_in_block)}"
    return Finding(result, claim, number, verdict(falls.median() >= FALL), f"{len(blocks)} networks with a block")


def rising_probes(blocks):
    """Figure 4: without a block structure hardly any residual addition makes the probe worse, all together better."""
    result, claim = "fig4-probes", "Without a block, the accuracy of linear probes rises from layer to layer."
    gains = gains_of_probes(blocks)
    without = gains[gains.share_in_block < HAS_BLOCK]
    if without.network.nunique() < FEWEST_SEEDS:
        why = f"probes of fewer than {FEWEST_SEEDS} networks without a block"
        return Finding(result, claim, "", NOT_DECIDABLE, why)
    rising = without.assign(rises=without.gain >= -SLACK).groupby("network").rises.mean()
    whole = without.groupby("network").gain.sum()
    number = f"share of residual additions at which it does not fall {spread(rising)}; from first to last it gains "
    holds = rising.median() >= NEARLY_ALWAYS and whole.median() > SLACK
    return Finding(result, claim, number + spread(whole), verdict(holds), f"{len(rising)} networks")


def flat_probes(blocks):
    """Figure 4: probes gain less from one residual addition to the next where both are in the block than elsewhere."""
    result, claim = "fig4-probes", "Inside the block structure the accuracy of linear probes is flat."
    return comparison(result, claim, "accuracy gained from a residual addition to the next", gains_of_probes(blocks))


def dispensable_blocks(blocks):
    """Figure 4: a residual block in the block structure costs less accuracy when it is deleted alone."""
    result, claim = "fig4-delete", "Inside the block structure residual blocks can be deleted at little cost."
    alone = blocks[blocks.deletion == "alone"]
    lost = alone.assign(worth=alone.network_accuracy - alone.accuracy)
    return comparison(result, claim, "accuracy lost with a deleted residual block", lost)


def gains_of_probes(blocks):
    """A line a residual addition but the first: what its probe gains; inside where both additions are in the block."""
    additions = blocks[(blocks.deletion == "probe") & (blocks.kind == "add")].sort_values(["network", "position"])
    before = additions.groupby("network")
    gains = additions.assign(
        gain=before.accuracy.diff(), in_block=additions.in_block & before.in_block.shift(fill_value=False)
    )
    return gains.dropna(subset="gain").assign(worth=lambda lines: lines.gain)


def comparison(result, claim, what, lines):
    """The finding that inside the block it is at most FLAT times what place alone makes of it (blocks.by_place)."""
    has_block = lines.share_in_block >= HAS_BLOCK
    compared = by_place(lines[has_block], lines[~has_block])
    compared = compared[compared.expected > SLACK]
    if len(compared) < FEWEST_SEEDS:
        why = f"fewer than {FEWEST_SEEDS} networks have residual blocks in a block structure and outside it, at places "
        why += f"that are worth more than {SLACK:g} in networks without a block"
        return Finding(result, claim, "", NOT_DECIDABLE, why)
    number = f"{what}: {spread(compared.inside)} inside, where networks without a block let expect "
    number += f"{spread(compared.expected)}; {spread(compared.outside)} outside"
    holds = (compared.inside <= FLAT * compared.expected).mean() > MOST
    return Finding(result, claim, number, verdict(holds), f"{len(compared)} networks with a block")


def same_depth(pairs):
    """Figure 5: without a block, layers at the same relative depth are similar across seeds and architectures."""
    result, claim = "fig5", "Without a block, layers at the same relative depth are similar in different networks."
    without = pairs[(pairs.block_first < HAS_BLOCK) & (pairs.block_second < HAS_BLOCK)].dropna(subset="equal_depth")
    if without["first"].nunique() < FEWEST_SEEDS:
        return Finding(result, claim, "", NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks without a block")
    number, why = f"CKA at equal relative depth {spread(without.equal_depth)}", f"{len(without)} ordered pairs"
    return Finding(result, claim, number, verdict(without.equal_depth.median() >= SIMILAR), f"{why} without a block")


def own_block(pairs):
    """Figure 5: the block's layers find no match in another network, where other layers do."""
    result, claim = "fig5", "The block structure of one network resembles nothing in another."
    blocks = pairs[pairs.block_first >= HAS_BLOCK].dropna(subset=["best_inside", "best_outside"])
    if blocks["first"].nunique() < FEWEST_SEEDS:
        return Finding(result, claim, "", NOT_DECIDABLE, f"pairs of fewer than {FEWEST_SEEDS} networks with a block")
    number = f"best CKA with a layer of the other network: {spread(blocks.best_inside)} in the block, "
    number += f"{spread(blocks.best_outside)} outside"
    holds = (blocks.best_outside - blocks.best_inside).median() >= WORSE
    return Finding(result, claim, number, verdict(holds), f"{len(blocks)} ordered pairs whose first has a block")


def without_shortcuts(networks):
    """Appendix C: some plain configuration has a block in most seeds; none has, and ResNets of its size do: refuted."""
    result, claim = "C", "The block structure is no effect of the residual connections: it appears without them too."
    size = ["depth", "width", "fraction"]
    plain, resnets = networks[networks.family == "plain"], networks[networks.family != "plain"]
    without = {key: part for key, part in plain.groupby(size) if len(part) >= FEWEST_SEEDS}
    if not without:
        why = f"no configuration without residual connections has {FEWEST_SEEDS} seeds that trained"
        return Finding(result, claim, "", NOT_DECIDABLE, why)
    shares = "; ".join(f"{name_and_layers(part)}: {spread(part.layers_in_block)}" for part in without.values())
    number = f"share of layers in the block, {shares}"
    if any(map(has_block, without.values())):
        return Finding(result, claim, number, REPRODUCED, f"{len(without)} configurations")
    by_family = resnets.groupby(["family", *size])
    blocked = [name_of(part) for (_, *key), part in by_family if tuple(key) in without and has_block(part)]
    if not blocked:
        return Finding(result, claim, number, NOT_DECIDABLE, "no ResNet of these sizes has a block either")
    return Finding(result, claim, number, NOT_REPRODUCED, f"of the same size {', '.join(blocked)} has a block")


def by_example(examples):
    """Figure 6: wide and deep networks differ on single examples by more than a random split of their seeds."""
    result, claim = "fig6-examples", "Wide and deep networks differ on single examples by more than seeds explain."
    if examples.empty:
        return Finding(result, claim, "", NOT_DECIDABLE, "the config has no figure fig6")
    line = examples.iloc[0]
    number = f"mean difference of per-example accuracy {line.observed:.3f}, of mixed seeds {line.expected:.3f}; "
    number += f"p = {line.p:.2g} of {line.splits:.0f} splits; accuracies {accuracies_apart(line)}"
    # A split and its mirror image, which there is where both have as many seeds, give the same difference.
    smallest_p = (2 if line.wide_seeds == line.deep_seeds else 1) / line.splits
    few = f"too few seeds, p cannot be below {smallest_p:.2g}" if smallest_p > SIGNIFICANT else ""
    return decided(result, claim, number, line, few, line.p <= SIGNIFICANT)


def by_class(examples):
    """Figure 6: after correction for many tests, some class is answered better by wide or by deep networks."""
    result, claim = "fig6-classes", "Wide and deep networks differ in accuracy on some classes."
    if examples.empty:
        return Finding(result, claim, "", NOT_DECIDABLE, "the config has no figure fig6")
    line = examples.iloc[0]
    number = f"{line.classes_that_differ:.0f} of {line.classes:.0f} classes at a false discovery rate of 5 %"
    few = "" if min(line.wide_seeds, line.deep_seeds) >= FEWEST_SEEDS and line.classes_tested else "too few seeds"
    return decided(result, claim, number, line, few, line.classes_that_differ > 0)


def accuracies_apart(line):
    """`0.010 apart (p = 0.4)` of the configurations of figure 6: the share of splits of seeds that are as far apart."""
    return f"{abs(line.wide_accuracy - line.deep_accuracy):.3f} apart (p = {line.accuracy_p:.2g})"


def decided(result, claim, number, line, few, holds):
    """The finding on the wide and deep configurations of figure 6, unless their accuracies differ or seeds are few.

    The better of two configurations differs from the other on single examples and classes too. So their accuracies
    must be near, and no further apart than random splits of their seeds.
    """
    compared = f"{line.wide} ({line.wide_seeds:.0f} seeds) and {line.deep} ({line.deep_seeds:.0f} seeds)"
    far = f"more than {MATCHED:g}" if abs(line.wide_accuracy - line.deep_accuracy) > MATCHED else ""
    far = far or ("more than seeds explain" if line.accuracy_p <= SIGNIFICANT else "")
    if far:
        why = f"{compared}: their accuracies are {accuracies_apart(line)}, {far}"
        return Finding(result, claim, number, NOT_DECIDABLE, why)
    if few:
        return Finding(result, claim, number, NOT_DECIDABLE, f"{compared}: {few}")
    return Finding(result, claim, number, verdict(holds), compared)


def own_kind(agreement):
    """Appendix G: most configurations agree most with themselves, that is with other seeds."""
    result, claim = "G", "Networks of one architecture agree most in their predictions."
    table = agreement.pivot(index="first", columns="second", values="agreement").astype(float)
    table = table.loc[[name for name in table.index if not pd.isna(table.loc[name, name])]]
    if len(table) < 2:
        return Finding(result, claim, "", NOT_DECIDABLE, "fewer than two configurations with two seeds")
    within = pd.Series({name: table.loc[name, name] for name in table.index})
    across = pd.Series({name: table.loc[name].drop(name).max() for name in table.index})
    number = f"agreement {spread(within)} within, at most {spread(across)} with another"
    holds = (within >= across).mean() > MOST
    return Finding(result, claim, number, verdict(holds), f"{(within >= across).sum()} of {len(table)} configurations")


def by_batch_size(convergence):
    """Appendix A: after all minibatches the unbiased estimate is that of the full batch, for every batch size."""
    result, claim = "A", "Minibatch CKA reaches the full-batch value, whatever the batch size."
    if convergence.empty or convergence.batch_size.nunique() < 2:
        return Finding(result, claim, "", NOT_DECIDABLE, "the config has no figure A with several batch sizes")
    convergence = convergence.dropna(subset=["unbiased", "full_batch"])
    if convergence.empty:
        return Finding(result, claim, "", NOT_DECIDABLE, "no two layers of the network have a CKA")
    last = convergence[convergence.minibatches == convergence.groupby("batch_size").minibatches.transform("max")]
    means = last.groupby(["first", "second", "batch_size"])[["unbiased", "biased", "full_batch"]].mean()
    apart = means[["unbiased", "biased"]].sub(means.full_batch, axis=0).abs().max()
    number = f"largest distance to the full-batch value {apart.unbiased:.3f}, with the biased HSIC {apart.biased:.3f}"
    sizes = ", ".join(map(str, sorted(last.batch_size.unique())))
    return Finding(result, claim, number, verdict(apart.unbiased <= CONVERGED), f"minibatches of {sizes} examples")


def longest_row(networks, grown, fixed):
    """Of the rows of the grid in which only `grown` varies, the one that grows furthest by a factor; None without any.

    Of ties the one with the most data, then with the smallest `fixed`.
    """
    rows = [row for _, row in networks.groupby(["fraction", fixed]) if row[grown].nunique() > 1]
    return max(
        rows,
        key=lambda row: (row[grown].max() / row[grown].min(), row.fraction.iloc[0], -row[fixed].iloc[0]),
        default=None,
    )


def ends(lines, key):
    """The lines with the smallest and those with the largest value of `key`."""
    return lines[lines[key] == lines[key].min()], lines[lines[key] == lines[key].max()]


def has_block(configuration):
    """Whether most seeds of a configuration have a block."""
    return (configuration.layers_in_block >= HAS_BLOCK).mean() > MOST


def sum_of_seeds(configurations):
    """(networks with a block, networks) of several configurations."""
    return (
        sum(int((configuration.layers_in_block >= HAS_BLOCK).sum()) for configuration in configurations),
        sum(map(len, configurations)),
    )


def too_few_seeds(*configurations):
    """Why configurations with few seeds decide nothing; empty where all have enough."""
    for configuration in configurations:
        if len(configuration) < FEWEST_SEEDS:
            return f"{name_of(configuration)} has {len(configuration)} of the {FEWEST_SEEDS} seeds that a verdict needs"
    return ""


def hardly_trained_on_less(networks, little, much):
    """Why a configuration on little and on much data decides nothing; empty where it trained on both.

    On each share the smallest of `networks` on that share tells, since less data lowers any network's test accuracy.
    The training accuracy should not fall with it, so there the configuration on much data tells too.
    """
    by_share = (hardly_trained(smallest(networks, part.fraction.iloc[0]), part) for part in (little, much))
    return next(filter(None, by_share), "") or hardly_trained(much, little, ("train_accuracy",))


def hardly_trained(small, large, accuracies=ACCURACIES):
    """Why a configuration that hardly trained decides nothing; empty where it did train, by these accuracies."""
    for accuracy in accuracies:
        behind = small[accuracy].mean() - large[accuracy].mean()
        if behind > HARDLY_TRAINED:
            what = f"its {accuracy.replace('_', ' ')} is {behind:.2f} below that of {name_of(small)}"
            return f"{name_of(large)} hardly trained: {what}"
    return ""


def name_of(configuration):
    """`ResNet-14 6x, 25% of data` of lines of one configuration."""
    return metrics.configuration_name(configuration.iloc[0])


def name_and_layers(configuration):
    """`ResNet-14 6x (49 layers)`, beside a share of layers."""
    return f"{name_of(configuration)} ({configuration.layers.iloc[0]:.0f} layers)"


def spread(values):
    """Median, smallest and largest, as `0.20 (0.02 to 0.43)`."""
    return f"{values.median():.2f} ({values.min():.2f} to {values.max():.2f})"


def verdict(holds):
    return REPRODUCED if holds else NOT_REPRODUCED
