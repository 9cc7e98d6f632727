"""Make the explorer of a study: one HTML file to look at its networks in, offline, layer by layer.

It holds, for each network, CKA between all its layers with and without first components, their shares of the variance,
and accuracies of probes and without residual blocks where its folder has them; CKA of the pairs in the files of pairs;
and the findings, each with a link to networks that show it. What would make the file larger than 20 MB is left out, the
last pairs and networks first, second seeds before first ones, and the page says so.

Example (after the examples of scripts/compute_cka.py and scripts/probe_blocks.py --help):
  python scripts/make_explorer.py results/one/resnet14 --data data/digits/dataset.h5 --study one --out explorer.html
"""

import collections
import itertools
import statistics
from pathlib import Path

from widedeep import command

# A claim that begins so is about networks without a block structure; the others are about those with one.
WITHOUT_BLOCK = "Without a block"


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument(
        "networks", nargs="+", metavar="DIR", type=Path, help="folder with cka.h5, pca.h5 and metrics.json of a network"
    )
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5, for the shapes of layers")
    parser.add_argument("--pairs", nargs="+", default=[], metavar="FILE", help="files of scripts/compute_pairs.py")
    parser.add_argument("--findings", metavar="FILE", help="findings.csv of scripts/decide_findings.py")
    parser.add_argument("--family", metavar="NAME", help="that decided figures 1 and 2 of the findings")
    parser.add_argument("--study", required=True, metavar="NAME", help="above the page")
    parser.add_argument("--out", required=True, metavar="FILE", help="page to write, as HTML")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from importlib import resources

    from widedeep import explorer, files

    library = (resources.files("plotly") / "package_data/plotly.min.js").read_text()
    study = study_of(args, explorer.MOST_BYTES - len(explorer.page({"study": ""}, library)))
    with files.replacing(args.out) as unfinished:
        unfinished.write_text(explorer.page(study, library))
    print(f"{args.out}: {len(study['networks'])} networks, {len(study['pairs'])} pairs. {study['left_out']}")


def study_of(args, room):
    """What the page holds, at most `room` bytes of it: a dict of JSON."""
    from widedeep import data, explorer, findings, tables
    from widedeep.errors import UserError

    described = data.describe(args.data)
    found = tables.read(args.findings, "findings.csv").to_dict("records") if args.findings else []
    folders, architectures = first_seeds_first(args.networks), {}
    study = {
        "study": args.study,
        "has_block": findings.HAS_BLOCK,
        "colour_maps": colour_maps(),
    }
    # Views name two networks and a layer each.
    room -= len(explorer.as_json([study, found])) + 1000 * (len(found) + 1)
    networks, room = explorer.first_that_fit(
        (network_of(folder, args.data, described, architectures) for folder in folders), room
    )
    networks, architectures, room = with_architectures(networks, architectures, room)
    if not networks:
        raise UserError(f"{folders[0]}: this network alone makes a page of more than 20 MB; dump fewer layers.")
    pairs, all_pairs = pairs_among({network["label"] for network in networks}, args.pairs, room)
    deciding, trained = as_findings_see(networks, args.family)
    steps = [record[key]["step"] for record in [*networks, *pairs] for key in ("cka", "deflated")]
    return study | {
        "architectures": architectures,
        "networks": networks,
        "pairs": pairs,
        "error": max(steps, default=0) / 2,
        "findings": [finding | {"view": view_of(finding, deciding, trained, pairs)} for finding in found],
        "examples": examples_of(networks, findings.HAS_BLOCK),
        "left_out": left_out(len(networks), len(args.networks), len(pairs), all_pairs),
    }


def with_architectures(networks, architectures, room):
    """The first networks that fit together with the layers of their configurations.

    Args:
        networks: as of network_of, already taken from `room`.
        architectures: dict from a configuration's name to its layers.
        room: bytes left.

    Returns:
        (list of networks, their part of the architectures, bytes left)
    """
    from widedeep import explorer

    while True:
        models = {network["model"] for network in networks}
        used = {model: layers for model, layers in architectures.items() if model in models}
        left = room - len(explorer.as_json(used))
        if left >= 0 or not networks:
            return networks, used, left
        *networks, last = networks
        room += explorer.size_of(last)


def pairs_among(labels, paths, room):
    """What the page holds of the pairs of networks with these labels, the first that fit, and how many pairs there are.

    Args:
        labels: set of them.
        paths: of files of pairs.
        room: bytes.

    Returns:
        (list as of pair_of, int)
    """
    from widedeep import explorer, similarities

    pairs, number = [], 0
    for path, name in [(file, name) for file in paths for name in similarities.names(file)]:
        comparison = similarities.read(path, name)
        if {comparison.first.label, comparison.second.label} <= labels:
            # One that does not fit ends the list.
            if len(pairs) == number:
                fitting, room = explorer.first_that_fit([pair_of(comparison)], room)
                pairs += fitting
            number += 1
    return pairs, number


def first_seeds_first(folders):
    """Folders of networks, the first one of each configuration before the second ones."""
    ranks = collections.Counter()
    ranked = []
    for folder in folders:
        ranked.append((ranks[folder.parent], folder))
        ranks[folder.parent] += 1
    return [folder for _, folder in sorted(ranked, key=lambda entry: entry[0])]


def left_out(networks, all_networks, pairs, all_pairs):
    """The sentence on what the page does not hold, empty where it holds all."""
    if (networks, pairs) == (all_networks, all_pairs):
        return ""
    return (
        f"This page holds {networks} of {all_networks} networks and {pairs} of {all_pairs} pairs of them, since it "
        "would be larger than 20 MB with more; scripts/make_explorer.py makes one of the networks that you name."
    )


def colour_maps():
    """dict from each colour map to 33 colours at equal distances, as the library takes them."""
    import matplotlib
    from matplotlib.colors import to_hex

    from widedeep import explorer

    return {
        name: [[place / 32, to_hex(matplotlib.colormaps[name](place / 32))] for place in range(33)]
        for name in explorer.COLOUR_MAPS
    }


def network_of(folder, data_path, described, architectures):
    """What the page holds of the network in a folder; the layers of its configuration are added to `architectures`.

    Args:
        folder: path.
        data_path, described: of the images, a path and a data.Description.
        architectures: dict from a configuration's name to its layers.
    """
    from widedeep import blocks, explorer, metrics, results
    from widedeep.errors import UserError

    first, comparison = results.components_and_cka(folder / "pca.h5", folder / "cka.h5")
    side = comparison.first
    known = metrics.read([folder / "metrics.json"])
    if side.label not in known:
        raise UserError(
            f"{folder}: its cka.h5 is of {side.label} where its metrics.json is of {next(iter(known))}; "
            "give a folder whose files are of one network."
        )
    keys = ("model", "family", "depth", "width", "fraction", "seed", "test_accuracy", "train_accuracy")
    network = metrics.values_of(known[side.label], ("dataset", *keys), folder / "metrics.json")
    results.check_data(folder / "pca.h5", described, data_path)
    if network["model"] not in architectures:
        architectures[network["model"]] = layers_of(network, side, described)
    in_block = blocks.layers_in_block(first.share, first.agreement)
    return {
        **{key: network[key] for key in keys},
        "label": side.label,
        "name": metrics.network_name(side.label, known),
        "configuration": metrics.configuration_name(network),
        "undefined": side.undefined if any(side.undefined) else [],
        "share": explorer.numbers(first.share),
        "in_block": in_block.astype(int).tolist(),
        "share_in_block": round(float(in_block.mean()), 4),
        "probes": probes_of(folder, side),
        "deletion": deletion_of(folder, side),
        "cka": explorer.packed(comparison.values),
        "deflated": explorer.packed(comparison.deflated),
    }


def layers_of(network, side, described):
    """Names, kinds, stages, residual blocks and shapes of a configuration's layers, a list each.

    Raises:
        UserError: the network that is built has other layers than the file, whose `side` this is.
    """
    from widedeep import costs
    from widedeep.errors import UserError
    from widedeep.names import Model

    model = Model(**{key: network[key] for key in ("dataset", "family", "depth", "width", "fraction")})
    images = costs.Images(
        described.train_examples, described.test_examples, described.image_shape, len(described.classes)
    )
    layers, _ = costs.counted(costs.unfilled(model, images), images)
    shapes = {layer.name: " x ".join(map(str, layer.shape)) for layer in layers}
    if missing := [name for name in side.names if name not in shapes]:
        raise UserError(f"{side.label}: its cka.h5 has a layer {missing[0]}, and the network none; dump it again.")
    shapes = [shapes[name] for name in side.names]
    return {
        "names": side.names,
        "kinds": side.kinds,
        "stages": side.stages,
        "blocks": side.blocks,
        "shapes": shapes,
    }


def probes_of(folder, side):
    """[layer, "before" or "after" its addition, accuracy] of each probe of a network, none without its probes.csv."""
    from widedeep import results, tables

    if not (folder / "probes.csv").exists():
        return []
    table = tables.read(folder / "probes.csv")
    around = {"bn": "before", "add": "after"}
    table = table[table.kind.isin([*around])]
    layers = results.positions(table.layer, side, folder / "cka.h5")
    lines = zip(layers, table.kind, table.test_accuracy, strict=True)
    return [[layer, around[kind], round(accuracy, 4)] for layer, kind, accuracy in lines]


def deletion_of(folder, side):
    """[layer, "alone" or "from the end", accuracy] without each residual block; it stands at the block's last layer."""
    from widedeep import results, tables

    if not (folder / "deletion.csv").exists():
        return []
    table = tables.read(folder / "deletion.csv")
    table = table[table.deletion != "none"]
    layers = results.positions(results.outputs(side, table.stage, table.block), side, folder / "cka.h5")
    lines = zip(layers, table.deletion, table.accuracy, strict=True)
    return [[layer, how, round(float(accuracy), 4)] for layer, how, accuracy in lines]


def pair_of(comparison):
    """What the page holds of a pair of networks."""
    from widedeep import explorer

    return {
        "first": comparison.first.label,
        "second": comparison.second.label,
        "cka": explorer.packed(comparison.values),
        "deflated": explorer.packed(comparison.deflated),
    }


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
    import pandas as pd

    from widedeep import findings

    table = pd.DataFrame(networks)
    if table.empty:
        return [], []
    deciding = findings.with_shortcuts(table, family if family in set(table.family) else None)
    trained = table[~findings.behind(table, deciding)]
    return tuple([networks[place] for place in lines.index] for lines in (deciding, trained))


def view_of(finding, deciding, trained, pairs):
    """The page's state, a dict, that shows what a claim is about; None where the page holds nothing of it.

    Args:
        finding: a line of findings.csv.
        deciding, trained: as of as_findings_see.
        pairs: as of pair_of.
    """
    result, about_block = finding["result"], not finding["claim"].startswith(WITHOUT_BLOCK)
    sign = 1 if about_block else -1
    by_block = sorted(trained, key=lambda network: sign * network["share_in_block"], reverse=True)
    if result in ("fig1, depth", "fig1, width"):
        return side_by_side(*ends_of_row(deciding, *(("depth", "width") if "depth" in result else ("width", "depth"))))
    if result == "fig1-seeds":
        _, large = ends_of_row(deciding, "depth", "width")
        same = [network for network in deciding if large and network["model"] == large["model"]]
        return side_by_side(*same[:2]) if len(same) > 1 else None
    if result == "fig2":
        return side_by_side(*most_moved_by_data(deciding))
    if result == "fig3":
        return {"first": by_block[0]["label"], "without": "both"} if by_block else None
    if result in ("fig4-probes", "fig4-delete"):
        probed = [network for network in by_block if network["probes"]]
        return pinned(probed[0]) if probed else None
    if result == "fig5":
        places = {network["label"]: place for place, network in enumerate(by_block)}
        # Of both orders the one whose first network is nearest to what the claim is about.
        both_orders = (order for pair in pairs for order in itertools.permutations((pair["first"], pair["second"])))
        ordered = [(places[a], places[b], a, b) for a, b in both_orders if {a, b} <= {*places}]
        return dict(zip(("first", "second"), min(ordered)[2:], strict=True)) | {"view": "pair"} if ordered else None
    if result == "C":
        return next(({"first": network["label"]} for network in by_block if network["family"] == "plain"), None)
    return None


def side_by_side(first, second):
    """The state with two networks beside each other; None if one is None."""
    return {"first": first["label"], "second": second["label"], "view": "side"} if first and second else None


def ends_of_row(networks, grown, fixed):
    """First seeds of the smallest and the largest network of the row that findings decide on; (None, None) without."""
    import pandas as pd

    from widedeep import findings

    table = pd.DataFrame(networks)
    row = findings.longest_row(table, grown, fixed) if networks else None
    if row is None:
        return None, None
    small, large = findings.ends(row, grown)
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


if __name__ == "__main__":
    command.run(main)
