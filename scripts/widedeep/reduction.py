"""The config of a part of a study: the grid of chosen networks alone, and the figures that can be drawn of them."""

import copy

from widedeep import config as study_config


def reduced(config, networks):
    """A valid config of some of the networks of a checked config; the recipe and all else stay.

    Rows of figures keep the sizes that are there; a row that is left with less than two gets others. Lists of
    configurations keep theirs, and in place of a missing one the largest that is there and in neither depth nor width
    larger. Figures of which nothing is left are left out.

    Args:
        config: checked.
        networks: list of (names.Model, seed), at least one; the grid has their configurations in this order.

    Returns:
        dict as read from YAML; it shares nothing with `config`.
    """
    seeds = {}
    for model, seed in networks:
        seeds.setdefault(model, set()).add(seed)
    part = copy.deepcopy(config)
    part["grid"] = [
        {
            "family": model.family,
            "depths": [model.depth],
            "widths": [model.width],
            "fractions": [model.fraction],
            "seeds": sorted(seeds[model]),
        }
        for model in seeds
    ]
    part["figures"] = {"colour_map": config["figures"]["colour_map"]}
    for figure in config["figures"]:
        section = _section(config, figure, seeds) if figure != "colour_map" else None
        if section is not None:
            part["figures"][figure] = copy.deepcopy(section)
    return part


def _section(config, figure, seeds):
    """The section of a figure for the configurations in `seeds`, a dict to sets of seeds; None if nothing is left."""
    section = config["figures"][figure]
    there = {model for model, known in seeds.items() if section.get("seed") in {None, *known}}
    if figure == "fig2":
        # A comparison of shares of the data: one of them alone is figure 1.
        rows = study_config.rows_of(config, figure).values()
        return section if all(model in there for row in rows for model in row) else None
    if figure in study_config.FIGURES_OF_ROWS:
        return _rows(config, figure, there)
    if figure == "fig6":
        return _comparison(config, seeds)
    if figure == "fig5":
        there = {model for model in there if len(seeds[model]) > 1}
    shown = [_stand_in(model, there) for model in study_config.models_of(config, figure)]
    shown = [_entry(model) for model in dict.fromkeys(shown) if model is not None]
    if not shown:
        return None
    return section | ({"model": shown[0]} if "model" in section else {"models": shown})


def _rows(config, figure, there):
    """The rows with the sizes that are there; where that leaves fewer than two, with others that are there."""
    section = config["figures"][figure]
    rows = study_config.rows_of(config, figure)
    family, kept = next(iter(rows.values()))[0].family, {}
    if "depth_row" in rows:
        row = section["depth_row"]
        depths = [model.depth for model in rows["depth_row"] if model in there]
        if len(depths) < 2:
            narrow = (family, row["width"], row["fraction"])
            depths = sorted(m.depth for m in there if (m.family, m.width, m.fraction) == narrow)
        kept["depth_row"] = row | {"depths": depths}
    if "width_row" in rows:
        row = section["width_row"]
        widths = [model.width for model in rows["width_row"] if model in there]
        if len(widths) < 2:
            by_depth = {}
            for model in there:
                if (model.family, model.fraction) == (family, row["fraction"]):
                    by_depth.setdefault(model.depth, []).append(model.width)
            # The depth with most widths, and of several the least.
            depth = min(by_depth, key=lambda depth: (-len(by_depth[depth]), depth), default=None)
            row, widths = row | {"depth": depth}, sorted(by_depth.get(depth, []))
        kept["width_row"] = row | {"widths": widths}
    if not all(row[sizes] for row in kept.values() for sizes in ("depths", "widths") if sizes in row):
        return None
    return section | kept


def _comparison(config, seeds):
    """The pair of figure 6 if it has two seeds each, else any pair that may be compared; None if there is none."""
    several = {model for model, known in seeds.items() if len(known) > 1}
    if "wide" in config["figures"]["fig6"] and several.issuperset(study_config.compared_in_figure_6(config)):
        return config["figures"]["fig6"]
    compared = [model for model in several if model.family != "plain"]
    pairs = ((wide, deep) for wide in compared for deep in compared if wide.fraction == deep.fraction)
    return {} if any(wide.width > deep.width and wide.depth < deep.depth for wide, deep in pairs) else None


def _stand_in(model, there):
    """The configuration itself, or the deepest, then widest that is there and in neither larger; None if none is."""
    smaller = [
        other
        for other in there
        if (other.family, other.fraction) == (model.family, model.fraction)
        and other.depth <= model.depth
        and other.width <= model.width
    ]
    return max(smaller, key=lambda other: (other.depth, other.width), default=None)


def _entry(model):
    return {"family": model.family, "depth": model.depth, "width": model.width, "fraction": model.fraction}
