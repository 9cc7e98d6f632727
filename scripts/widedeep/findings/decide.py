"""Decide all claims of the paper on one study, from its tables."""

from dataclasses import replace

from widedeep.findings import between, components, minibatches, predictions, residual_blocks, within
from widedeep.findings.networks import keep_trained, of_deciding_family, without_names
from widedeep.findings.verdicts import NOT_DECIDABLE
from widedeep.names import label
from widedeep.networks.families import configuration_title


def decide(networks, pairs, blocks, examples, agreement, convergence, family=None):
    """Decide all claims.

    Args:
        networks: DataFrame of scripts/summarise.py.
        pairs: DataFrame of scripts/summarise_pairs.py.
        blocks: DataFrame of scripts/plot_residual_blocks.py, a line per probe and per deletion of residual blocks.
        examples: DataFrame of scripts/compare_examples.py --summary.
        agreement: DataFrame of scripts/compare_predictions.py.
        convergence: DataFrame of scripts/converge_cka.py. It and the four before it may be empty.
        family: family whose networks decide figures 1 and 2. Default, also for `plain`: the one with the most networks,
            apart from `plain`; ties: the first.

    Returns:
        list of Finding, one per claim in the order of paper.CLAIMS

    Raises:
        UserError: no network is of the family.
    """
    kept = keep_trained(networks, family)
    untrained = networks.drop(kept.index)
    labels = [label(model, seed) for model, seed in zip(untrained.model, untrained.seed, strict=True)]
    resnets = of_deciding_family(kept, family)
    names = {configuration_title(network) for _, network in untrained.iterrows()}
    blocks, pairs = blocks[~blocks.network.isin(labels)], without_names(pairs, labels)
    by_capacity = [
        within.depth_or_width(resnets, "depth", "width"),
        within.depth_or_width(resnets, "width", "depth"),
        within.seeds(resnets),
        within.data(resnets),
    ]
    if resnets.empty:
        why = "no network of the study has residual connections; appendix C is about those without"
        by_capacity = [replace(finding, why=why) for finding in by_capacity]
    of_trained = [
        *by_capacity,
        components.shared_component(kept),
        components.dominant_component(kept),
        components.weakened_block(kept),
        components.vanished_block(kept),
        residual_blocks.rising_probes(blocks),
        residual_blocks.flat_probes(blocks),
        residual_blocks.deleted_blocks(blocks),
        between.equal_depth(pairs),
        between.own_block(pairs),
        within.no_residuals(kept),
    ]
    left_out = f"; of the study's networks {len(untrained)} hardly trained and are left out" if len(untrained) else ""
    return [
        *(replace(finding, why=finding.why + left_out) for finding in of_trained),
        *(
            _of_trained(found, examples, names)
            for found in (predictions.examples(examples), predictions.classes(examples))
        ),
        predictions.agreement(without_names(agreement, labels)),
        minibatches.convergence(convergence),
    ]


def _of_trained(found, examples, names):
    """A finding on figure 6, not decidable if one of the two configurations has networks that hardly trained.

    Args:
        found: Finding.
        examples: DataFrame of scripts/compare_examples.py --summary.
        names: set of the titles of configurations with such networks.
    """
    untrained = ", ".join(sorted({*examples.wide, *examples.deep} & names))
    if not untrained:
        return found
    return replace(
        found,
        verdict=NOT_DECIDABLE,
        why=f"{untrained} has seeds that hardly trained; compare other networks (figures.fig6)",
    )
