"""States of the explorer's page that claims and the first lines of the page link to.

A state is a dict from the keys of the page's address to their values: which networks, which view, which pinned layer.
"""

import itertools
import statistics

import pandas as pd

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings.networks import ends, keep_trained, longest_row, of_deciding_family
from widedeep.paper import CLAIMS

# Claims on what the first component does in a block structure (figure 3).
OF_FIRST_COMPONENTS = ("shared-component", "dominant-component", "weakened-block", "vanished-block")


def view_of(claim, deciding, trained, pairs):
    """Return the state that shows a claim; None if the page has nothing to show for it.

    Args:
        claim: id in paper.CLAIMS.
        deciding, trained: lists of networks from as_findings_see.
        pairs: list of records of pairs (networks.pair_of).
    """
    # Networks that show the claim best come first: those with the clearest block structure, or with the least of one.
    sign = 1 if CLAIMS[claim].without_block else -1
    ranged = sorted(with_range(trained), key=lambda network: sign * contrast_of(network))
    by_block = ranged + [network for network in trained if not network["block"]]
    views = {
        "depth": lambda: side_by_side(*ends_of_row(deciding, "depth", "width")),
        "width": lambda: side_by_side(*ends_of_row(deciding, "width", "depth")),
        "seeds": lambda: side_by_side(*two_seeds(deciding)),
        "data": lambda: side_by_side(*most_grown_by_data(deciding)),
        **dict.fromkeys(OF_FIRST_COMPONENTS, lambda: with_and_without(ranged)),
        "rising-probes": lambda: first_probed(by_block),
        "flat-probes": lambda: first_probed(by_block),
        "deleted-blocks": lambda: first_probed(by_block),
        "equal-depth": lambda: first_pair(by_block, pairs),
        "own-block": lambda: first_pair(by_block, pairs),
        "no-residuals": lambda: next(
            ({"first": network["label"]} for network in by_block if network["family"] == "plain"), None
        ),
    }
    return views[claim]() if claim in views else None


def two_seeds(networks):
    """The first two seeds of the deepest configuration in the row that decides claim `depth`; else (None, None)."""
    _, large = ends_of_row(networks, "depth", "width")
    same = [network for network in networks if large and network["model"] == large["model"]]
    return same[:2] if len(same) > 1 else (None, None)


def first_probed(networks):
    """The state with the first network that has probes; None if no network has any."""
    return next((pinned(network) for network in networks if network["probes"]), None)


def first_pair(networks, pairs):
    """The state with the pair, in either order, whose first network comes first in `networks`; None without a pair."""
    places = {network["label"]: place for place, network in enumerate(networks)}
    both_orders = (order for pair in pairs for order in itertools.permutations((pair["first"], pair["second"])))
    ordered = [(places[a], places[b], a, b) for a, b in both_orders if {a, b} <= {*places}]
    return dict(zip(("first", "second"), min(ordered)[2:], strict=True)) | {"view": "pair"} if ordered else None


def with_and_without(networks):
    """The state with the first network, with and without first components; None if there is no network."""
    return next(({"first": network["label"], "without": "both"} for network in networks), None)


def examples_of(networks):
    """States for the first lines of the page: the network with the clearest block structure, and the best without one.

    A network with too few residual blocks is neither.

    Args:
        networks: list of records from networks.network_of.

    Returns:
        dict with `with` and `without`: a state with a pinned layer, or None if there is no such network
    """
    clearest = max(filter(has_block, networks), key=contrast_of, default=None)
    without = (network for network in with_range(networks) if not has_block(network))
    best = max(without, key=lambda network: network["test_accuracy"], default=None)
    return {"with": clearest and pinned(clearest), "without": best and pinned(best)}


def with_range(networks):
    """List the networks that have enough residual blocks for a block structure."""
    return [network for network in networks if network["block"]]


def contrast_of(network):
    """Contrast of the range of a network that has one."""
    return network["block"]["contrast"]


def has_block(network):
    """Whether a network has a block structure."""
    return bool(network["block"]) and contrast_of(network) >= LEAST_CONTRAST


def as_findings_see(networks, family):
    """Select the networks that decide figures 1 and 2, and those that decide the other claims; all of them trained.

    Args:
        networks: list of records from networks.network_of.
        family: family that decides figures 1 and 2, if the page has networks of it; None as in findings.decide.

    Returns:
        (networks of that family that trained, all networks that trained), two lists
    """
    table = pd.DataFrame(networks)
    if table.empty:
        return [], []
    family = family if family in set(table.family) else None
    kept = keep_trained(table, family)
    return tuple([networks[place] for place in lines.index] for lines in (of_deciding_family(kept, family), kept))


def side_by_side(first, second):
    """The state with two networks side by side; None if one of them is None."""
    return {"first": first["label"], "second": second["label"], "view": "side"} if first and second else None


def ends_of_row(networks, grown, fixed):
    """The first seeds of the smallest and the largest configuration in the row that decides; else (None, None)."""
    table = pd.DataFrame(networks)
    row = longest_row(table, grown, fixed) if networks else None
    if row is None:
        return None, None
    small, large = ends(row, grown)
    return networks[small.index[0]], networks[large.index[0]]


def most_grown_by_data(networks):
    """Two networks of the configuration whose mean contrast grows most with less data: with least and most data.

    Of their seeds, those two whose difference is nearest to that of the means. (None, None) if no configuration was
    trained on several shares of the data.
    """
    sizes = {}
    for network in with_range(networks):
        size = tuple(network[key] for key in ("family", "depth", "width"))
        sizes.setdefault(size, {}).setdefault(network["fraction"], []).append(network)
    ends = [(by_share[min(by_share)], by_share[max(by_share)]) for by_share in sizes.values() if len(by_share) > 1]
    if not ends:
        return None, None
    less, more = max(ends, key=lambda both: mean_contrast(both[0]) - mean_contrast(both[1]))
    few, much = mean_contrast(less), mean_contrast(more)

    def unlike_means(pair):
        from_few, from_much = contrast_of(pair[0]) - few, contrast_of(pair[1]) - much
        return round(abs(from_few - from_much), 6), abs(from_few) + abs(from_much)

    return min(itertools.product(less, more), key=unlike_means)


def mean_contrast(networks):
    """Mean contrast of networks."""
    return statistics.mean(map(contrast_of, networks))


def pinned(network):
    """The state with one network and a pinned layer: the middle one of its block structure, or else of all layers."""
    layers = range(len(network["share"]))
    if has_block(network):
        reasons = network["undefined"] or [""] * len(layers)
        layers = [layer for layer in layers[network["block"]["start"] : network["block"]["stop"]] if not reasons[layer]]
    return {"first": network["label"], "pin": str(layers[len(layers) // 2])}
