"""Readers that combine several files of one network.

They are not in the modules of these files, so that a program that writes one file does not depend on the others.
"""

from widedeep.formats import components, hdf5, similarities
from widedeep.runtime.errors import UserError


def components_and_cka(path, cka_path):
    """Read the first components of a network together with its CKA.

    Args:
        path: of its pca.h5.
        cka_path: of its cka.h5.

    Returns:
        (components.FirstComponents, similarities.Comparison)

    Raises:
        UserError: a file is missing, damaged or something else, or the files are of different networks or layers.
    """
    comparison = similarities.read(cka_path)
    label, first = components.read(path)
    side = comparison.first
    if (label, first.names) != (side.label, side.names):
        raise UserError(
            f"{path}: holds {len(first.names)} layers of {label}, and {cka_path} {len(side.names)} layers of "
            f"{side.label}; give the files of the same networks in one order."
        )
    return first, comparison


def check_data(path, description, data_path):
    """Refuse a data set other than the one on which a network's components were computed.

    Args:
        path: of its pca.h5.
        description: dataset.Description of the data set at `data_path`.

    Raises:
        UserError: the checksums differ, or the file is not a pca.h5.
    """
    stamp, remedy = (components.KIND, components.SCHEMA_VERSION), "compute it again (scripts/dump_activations.py)"
    with hdf5.open_stamped(path, *stamp, remedy) as file, hdf5.explaining_damage(path, remedy):
        found = hdf5.attribute(file, "data_checksum", str)
    if found != description.test_checksum:
        raise UserError(
            f"{path}: was computed on images with checksum {found[:12]}, and those of {data_path} have "
            f"{description.test_checksum[:12]}; give the data set of the network."
        )


def positions(layers, side, path):
    """Return the positions of layers among all layers of a network, a list of int.

    Args:
        layers: names of layers that have a probe, or are the output of a residual block.
        side: similarities.Side of the network in the cka.h5 at `path`.
        path: of the cka.h5, for the message.

    Raises:
        UserError: the file lacks one of the layers.
    """
    places = {name: place for place, name in enumerate(side.names)}
    unknown = sorted({*layers} - {*places})
    if unknown:
        raise UserError(
            f"{path}: has no layer {unknown[0]}, which has a probe or ends a residual block; dump all layers of the "
            "network (scripts/dump_activations.py)."
        )
    return [places[name] for name in layers]


def outputs(side, stages, blocks):
    """Return the names of the output layers of residual blocks, that is of their last layers.

    Args:
        side: similarities.Side of a network.
        stages, blocks: numbers of the stage and the block of each residual block.

    Returns:
        list of str; `stage3.block2` for a block that the network does not have
    """
    last = dict(zip(zip(side.stages, side.blocks, strict=True), side.names, strict=True))
    return [last.get(place, "stage{}.block{}".format(*place)) for place in zip(stages, blocks, strict=True)]
