"""Records of networks and of pairs of networks for the explorer's page, read from their files."""

import math

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
    """Make the record of the network in a folder, and add the layers of its configuration to `architectures`.

    Args:
        folder: path of the folder.
        data_path: path of the data set's file.
        described: dataset.Description of that file.
        architectures: dict from a configuration's name to its layers, from layers_of.

    Returns:
        dict of JSON

    Raises:
        UserError: a file is missing or damaged, or the files are of different networks or another data set.
    """
    first, comparison = network_files.components_and_cka(folder / "pca.h5", folder / "cka.h5")
    side = comparison.first
    known = metrics.read([folder / "metrics.json"])
    if side.label not in known:
        raise UserError(
            f"{folder}: its cka.h5 is of {side.label} and its metrics.json of {next(iter(known))}; give a folder whose "
            "files are of one network."
        )
    keys = ("model", "family", "depth", "width", "fraction", "seed", "test_accuracy", "train_accuracy")
    network = metrics.values_of(known[side.label], ("dataset", *keys), folder / "metrics.json")
    network_files.check_data(folder / "pca.h5", described, data_path)
    if network["model"] not in architectures:
        architectures[network["model"]] = layers_of(network, side, described)
    return {
        **{key: network[key] for key in keys},
        "label": side.label,
        "name": metrics.network_title(side.label, known),
        "configuration": configuration_title(network),
        "undefined": side.undefined["cka"] if any(side.undefined["cka"]) else [],
        "share": page.numbers(first.share),
        "block": block_of(comparison),
        "probes": probes_of(folder, side),
        "deletion": deletion_of(folder, side),
        "cka": page.packed(comparison.cka),
        "deflated": page.packed(comparison.deflated),
    }


def block_of(comparison):
    """Make the record of the range of a network's layers that is most like a block structure.

    Args:
        comparison: similarities.Comparison of the network with itself.

    Returns:
        dict with start and stop, a half-open range; size, its share of the layers; contrast; and deflated, the contrast
        of the same range without first components, None if it is undefined. Contrasts are rounded down. None
        if the network has too few residual blocks.
    """
    side = comparison.first
    found = block_structure.block_of_network(comparison.cka, side.stages, side.blocks)
    if found is None:
        return None
    deflated = block_structure.contrast(
        block_structure.compared(comparison.deflated, side.blocks), found.start, found.stop
    )
    return {
        "start": found.start,
        "stop": found.stop,
        "size": round(found.size, 4),
        "contrast": block_structure.rounded_down(found.contrast),
        "deflated": None if math.isnan(deflated) else block_structure.rounded_down(deflated),
    }


def layers_of(network, side, described):
    """Lists of the names, kinds, stages, residual blocks and shapes of a configuration's layers, a dict.

    Args:
        network: mapping with the keys of names.Configuration.
        side: similarities.Side of the network in its cka.h5.
        described: dataset.Description of its data set.

    Raises:
        UserError: cka.h5 has a layer that the configuration's family does not build.
    """
    configuration = Configuration(**{key: network[key] for key in ("dataset", "family", "depth", "width", "fraction")})
    built = without_weights(configuration, described.image_shape, len(described.classes))
    layers = tracing.described(built, tracing.layers_of(built), described.image_shape, torch.device("meta"))
    shapes = {layer.name: " x ".join(map(str, layer.shape)) for layer in layers}
    if missing := [name for name in side.names if name not in shapes]:
        raise UserError(
            f"{side.label}: its cka.h5 has a layer {missing[0]}, which the network of its family lacks; dump it again."
        )
    shapes = [shapes[name] for name in side.names]
    return {
        "names": side.names,
        "kinds": side.kinds,
        "stages": side.stages,
        "blocks": side.blocks,
        "shapes": shapes,
    }


def probes_of(folder, side):
    """List the probes of a network as [index of layer, "before" or "after" the addition, accuracy].

    Empty if the folder has no probes.csv.
    """
    if not (folder / "probes.csv").exists():
        return []
    table = tables.read(folder / "probes.csv")
    around = {"bn": "before", "add": "after"}
    table = table[table.kind.isin([*around])]
    layers = network_files.positions(table.layer, side, folder / "cka.h5")
    lines = zip(layers, table.kind, table.test_accuracy, strict=True)
    return [[layer, around[kind], round(accuracy, 4)] for layer, kind, accuracy in lines]


def deletion_of(folder, side):
    """List the deletions of residual blocks as [index of layer, "alone" or "from the end", accuracy].

    The layer is the output of the first residual block that is deleted. Empty if the folder has no deletion.csv.
    """
    if not (folder / "deletion.csv").exists():
        return []
    table = tables.read(folder / "deletion.csv")
    table = table[table.deletion != "none"]
    layers = network_files.positions(network_files.outputs(side, table.stage, table.block), side, folder / "cka.h5")
    lines = zip(layers, table.deletion, table.accuracy, strict=True)
    return [[layer, how, round(float(accuracy), 4)] for layer, how, accuracy in lines]


def pair_of(comparison):
    """Make the record of a pair of networks, a dict of JSON, from a similarities.Comparison."""
    return {
        "first": comparison.first.label,
        "second": comparison.second.label,
        "cka": page.packed(comparison.cka),
        "deflated": page.packed(comparison.deflated),
    }


def pairs_among(labels, paths, room):
    """Make the records of the pairs between given networks, as many as fit, in the order of the files.

    Args:
        labels: set of the networks' labels.
        paths: paths of files of pairs.
        room: bytes.

    Returns:
        (list of records from pair_of, number of pairs in the files between these networks)
    """
    pairs, number = [], 0
    for path, name in [(file, name) for file in paths for name in similarities.names(file)]:
        comparison = similarities.read(path, name)
        if {comparison.first.label, comparison.second.label} <= labels:
            # The first pair that does not fit ends the list.
            if len(pairs) == number:
                fitting, room = page.first_that_fit([pair_of(comparison)], room)
                pairs += fitting
            number += 1
    return pairs, number
