"""Which networks decide, in findings/networks.py."""

import pandas as pd
import pytest
from small_tables import ALL, BOTTLENECK, MANY_NONE, NONE, PLAIN, SMALL, UNTRAINED, decided, networks

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.findings import networks as deciding
from widedeep.findings import verdicts
from widedeep.runtime.errors import UserError

SMALL_BOTTLENECK = (14, 1, 1, NONE, BOTTLENECK)


def test_networks_without_residual_connections_alone_decide_nothing_about_figures_1_and_2():
    rows = [(14, 1, 1, NONE, PLAIN), (38, 1, 1, ALL, PLAIN), (14, 1, 0.25, ALL, PLAIN)]
    rows += [(110, 1, 1, ALL, PLAIN | UNTRAINED)]
    for family in (None, "plain"):
        found = decided(networks(*rows), family=family)
        for claim in ("depth", "width", "seeds", "data"):
            assert found[claim].verdict == "not decidable"
            assert "no network of the study has residual connections" in found[claim].why
        about_plain = found["no-residuals"]
        assert "; 3 of 3 of Plain-38 1x (49 layers)" in about_plain.number
        assert about_plain.verdict == "reproduced"
        assert about_plain.why.endswith("of the study's networks 3 hardly trained and are left out")


def test_the_family_that_figure_1_shows_decides():
    with_block = [SMALL_BOTTLENECK, (38, 1, 1, ALL, BOTTLENECK)]
    table = networks(SMALL, (38, 1, 1, ALL[:2] + NONE[:1]), *with_block)
    for family, expected in (
        (None, "not decidable"),  # of two with equally many networks the first
        ("resnet", "not decidable"),
        ("bottleneck", "reproduced"),
        ("plain", "not decidable"),  # which is never the one
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
    small, large = (networks((14, 1, 1, (0,), {"train_accuracy": accuracy})) for accuracy in (0.1, 0.0))
    assert verdicts.HARDLY_TRAINED == 0.1
    assert not deciding.which_hardly_trained(large, small).any()
    assert deciding.which_hardly_trained(large, small.assign(train_accuracy=0.11)).all()
    table = networks((14, 1, 1, [LEAST_CONTRAST] * 3), (20, 1, 1, (0.05999, float("nan"))))
    assert len(deciding.with_block(table)) == 3
    one, other = table[table.depth == 14], table[table.depth == 20]
    assert deciding.count([one, other]) == (3, 4)
    assert deciding.count([one, other, one]) == (3, 4)  # a configuration may be at the end of two rows


def test_a_study_could_see_a_block_structure_where_a_network_has_one_or_is_large():
    def could(table, grown="depth", fraction=1):
        return deciding.could_have_block(networks(*table), grown, fraction)

    assert could([SMALL, (38, 1, 1, ALL)])
    assert not could([SMALL, (38, 1, 1, MANY_NONE)])
    assert not could([SMALL, (38, 1, 0.25, ALL)])  # on another share of the data
    assert could([SMALL, (110, 1, 1, MANY_NONE)])
    assert not could([SMALL, (110, 1, 1, MANY_NONE)], "width")
    assert could([SMALL, (14, 8, 1, MANY_NONE)], "width")
