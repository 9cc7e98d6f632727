"""Claims on the block structure within a network (paper, sections 4 and 5.1, figures 1 to 3; appendix C).

All functions take lines of the table of networks (scripts/summarise.py) and return a Finding.
"""

from widedeep.findings.networks import (
    ends,
    hardly_trained,
    hardly_trained_on_less,
    has_block,
    longest_row,
    sum_of_seeds,
    too_few_seeds,
)
from widedeep.findings.verdicts import (
    FALL,
    FEWEST_SEEDS,
    HAS_BLOCK,
    NEARLY_ALWAYS,
    NOT_DECIDABLE,
    NOT_REPRODUCED,
    REPRODUCED,
    finding,
    name_and_layers,
    name_of,
    spread,
    verdict,
)


def depth_or_width(networks, grown, fixed):
    """Figure 1, claims `depth` and `width`: large networks have a block structure, small ones have none.

    Decided by the ends of one row of the grid: most seeds of the largest network have a block structure, and not most
    of the smallest one.

    Args:
        networks: DataFrame of networks of one family.
        grown, fixed: `depth` and `width`, in either order.
    """
    claim = grown
    row = longest_row(networks, grown, fixed)
    if row is None:
        return finding(claim, "", NOT_DECIDABLE, f"the grid has no networks that differ in {grown} alone")
    small, large = ends(row, grown)
    number = f"share of layers in the block: {spread(small.layers_in_block)} and {spread(large.layers_in_block)}"
    why = f"{name_and_layers(small)} and {name_and_layers(large)}"
    if obstacle := too_few_seeds(small, large) or hardly_trained(small, large):
        return finding(claim, number, NOT_DECIDABLE, obstacle)
    return finding(claim, number, verdict(not has_block(small) and has_block(large)), why)


def seeds(networks):
    """Figure 1 over seeds: the smallest networks never have a block structure, the largest nearly always."""
    claim = "seeds"
    rows = {grown: longest_row(networks, grown, fixed) for grown, fixed in (("depth", "width"), ("width", "depth"))}
    compared = [ends(row, grown) for grown, row in rows.items() if row is not None]
    compared = [pair for pair in compared if not (too_few_seeds(*pair) or hardly_trained(*pair))]
    if not compared:
        return finding(claim, "", NOT_DECIDABLE, f"no row of the grid has {FEWEST_SEEDS} seeds that trained")
    small, large = (sum_of_seeds(configurations) for configurations in zip(*compared, strict=True))
    number = f"networks with a block: {small[0]} of {small[1]} small ones, {large[0]} of {large[1]} large ones"
    why = "; ".join(f"{name_of(small)} and {name_of(large)}" for small, large in compared)
    return finding(claim, number, verdict(small[0] == 0 and large[0] >= NEARLY_ALWAYS * large[1]), why)


def data(networks):
    """Figure 2: with less data some configuration gains a block structure, and none loses it."""
    claim = "data"
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
        return finding(claim, "", NOT_DECIDABLE, why)
    number = f"share of layers in the block, {'; '.join(compared)}"
    why = f"with less data {', '.join(gained) or 'none'} gained a block, {', '.join(lost) or 'none'} lost it"
    why = "; ".join([why, *skipped])
    return finding(claim, number, verdict(gained and not lost), why)


def first_component(networks):
    """Figure 3: the mean CKA in the block structure falls when first components are removed."""
    claim = "first-component"
    with_block = networks[networks.layers_in_block >= HAS_BLOCK]
    # Layers that consist of their first component have no CKA without it.
    with_block = with_block.dropna(subset=["cka_in_block", "cka_in_block_without_first_component"])
    if len(with_block) < FEWEST_SEEDS:
        return finding(claim, "", NOT_DECIDABLE, f"fewer than {FEWEST_SEEDS} networks have a block structure")
    falls = with_block.cka_in_block - with_block.cka_in_block_without_first_component
    number = f"mean CKA in the block falls by {spread(falls)}, from {spread(with_block.cka_in_block)}"
    return finding(claim, number, verdict(falls.median() >= FALL), f"{len(with_block)} networks with a block")


def no_residuals(networks):
    """Appendix C: the block structure appears in networks without residual connections too.

    Reproduced if most seeds of some plain configuration have one. Not reproduced if none does, and a ResNet of the same
    size does.
    """
    claim = "no-residuals"
    size = ["depth", "width", "fraction"]
    plain, resnets = networks[networks.family == "plain"], networks[networks.family != "plain"]
    without = {key: part for key, part in plain.groupby(size) if len(part) >= FEWEST_SEEDS}
    if not without:
        why = f"no configuration without residual connections has {FEWEST_SEEDS} seeds that trained"
        return finding(claim, "", NOT_DECIDABLE, why)
    shares = "; ".join(f"{name_and_layers(part)}: {spread(part.layers_in_block)}" for part in without.values())
    number = f"share of layers in the block, {shares}"
    if any(map(has_block, without.values())):
        return finding(claim, number, REPRODUCED, f"{len(without)} configurations")
    by_family = resnets.groupby(["family", *size])
    blocked = [name_of(part) for (_, *key), part in by_family if tuple(key) in without and has_block(part)]
    if not blocked:
        return finding(claim, number, NOT_DECIDABLE, "no ResNet of these sizes has a block either")
    return finding(claim, number, NOT_REPRODUCED, f"of the same size {', '.join(blocked)} has a block")
