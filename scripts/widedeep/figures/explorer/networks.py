"""What the explorer holds of a network, and of a pair of networks."""

import torch

from widedeep.analysis import block_structure
from widedeep.figures.explorer import page
from widedeep.formats import metrics, network_files, similarities, tables
from widedeep.names import Configuration
from widedeep.networks import tracing
from widedeep.networks.build import without_weights
from widedeep.networks.families import configuration_title
from widedeep.runtime.errors import UserError


def network_of(folder, data_path, described, architectures):
    """What the page holds of the network in a folder; the layers of its configuration are added to `architectures`.

    Args:
        folder: path.
        data_path, described: of the images, a path and a dataset.Description.
        architectures: dict from a configuration's name to its layers.
    """
    first, comparison = network_files.components_and_cka(folder / "pca.h5", folder / "cka.h5")
    side = comparison.first
    known = metrics.read([folder / "metrics.json"])
    if side.label not in known:
        raise UserError(
            f"{folder}: its cka.h5 is of {side.label} where its metrics.json is of {next(iter(known))}; "
            "give a folder whose files are of one network."
        )
    keys = ("model", "family", "depth", "width", "fraction", "seed", "test_accuracy", "train_accuracy")
    network = metrics.values_of(known[side.label], ("dataset", *keys), folder / "metrics.json")
    network_files.check_data(folder / "pca.h5", described, data_path)
    if network["model"] not in architectures:
        architectures[network["model"]] = layers_of(network, side, described)
    in_block = block_structure.layers_in_block(first.share, first.agreement)
    return {
        **{key: network[key] for key in keys},
        "label": side.label,
        "name": metrics.network_title(side.label, known),
        "configuration": configuration_title(network),
        "undefined": side.undefined if any(side.undefined) else [],
        "share": page.numbers(first.share),
        "in_block": in_block.astype(int).tolist(),
        "share_in_block": round(float(in_block.mean()), 4),
        "probes": probes_of(folder, side),
        "deletion": deletion_of(folder, side),
        "cka": page.packed(comparison.cka),
        "deflated": page.packed(comparison.deflated),
    }


def layers_of(network, side, described):
    """Names, kinds, stages, residual blocks and shapes of a configuration's layers, a list each.

    Raises:
        UserError: the network that is built has other layers than the file, whose `side` this is.
    """
    configuration = Configuration(**{key: network[key] for key in ("dataset", "family", "depth", "width", "fraction")})
    built = without_weights(configuration, described.image_shape, len(described.classes))
    layers = tracing.described(built, tracing.layers_of(built), described.image_shape, torch.device("meta"))
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
    if not (folder / "probes.csv").exists():
        return []
    table = tables.read(folder / "probes.csv")
    around = {"bn": "before", "add": "after"}
    table = table[table.kind.isin([*around])]
    layers = network_files.positions(table.layer, side, folder / "cka.h5")
    lines = zip(layers, table.kind, table.test_accuracy, strict=True)
    return [[layer, around[kind], round(accuracy, 4)] for layer, kind, accuracy in lines]


def deletion_of(folder, side):
    """[layer, "alone" or "from the end", accuracy] without each residual block; it stands at the block's last layer."""
    if not (folder / "deletion.csv").exists():
        return []
    table = tables.read(folder / "deletion.csv")
    table = table[table.deletion != "none"]
    layers = network_files.positions(network_files.outputs(side, table.stage, table.block), side, folder / "cka.h5")
    lines = zip(layers, table.deletion, table.accuracy, strict=True)
    return [[layer, how, round(float(accuracy), 4)] for layer, how, accuracy in lines]


def pair_of(comparison):
    """What the page holds of a pair of networks."""
    return {
        "first": comparison.first.label,
        "second": comparison.second.label,
        "cka": page.packed(comparison.cka),
        "deflated": page.packed(comparison.deflated),
    }


def pairs_among(labels, paths, room):
    """What the page holds of the pairs of networks with these labels, the first that fit, and how many pairs there are.

    Args:
        labels: set of them.
        paths: of files of pairs.
        room: bytes.

    Returns:
        (list as of pair_of, int)
    """
    pairs, number = [], 0
    for path, name in [(file, name) for file in paths for name in similarities.names(file)]:
        comparison = similarities.read(path, name)
        if {comparison.first.label, comparison.second.label} <= labels:
            # One that does not fit ends the list.
            if len(pairs) == number:
                fitting, room = page.first_that_fit([pair_of(comparison)], room)
                pairs += fitting
            number += 1
    return pairs, number
