"""All findings of a study, from its tables."""

from dataclasses import replace

from widedeep.findings.between import own_block, same_depth
from widedeep.findings.minibatches import by_batch_size
from widedeep.findings.networks import behind, with_shortcuts, without_names
from widedeep.findings.predictions import by_class, by_example, own_kind
from widedeep.findings.residual_blocks import dispensable_blocks, flat_probes, rising_probes
from widedeep.findings.within import by_data, by_size, first_component, over_seeds, without_shortcuts
from widedeep.names import label
from widedeep.networks.families import configuration_title


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
    labels = [label(model, seed) for model, seed in zip(untrained.model, untrained.seed, strict=True)]
    trained = networks.drop(untrained.index)
    blocks, pairs = blocks[~blocks.network.isin(labels)], without_names(pairs, labels)
    names = [configuration_title(network) for _, network in untrained.iterrows()]
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
        by_size(resnets, "depth", "width"),
        by_size(resnets, "width", "depth"),
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
