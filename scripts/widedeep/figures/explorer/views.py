"""States of the explorer's page that claims and the first lines of the page link to.

A state is a dict from the keys of the page's address to their values: which networks, which view, which pinned layer.
"""

import itertools
import statistics

import pandas as pd

from widedeep.findings.networks import ends, longest_row, of_deciding_family, which_hardly_trained
from widedeep.paper import CLAIMS


def view_of(claim, deciding, trained, pairs):
    """Return the state that shows a claim; None if the page has nothing to show for it.

    Args:
        claim: id in paper.CLAIMS.
        deciding, trained: lists of networks from as_findings_see.
        pairs: list of records of pairs (networks.pair_of).
    """
    # Networks that show the claim best come first.
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


def examples_of(networks, has_block):
    """States for the first lines of the page: the network with the largest block structure, and the best without one.

    Args:
        networks: list of records from networks.network_of.
        has_block: smallest share of layers in the block structure of a network that has one.

    Returns:
        dict with `with` and `without`: a state with a pinned layer, or None if there is no such network
    """
    parts = {True: [], False: []}
    for network in networks:
        parts[network["share_in_block"] >= has_block].append(network)
    largest = max(parts[True], key=lambda network: network["share_in_block"], default=None)
    best = max(parts[False], key=lambda network: network["test_accuracy"], default=None)
    return {"with": largest and pinned(largest), "without": best and pinned(best)}


def as_findings_see(networks, family):
    """Select the networks that decide figures 1 and 2, and those that decide the other claims.

    Args:
        networks: list of records from networks.network_of.
        family: family that decides figures 1 and 2, if the page has networks of it; None as in findings.decide.

    Returns:
        (networks of that family, networks that trained), two lists
    """
    table = pd.DataFrame(networks)
    if table.empty:
        return [], []
    deciding = of_deciding_family(table, family if family in set(table.family) else None)
    trained = table[~which_hardly_trained(table, deciding)]
    return tuple([networks[place] for place in lines.index] for lines in (deciding, trained))


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


def most_moved_by_data(networks):
    """Two networks of the configuration whose block structure changes most with less data: with least and most data.

    Of their seeds, those two whose difference is nearest to that of the medians. (None, None) if no configuration was
    trained on several shares of the data.
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
    """Median share of layers in the block structure."""
    return statistics.median(network["share_in_block"] for network in networks)


def pinned(network):
    """The state with one network and a pinned layer: the middle one of its block structure, or else of all layers."""
    layers = [layer for layer, inside in enumerate(network["in_block"]) if inside] or range(len(network["in_block"]))
    return {"first": network["label"], "pin": str(layers[len(layers) // 2])}
