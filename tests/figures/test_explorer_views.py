"""The states of the explorer's page that claims and first lines link to."""

import pytest
from explorer_records import network

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
]
PAIRS = [{"first": "small/1", "second": "small/2"}, {"first": "small/1", "second": "deep/1"}]


@pytest.mark.parametrize(
    ("claim", "view"),
    [
        ("depth", {"first": "small/1", "second": "deep/1", "view": "side"}),
        ("width", None),
        ("seeds", {"first": "deep/1", "second": "deep/2", "view": "side"}),
        ("data", {"first": "less/1", "second": "small/1", "view": "side"}),
        ("first-component", {"first": "plain/1", "without": "both"}),
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


def test_the_family_of_the_findings_decides_figures_1_and_2():
    others = [network(f"other{depth}/1", depth=depth, family="bottleneck") for depth in (20, 38, 56)]
    networks = [*NETWORKS, *others[:2]]
    assert labels(views.as_findings_see(networks, "bottleneck")[0]) == ["other20/1", "other38/1"]
    # Of most networks, where none or one that the page lacks is named.
    for family in (None, "plain", "stagethree"):
        assert labels(views.as_findings_see(networks, family)[0]) == labels(NETWORKS[:5])
    assert views.as_findings_see(NETWORKS[5:], None) == ([], NETWORKS[5:])
    deciding, trained = views.as_findings_see(networks, "bottleneck")
    view = views.view_of("depth", deciding, trained, [])
    assert view == {"first": "other20/1", "second": "other38/1", "view": "side"}


def test_networks_that_hardly_trained_are_not_linked_to():
    poor = network("wide/1", 0.9, 0.8 - HARDLY_TRAINED - 0.05, width=4, probes=[[1, "after", 0.5]])
    plain = network("plainer/1", 0.95, 0.5, family="plain")
    deciding, trained = views.as_findings_see([*NETWORKS, poor, plain], None)
    assert poor in deciding
    assert labels(trained) == labels(NETWORKS)
    pairs = [{"first": "wide/1", "second": "small/1"}, *PAIRS]
    for claim, view in (
        ("first-component", {"first": "plain/1", "without": "both"}),
        ("flat-probes", {"first": "deep/1", "pin": "2"}),
        ("own-block", {"first": "deep/1", "second": "small/1", "view": "pair"}),
        ("no-residuals", {"first": "plain/1"}),
    ):
        assert views.view_of(claim, deciding, trained, pairs) == view


def test_the_claim_on_data_is_linked_to_the_size_whose_block_changes_most():
    data = [("one", 0.0, 0.01), ("two", 0.06, 0.16), ("six", 0.05, 0.0)]
    networks = [
        network(f"{name}-{fraction}/{seed}", share + off, fraction=fraction, width=width)
        for width, (name, much, little) in enumerate(data)
        for fraction, share in ((1, much), (0.25, little))
        for seed, off in ((1, 0.3), (2, 0.0), (3, -0.3))
    ]
    # Of three seeds the middle one.
    less, more = views.most_moved_by_data(networks)
    assert (less["label"], more["label"]) == ("two-0.25/2", "two-1/2")
    # Those that differ as the medians do, at which not both are.
    data = {"little-0.25": [0.02, 0.3, 0.25], "much-1": [0.0, 0.1]}
    networks = [
        network(f"{name}/{seed}", share, fraction=float(name.split("-")[1]))
        for name, shares in data.items()
        for seed, share in enumerate(shares)
    ]
    less, more = views.most_moved_by_data(networks)
    assert (less["label"], more["label"]) == ("little-0.25/1", "much-1/1")


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_page_without_networks_has_no_views(claim):
    assert views.view_of(claim, *views.as_findings_see([], "resnet"), []) is None


def test_the_first_lines_show_the_largest_block_and_the_best_network_without():
    found = views.examples_of(NETWORKS[:5], 0.04)
    assert found == {"with": {"first": "deep/1", "pin": "2"}, "without": {"first": "small/2", "pin": "2"}}
    assert views.examples_of(NETWORKS[:2], 0.04)["with"] is None
