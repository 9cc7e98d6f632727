"""Which networks decide, in findings/networks.py."""

import pandas as pd
import pytest
from small_tables import ALL, BOTTLENECK, HALF, NONE, PLAIN, SMALL, decided, networks

from widedeep.findings import networks as deciding
from widedeep.findings import verdicts
from widedeep.runtime.errors import UserError

SMALL_BOTTLENECK = (14, 1, 1, NONE, BOTTLENECK)


def test_networks_without_residual_connections_alone_decide_nothing_about_figures_1_and_2():
    rows = [(14, 1, 1, NONE, PLAIN), (38, 1, 1, ALL, PLAIN), (14, 1, 0.25, ALL, PLAIN), (110, 1, 1, ALL, PLAIN | HALF)]
    for family in (None, "plain"):
        found = decided(networks(*rows), family=family)
        for claim in ("depth", "width", "seeds", "data"):
            assert found[claim].verdict == "not decidable"
            assert "no network of the study has residual connections" in found[claim].why
        about_plain = found["no-residuals"]
        assert "; Plain-38 1x (49 layers): 0.40 (0.30 to 0.50)" in about_plain.number
        assert about_plain.verdict == "reproduced"
        assert about_plain.why.endswith("of the study's networks 3 hardly trained and are left out")


def test_the_family_that_figure_1_shows_decides():
    with_block = [SMALL_BOTTLENECK, (38, 1, 1, ALL, BOTTLENECK)]
    table = networks(SMALL, (38, 1, 1, NONE), *with_block)
    for family, expected in (
        (None, "not reproduced"),  # of two with equally many networks the first
        ("resnet", "not reproduced"),
        ("bottleneck", "reproduced"),
        ("plain", "not reproduced"),  # which is never the one
    ):
        if family == "plain":
            table = pd.concat([table, networks((8, 1, 1, ALL, PLAIN))], ignore_index=True)
        assert decided(table, family=family)["depth"].verdict == expected
    more = networks(*with_block, (110, 1, 1, ALL, BOTTLENECK), SMALL, (38, 1, 1, NONE))
    assert decided(more)["depth"].verdict == "reproduced"
    with pytest.raises(UserError, match="family 'wide'.*resnet, bottleneck"):
        decided(networks(SMALL, SMALL_BOTTLENECK), family="wide")


def test_exactly_at_a_threshold():
    """What a threshold says of its own value: a network that is as far behind as that has trained still."""
    small, large = (networks((14, 1, 1, (0,), dict.fromkeys(verdicts.ACCURACIES, accuracy))) for accuracy in (0.1, 0.0))
    assert verdicts.HARDLY_TRAINED == 0.1
    assert deciding.hardly_trained(small, large) == ""
    assert not deciding.which_hardly_trained(large, small).any()
    assert deciding.hardly_trained(small.assign(test_accuracy=0.11), large)
    block = networks((14, 1, 1, [verdicts.HAS_BLOCK] * 3))
    assert deciding.has_block(block)
    assert deciding.sum_of_seeds([block]) == (3, 3)
    assert not deciding.has_block(networks((14, 1, 1, (verdicts.HAS_BLOCK, 0.0))))  # half is not most
