"""Files of one network read together; apart from their own modules, so that the stages that write them need neither."""

from widedeep.formats import components, hdf5, similarities
from widedeep.runtime.errors import UserError


def components_and_cka(path, cka_path):
    """The components of a network together with its CKA.

    Args:
        path: of its pca.h5.
        cka_path: of its cka.h5.

    Returns:
        (components.FirstComponents, similarities.Comparison)

    Raises:
        UserError: a file is missing, damaged or something else, or they are of different networks or layers.
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
    """Refuse a data set on which the components of a network were not computed.

    Args:
        path: of its pca.h5.
        description: data.Description of the data set at `data_path`.

    Raises:
        UserError: the checksums differ, or the file is none of components.
    """
    stamp, remedy = (components.KIND, components.SCHEMA_VERSION), "compute it again (scripts/dump_activations.py)"
    with hdf5.open_stamped(path, *stamp, remedy) as file, hdf5.explaining_damage(path, remedy):
        found = file.attrs["data_checksum"]
    if found != description.test_checksum:
        raise UserError(
            f"{path}: was computed on images with checksum {found[:12]}, and those of {data_path} have "
            f"{description.test_checksum[:12]}; give the data set of the network."
        )


def positions(layers, side, path):
    """Where layers that have a probe, or end a residual block, are among those of a network.

    Args:
        layers: names.
        side: similarities.Side of the network in the cka.h5 at `path`.

    Returns:
        list of int

    Raises:
        UserError: the file lacks one of the layers.
    """
    places = {name: place for place, name in enumerate(side.names)}
    unknown = sorted({*layers} - {*places})
    if unknown:
        raise UserError(
            f"{path}: has no layer {unknown[0]}, which has a probe or a block; dump all layers of the network."
        )
    return [places[name] for name in layers]


def outputs(side, stages, blocks):
    """The names of the layers at which residual blocks stand: their last ones, which are their outputs.

    Args:
        side: similarities.Side of a network.
        stages, blocks: of the residual blocks.

    Returns:
        list of str; as `stage3.block2` where the network has no such block
    """
    last = dict(zip(zip(side.stages, side.blocks, strict=True), side.names, strict=True))
    return [last.get(place, "stage{}.block{}".format(*place)) for place in zip(stages, blocks, strict=True)]
