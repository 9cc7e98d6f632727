"""Files of one network read together; apart from their own modules, so that the stages that write them need neither."""

from widedeep import components, similarities
from widedeep.errors import UserError


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
