"""The subset of a study: some of its networks, and the figures that can be drawn of them."""

from widedeep.study.config import Study


def subset_of(study, networks):
    """Make the study of some networks of a study, with the same recipe, data set, dumps and probes.

    A row of a figure keeps the sizes that are there, and gets others if fewer than two are left. In a list of
    configurations, a missing one is replaced by the largest one that is neither deeper nor wider. A figure without any
    networks is left out, and further measures are left out with figure 1.

    Args:
        study: config.Study.
        networks: list of names.Network, at least one; their order is that of the new grid.

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
    measures = study.measures if "fig1" in figures else []
    return Study.model_validate({**study.dump(), "grid": grid, "measures": measures, "figures": colour_map | figures})
