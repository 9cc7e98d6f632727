"""A part of a study: the grid of chosen networks alone, and the figures that can be drawn of them."""

from widedeep.study.config import Study


def subset_of(study, networks):
    """The study of some of the networks of a study; the recipe and all else stay.

    Rows of figures keep the sizes that are there; a row that is left with fewer than two gets others. Lists of
    configurations keep theirs, and in place of a missing one the largest that is there and in neither depth nor width
    larger. Figures of which nothing is left are left out.

    Args:
        study: config.Study.
        networks: list of names.Network, at least one; the grid has their configurations in this order.

    Returns:
        config.Study
    """
    seeds = {}
    for network in networks:
        seeds.setdefault(network.configuration, set()).add(network.seed)
    grid = [
        {
            "family": configuration.family,
            "depths": [configuration.depth],
            "widths": [configuration.width],
            "fractions": [configuration.fraction],
            "seeds": sorted(known),
        }
        for configuration, known in seeds.items()
    ]
    parts = {key: section.part(study.dataset.name, seeds) for key, section in study.sections.items()}
    figures = {key: part.model_dump(exclude_none=True) for key, part in parts.items() if part is not None}
    colour_map = {"colour_map": study.figures.colour_map}
    return Study.model_validate({**study.dump(), "grid": grid, "figures": colour_map | figures})
