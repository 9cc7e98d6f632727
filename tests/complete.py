"""Configs that ask for every figure, so that a new one is in the tests of drawings and reruns without a line there."""

import copy

from widedeep.study.drawings import SECTIONS
from widedeep.study.sections import AllSeeds


def complete(content):
    """The config with all figures of all seeds of some configurations; those that it lacks show appendix G's.

    It has a further measure, if it has none of its own.
    """
    shown = content["figures"]["G"]
    of_all_seeds = {key: copy.deepcopy(shown) for key, kind in SECTIONS.items() if kind is AllSeeds}
    measures = content.get("measures") or ["rbf_cka"]
    return {**content, "measures": measures, "figures": {**of_all_seeds, **content["figures"]}}
