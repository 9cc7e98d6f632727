"""The states of the explorer's page that claims and first lines link to."""

import pytest
from explorer_records import network

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.figures.explorer import views
from widedeep.findings.verdicts import HARDLY_TRAINED
from widedeep.paper import CLAIMS

NETWORKS = [
    network("small/1", accuracy=0.8),
    network("small/2", accuracy=0.85),
    network("deep/1", 0.3, depth=38, probes=[[1, "after", 0.5]]),
    network("deep/2", 0.1, depth=38),
    network("less/1", 0.2, fraction=0.25),
    network("plain/1", 0.9, family="plain"),
    network("few/1", None, 0.8, test_accuracy=0.95, depth=26, probes=[[1, "after", 0.5]]),
]
COMPONENTS = ("shared-component", "dominant-component", "weakened-block", "vanished-block")
PAIRS = [{"first": "small/1", "second": "small/2"}, {"first": "small/1", "second": "deep/1"}]


@pytest.mark.parametrize(
    ("claim", "view"),
    [
        ("depth", {"first": "small/1", "second": "deep/1", "view": "side"}),
        ("width", None),
        ("seeds", {"first": "deep/1", "second": "deep/2", "view": "side"}),
        ("data", {"first": "less/1", "second": "small/1", "view": "side"}),
        *((claim, {"first": "plain/1", "without": "both"}) for claim in COMPONENTS),
        *((claim, {"first": "deep/1", "pin": "2"}) for claim in ("rising-probes", "flat-probes", "deleted-blocks")),
        ("equal-depth", {"first": "small/1", "second": "small/2", "view": "pair"}),
        ("own-block", {"first": "deep/1", "second": "small/1", "view": "pair"}),
        ("no-residuals", {"first": "plain/1"}),
        ("convergence", None),
    ],
)
def test_each_claim_is_linked_to_what_shows_it(claim, view):
    assert views.view_of(claim, *views.as_findings_see(NETWORKS, None), PAIRS) == view


def labels(networks):
    return [network["label"] for network in networks]


def test_every_claim_on_networks_has_a_case():
    cases = test_each_claim_is_linked_to_what_shows_it.pytestmark[0].args[1]
    assert {claim for claim, _ in cases} == {*CLAIMS} - {"examples", "classes", "agreement"}


def test_networks_with_too_few_residual_blocks_come_last():
    networks = [network("few/1", None, probes=[[1, "after", 0.5]]), *NETWORKS[2:3]]
    networks.append(network("negative/1", -0.2, probes=[[1, "after", 0.5]]))
    for claim, first in (("flat-probes", "deep/1"), ("rising-probes", "negative/1")):
        assert views.view_of(claim, [], networks, [])["first"] == first
        assert views.view_of(claim, [], networks[:1], [])["first"] == "few/1"
    assert views.view_of("vanished-block", [], networks[:1], []) is None
    # Nor do they say how a block structure depends on the data.
    few = [network(f"few-{fraction}/1", None, fraction=fraction) for fraction in (0.25, 1)]
    assert views.most_grown_by_data(few) == (None, None)


def test_the_family_of_the_findings_decides_figures_1_and_2():
    others = [network(f"other{depth}/1", depth=depth, family="bottleneck") for depth in (20, 38, 56)]
    networks = [*NETWORKS[:6], *others[:2]]
    assert labels(views.as_findings_see(networks, "bottleneck")[0]) == ["other20/1", "other38/1"]
    # Of most networks, where none or one that the page lacks is named.
    for family in (None, "plain", "stagethree"):
        assert labels(views.as_findings_see(networks, family)[0]) == labels(NETWORKS[:5])
    assert views.as_findings_see(NETWORKS[5:6], None) == ([], NETWORKS[5:6])
    deciding, trained = views.as_findings_see(networks, "bottleneck")
    view = views.view_of("depth", deciding, trained, [])
    assert view == {"first": "other20/1", "second": "other38/1", "view": "side"}


def test_networks_that_hardly_trained_are_not_linked_to():
    known = NETWORKS[:6]
    poor = network("wide/1", 0.95, 0.8 - HARDLY_TRAINED - 0.05, width=4, probes=[[1, "after", 0.5]])
    plain = network("plainer/1", 0.99, 0.5, family="plain")
    deciding, trained = views.as_findings_see([*known, poor, plain], None)
    assert labels(deciding) == labels(known[:5])
    assert labels(trained) == labels(known)
    pairs = [{"first": "wide/1", "second": "small/1"}, *PAIRS]
    for claim, view in (
        ("width", None),
        ("weakened-block", {"first": "plain/1", "without": "both"}),
        ("flat-probes", {"first": "deep/1", "pin": "2"}),
        ("own-block", {"first": "deep/1", "second": "small/1", "view": "pair"}),
        ("no-residuals", {"first": "plain/1"}),
    ):
        assert views.view_of(claim, deciding, trained, pairs) == view


def test_the_claim_on_data_is_linked_to_the_size_whose_contrast_grows_most():
    data = [("one", 0.0, 0.01), ("two", 0.06, 0.16), ("six", 0.25, 0.05)]
    networks = [
        network(f"{name}-{fraction}/{seed}", contrast + off, fraction=fraction, width=width)
        for width, (name, much, little) in enumerate(data)
        for fraction, contrast in ((1, much), (0.25, little))
        for seed, off in ((1, 0.3), (2, 0.0), (3, -0.3))
    ]
    # Of three seeds that of the mean.
    less, more = views.most_grown_by_data(networks)
    assert (less["label"], more["label"]) == ("two-0.25/2", "two-1/2")
    # Those that differ as the means do, 0.2 and 0.1, at which not both are.
    data = {"little-0.25": [0.02, 0.33, 0.25], "much-1": [0.05, 0.15]}
    networks = [
        network(f"{name}/{seed}", contrast, fraction=float(name.split("-")[1]))
        for name, contrasts in data.items()
        for seed, contrast in enumerate(contrasts)
    ]
    less, more = views.most_grown_by_data(networks)
    assert (less["label"], more["label"]) == ("little-0.25/2", "much-1/1")


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_page_without_networks_has_no_views(claim):
    assert views.view_of(claim, *views.as_findings_see([], "resnet"), []) is None


def test_the_first_lines_show_the_clearest_block_and_the_best_network_without():
    # Too few residual blocks are no evidence of a network without a block structure.
    networks = [*NETWORKS[:5], NETWORKS[6]]
    found = views.examples_of(networks)
    assert found == {"with": {"first": "deep/1", "pin": "2"}, "without": {"first": "small/2", "pin": "2"}}
    assert views.examples_of(networks[:2])["with"] is None
    assert views.examples_of(NETWORKS[6:]) == {"with": None, "without": None}
    at_the_threshold = [network("one/1", LEAST_CONTRAST), network("two/1", LEAST_CONTRAST - 0.001)]
    assert [found["first"] for found in views.examples_of(at_the_threshold).values()] == ["one/1", "two/1"]


def test_the_pinned_layer_is_a_defined_one_in_the_middle_of_the_block_structure():
    wide = network("one/1", 0.3, share=[0.5] * 9) | {"block": {"start": 5, "stop": 8, "contrast": 0.3}}
    assert views.pinned(wide)["pin"] == "6"
    assert views.pinned(wide | {"undefined": [""] * 6 + ["constant"] + [""] * 2})["pin"] == "7"
    # Without a block structure, of all layers.
    assert views.pinned(wide | {"block": {"start": 5, "stop": 8, "contrast": 0.03}})["pin"] == "4"
    assert views.pinned(wide | {"block": None})["pin"] == "4"
