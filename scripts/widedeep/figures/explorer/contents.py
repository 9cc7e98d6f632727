"""The contents of the explorer's page: the networks, pairs and findings of a study that fit."""

import collections

import matplotlib
from matplotlib.colors import to_hex

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.figures.explorer import page, views
from widedeep.figures.explorer.networks import network_of, pairs_among
from widedeep.findings.sensitivity import CONTRASTS
from widedeep.formats import dataset, tables
from widedeep.runtime.errors import UserError


def contents_of(name, folders, data, pair_files, findings, family, room):
    """Collect the contents of the page, a dict of JSON with at most `room` bytes.

    Args:
        name: name of the study.
        folders: paths of the networks' folders.
        data: path of the data set's file, for the shapes of layers.
        pair_files: paths of files of pairs.
        findings: path of findings.csv, or None.
        family: family that decided figures 1 and 2 of the findings, or None.
        room: bytes.

    Raises:
        UserError: files in a folder are of different networks, or not even one network fits.
    """
    described = dataset.describe(data)
    found = tables.read(findings, "findings.csv").to_dict("records") if findings else []
    folders, architectures = first_seeds_first(folders), {}
    study = {
        "study": name,
        "least_contrast": LEAST_CONTRAST,
        "sensitivity": CONTRASTS,
        "colour_maps": colour_maps(),
    }
    # 1,000 bytes for the view of each finding, which names two networks and a layer.
    room -= len(page.as_json([study, found])) + 1000 * (len(found) + 1)
    networks, room = page.first_that_fit(
        (network_of(folder, data, described, architectures) for folder in folders), room
    )
    networks, architectures, room = with_architectures(networks, architectures, room)
    if not networks:
        raise UserError(f"{folders[0]}: this network alone makes a page of more than 20 MB; dump fewer layers.")
    pairs, all_pairs = pairs_among({network["label"] for network in networks}, pair_files, room)
    deciding, trained = views.as_findings_see(networks, family)
    steps = [record[key]["step"] for record in [*networks, *pairs] for key in ("cka", "deflated")]
    return study | {
        "architectures": architectures,
        "networks": networks,
        "pairs": pairs,
        "error": max(steps, default=0) / 2,
        "findings": [finding | {"view": views.view_of(finding["id"], deciding, trained, pairs)} for finding in found],
        "examples": views.examples_of(networks),
        "left_out": left_out(len(networks), len(folders), len(pairs), all_pairs),
    }


def with_architectures(networks, architectures, room):
    """Keep the first networks that fit together with the layers of their configurations.

    Args:
        networks: list of records from networks.network_of, whose bytes are not in `room` any more.
        architectures: dict from a configuration's name to its layers.
        room: bytes left.

    Returns:
        (list of networks, dict of their architectures, bytes left)
    """
    while True:
        models = {network["model"] for network in networks}
        used = {model: layers for model, layers in architectures.items() if model in models}
        left = room - len(page.as_json(used))
        if left >= 0 or not networks:
            return networks, used, left
        *networks, last = networks
        room += page.size_of(last)


def first_seeds_first(folders):
    """Sort folders of networks: the first one of every configuration, then the second ones, and so on."""
    ranks = collections.Counter()
    ranked = []
    for folder in folders:
        ranked.append((ranks[folder.parent], folder))
        ranks[folder.parent] += 1
    return [folder for _, folder in sorted(ranked, key=lambda entry: entry[0])]


def left_out(networks, all_networks, pairs, all_pairs):
    """A sentence that says how much of the study the page holds; "" if it holds all."""
    if (networks, pairs) == (all_networks, all_pairs):
        return ""
    return (
        f"This page holds {networks} of {all_networks} networks and {pairs} of {all_pairs} pairs of them, since it "
        "would be larger than 20 MB with more; scripts/make_explorer.py makes one of the networks that you name."
    )


def colour_maps():
    """The colour maps as plotly reads them: dict from name to 33 evenly spaced [position, colour]."""
    return {
        name: [[place / 32, to_hex(matplotlib.colormaps[name](place / 32))] for place in range(33)]
        for name in page.COLOUR_MAPS
    }
