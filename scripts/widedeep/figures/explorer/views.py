"""States of the explorer's page that show what a claim is about: which networks, which layer."""

import itertools
import statistics

import pandas as pd

from widedeep.findings.networks import behind, ends, longest_row, with_shortcuts
from widedeep.paper import CLAIMS


def view_of(claim, deciding, trained, pairs):
    """The page's state, a dict, that shows what a claim is about; None where the page holds nothing of it.

    Args:
        claim: id of a claim in paper.CLAIMS.
        deciding, trained: from as_findings_see.
        pairs: list of records of pairs (networks.pair_of).
    """
    # The networks that show it best first.
    sign = -1 if CLAIMS[claim].without_block else 1
    by_block = sorted(trained, key=lambda network: sign * network["share_in_block"], reverse=True)
    views = {
        "depth": lambda: side_by_side(*ends_of_row(deciding, "depth", "width")),
        "width": lambda: side_by_side(*ends_of_row(deciding, "width", "depth")),
        "seeds": lambda: side_by_side(*two_seeds(deciding)),
        "data": lambda: side_by_side(*most_moved_by_data(deciding)),
        "first-component": lambda: {"first": by_block[0]["label"], "without": "both"} if by_block else None,
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
    """The first two seeds of the deepest network of the row that findings decide on; (None, None) without."""
    _, large = ends_of_row(networks, "depth", "width")
    same = [network for network in networks if large and network["model"] == large["model"]]
    return same[:2] if len(same) > 1 else (None, None)


def first_probed(networks):
    """The state with the first network that has probes; None where none has."""
    return next((pinned(network) for network in networks if network["probes"]), None)


def first_pair(networks, pairs):
    """The state with a pair: of both orders of all pairs the one whose first network comes first in `networks`."""
    places = {network["label"]: place for place, network in enumerate(networks)}
    both_orders = (order for pair in pairs for order in itertools.permutations((pair["first"], pair["second"])))
    ordered = [(places[a], places[b], a, b) for a, b in both_orders if {a, b} <= {*places}]
    return dict(zip(("first", "second"), min(ordered)[2:], strict=True)) | {"view": "pair"} if ordered else None


def examples_of(networks, has_block):
    """Views of the network with the largest block, and of the best without one, for the page's first lines.

    Args:
        networks: as of network_of.
        has_block: share of layers from which on a network has a block structure.

    Returns:
        dict with `with` and `without`: the page's state, a layer pinned; None where there is no such network
    """
    parts = {True: [], False: []}
    for network in networks:
        parts[network["share_in_block"] >= has_block].append(network)
    largest = max(parts[True], key=lambda network: network["share_in_block"], default=None)
    best = max(parts[False], key=lambda network: network["test_accuracy"], default=None)
    return {"with": largest and pinned(largest), "without": best and pinned(best)}


def as_findings_see(networks, family):
    """The networks that decide figures 1 and 2, and those that decide the other claims since they trained.

    Args:
        networks: as of network_of.
        family: that decides figures 1 and 2, if the page has networks of it; None as in findings.decide.

    Returns:
        (list, list) of networks
    """
    table = pd.DataFrame(networks)
    if table.empty:
        return [], []
    deciding = with_shortcuts(table, family if family in set(table.family) else None)
    trained = table[~behind(table, deciding)]
    return tuple([networks[place] for place in lines.index] for lines in (deciding, trained))


def side_by_side(first, second):
    """The state with two networks beside each other; None if one is None."""
    return {"first": first["label"], "second": second["label"], "view": "side"} if first and second else None


def ends_of_row(networks, grown, fixed):
    """First seeds of the smallest and the largest network of the row that findings decide on; (None, None) without."""
    table = pd.DataFrame(networks)
    row = longest_row(table, grown, fixed) if networks else None
    if row is None:
        return None, None
    small, large = ends(row, grown)
    return networks[small.index[0]], networks[large.index[0]]


def most_moved_by_data(networks):
    """Of the configuration whose block less data changes most, a network with least and one with most data.

    Of their seeds those that differ as the medians over seeds do; (None, None) where no configuration was trained on
    several shares of the data.
    """
    sizes = {}
    for network in networks:
        size = tuple(network[key] for key in ("family", "depth", "width"))
        sizes.setdefault(size, {}).setdefault(network["fraction"], []).append(network)
    ends = [(by_share[min(by_share)], by_share[max(by_share)]) for by_share in sizes.values() if len(by_share) > 1]
    if not ends:
        return None, None
    less, more = max(ends, key=lambda both: abs(median_block(both[0]) - median_block(both[1])))
    few, much = median_block(less), median_block(more)

    def unlike_medians(pair):
        from_few, from_much = pair[0]["share_in_block"] - few, pair[1]["share_in_block"] - much
        return round(abs(from_few - from_much), 6), abs(from_few) + abs(from_much)

    return min(itertools.product(less, more), key=unlike_medians)


def median_block(networks):
    """Median share of layers in the block."""
    return statistics.median(network["share_in_block"] for network in networks)


def pinned(network):
    """The state with one network, and pinned the middle layer of its block; of all layers without one."""
    layers = [layer for layer, inside in enumerate(network["in_block"]) if inside] or range(len(network["in_block"]))
    return {"first": network["label"], "pin": str(layers[len(layers) // 2])}
