"""A small config for tests, and the same with one key changed."""

import copy

CONFIG = {
    "study": "s",
    "dataset": {"name": "digits"},
    "grid": [{"depths": [8, 14], "widths": [1], "seeds": [1, 2]}],
    "training": {"flip": False, "batch_size": 64},
    "dumps": {"batch_size": 64},
    "probes": {"batch_size": 2000},
}
FIG1 = {"depth_row": {"depths": [8], "width": 1}, "width_row": {"depth": 8, "widths": [1]}, "seed": 1}
REMOVED = "(removed)"


def changed(path, value):
    """CONFIG with one key set, or without it if the value is REMOVED; a path as `grid.0.depths`."""
    result = copy.deepcopy(CONFIG)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = result
    for part in parents:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    place[last] = value
    if value is REMOVED:
        del place[last]
    return result
