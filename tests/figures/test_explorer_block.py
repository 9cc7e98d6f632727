"""The block structure in the explorer's page, in a real browser: where it is drawn, and how it follows the slider."""

import pytest
from explorer_pages import BIG, BLOCKS, OTHER, SMALL, VALUES, Page, architecture, network, study, written

from widedeep.analysis import block_structure

OUTLINES = """document.getElementById("figure").layout.shapes.filter(({type, line}) => type === "rect" && line.width)
                .map(({xref, yref, x0, x1, y0, y1}) => [xref, yref, x0, x1, y0, y1])"""
SHADES = """document.getElementById("figure").layout.shapes.filter(({type, line}) => type === "rect" && !line.width)
              .map(({yref, x0, x1}) => [yref, x0, x1])"""


def outlines(page):
    """Each outline once; it has two lines, one around the other."""
    page.run("drawn")
    both = page.run(OUTLINES)
    assert both[::2] == both[1::2]
    return both[::2]


def titles(page):
    page.run("drawn")
    return page.run("document.getElementById('figure').layout.annotations.map(({text}) => text)")


def slide(page, contrast):
    """Move the slider, as a reader does."""
    page.run(
        """value => {const slider = document.getElementById("contrast");
             slider.value = value; slider.dispatchEvent(new Event("input"))}""",
        str(contrast),
    )
    page.run("drawn")


def found_in(label):
    """The range of the rule in a network, from its matrix."""
    layers = architecture(len(VALUES[label]))
    return block_structure.block_of_network(VALUES[label], layers["stages"], layers["blocks"])


def test_the_outline_is_the_range_of_the_rule(shared):
    for label, least in ((BIG, "0.06"), (OTHER, "0.02")):
        shared.show(first=label, contrast=least)
        found = found_in(label)
        assert (found.start, found.stop) == BLOCKS[label]
        edges = [found.start - 0.5, found.stop - 0.5]
        assert outlines(shared) == [["x", "y", *edges, *edges]]
        assert shared.run(SHADES) == [[f"y{strip} domain", *edges] for strip in (2, 3, 4)]


def test_with_a_filter_it_is_drawn_around_the_layers_that_are_shown(shared):
    shared.show(first=BIG, kinds="add")
    # Of layers 3, 7 and 11, the first two.
    assert outlines(shared) == [["x", "y", -0.5, 1.5, -0.5, 1.5]]
    assert shared.run(SHADES)[0] == ["y2 domain", -0.5, 1.5]
    shared.show(first=BIG, kinds="add", x="7-11", y="7-11")
    assert (
        shared.run("['xaxis', 'yaxis'].map(name => document.getElementById('figure').layout[name].range)")
        == [[0.5, 2.5]] * 2
    )


def test_of_a_pair_each_network_has_its_block_structure_on_its_own_axis(shared):
    shared.show(first=BIG, second=OTHER, contrast="0.02")
    across, up = outlines(shared)
    assert across[:2] == ["x", "y domain"]
    assert up[:2] == ["x domain", "y"]
    assert across[2:4] == [place - 0.5 for place in BLOCKS[OTHER]]
    assert up[4:6] == [place - 0.5 for place in BLOCKS[BIG]]
    # Beside the heatmap.
    assert across[4] > 1
    assert up[2] > 1
    assert "each axis is that network's own block structure" in shared.text("#notes")
    # At 0.06 the first network alone has one, and of the second nothing is shaded.
    shared.show(first=BIG, second=OTHER)
    assert outlines(shared) == [up]
    assert shared.run(SHADES) == []
    first, second = (f"{found_in(label).contrast - 0.0005:.3f}" for label in (BIG, OTHER))
    assert titles(shared)[:2] == [
        f"Big, seed 2: 80.0 %, contrast {second}",
        f"Big, seed 1: 90.0 %, contrast {first} ■",
    ]


def test_without_first_components_the_same_range_is_outlined_and_its_contrast_is_told(shared):
    start, stop = BLOCKS[BIG]
    deflated = f"{block_structure.contrast(VALUES[BIG] / 2, start, stop) - 0.0005:.3f}"
    shared.show(first=BIG, without="both")
    with_them, without = outlines(shared)
    assert with_them[2:] == without[2:] == [1.5, 9.5, 1.5, 9.5]
    assert f"layers 2 to 9, without first components: contrast {deflated}" in titles(shared)
    told = "Big, seed 1: block structure: layers 2 to 9 (64 % of the layers), contrast 0.221"
    assert shared.text("#block") == f"{told}, without first components {deflated}."
    shared.show(first=BIG, without="1")
    assert [outline[2:] for outline in outlines(shared)] == [with_them[2:]]
    assert shared.text("#block") == f"{told}, without first components {deflated}."
    shared.show(first=BIG)
    assert shared.text("#block") == f"{told}."


def mark_of(page, label):
    """What the table of networks says of a network: to the eye, and to screen readers."""
    button = page.page.locator(f'[data-network="{label}"]')
    return button.inner_text(), button.get_attribute("aria-label").rsplit(", ", 1)[1]


@pytest.mark.parametrize(("contrast", "last", "next_one"), [(0.06, "0.06", "0.07"), (0.119, "0.11", "0.12")])
def test_the_slider_switches_all_at_exactly_the_contrast(browser, tmp_path, contrast, last, next_one):
    content = study()
    content["networks"][0]["block"]["contrast"] = contrast
    page = Page(browser, written(tmp_path, content))
    page.show(first=BIG, pin="3")
    for least, counts in ((last, True), (next_one, False), (last, True)):
        slide(page, least)
        assert page.text("#contrast-value") == least
        assert page.state().get("contrast", "0.06") == least
        assert len(outlines(page)) == counts
        assert len(page.run(SHADES)) == 3 * counts
        assert any("shaded: the block structure" in title for title in titles(page)) == counts
        assert any(title.startswith("no block structure") for title in titles(page)) != counts
        words = f"{'' if counts else 'no '}block structure (contrast {contrast:.3f})"
        assert mark_of(page, BIG) == ("90.0 ■" if counts else "90.0", words)
        assert (f"layers 2 to 9 (64 % of the layers), contrast {contrast:.3f}." in page.text("#block")) == counts
        beneath = f"no block structure: the best range, layers 2 to 9, has a contrast of {contrast:.3f}, below {least}."
        assert (beneath in page.text("#block")) != counts
        assert f"from a contrast of {least}" in page.text("#notes")
        assert ("The frame is the block structure" in page.text("#notes")) == counts
    # What the slider draws is what a page of that address draws.
    shapes = page.run("JSON.stringify(document.getElementById('figure').layout.shapes)")
    page.open(first=BIG, pin="3", contrast=last)
    assert page.run("JSON.stringify(document.getElementById('figure').layout.shapes)") == shapes
    assert page.said == []
    page.context.close()


def test_the_slider_starts_at_the_threshold_of_the_study(browser, tmp_path):
    page = Page(browser, written(tmp_path, study() | {"least_contrast": 0.1}))
    assert page.page.input_value("#contrast") == "0.1"
    assert "From a contrast of 0.10" in " ".join(page.text("#welcome").split())
    assert " ".join(page.text("label[for=contrast]").split()) == (
        "The best range of layers counts as one from a contrast of 0.10 (in the findings 0.10)"
    )
    slide(page, 0.06)
    assert page.text("label[for=contrast]").endswith("0.06 (in the findings 0.10)")
    assert page.state()["contrast"] == "0.06"
    page.context.close()


def test_a_step_of_the_slider_does_not_draw_the_heatmap_again(shared):
    shared.show(first=BIG, second=OTHER, view="side")
    shared.run("() => {window.whole = 0; window.react = Plotly.react; Plotly.react = () => whole++}")
    slide(shared, 0.3)
    assert outlines(shared) == []
    assert shared.run("whole") == 0
    shared.run("() => {Plotly.react = react}")


def test_too_few_residual_blocks_are_neither_with_nor_without(shared):
    assert found_in(SMALL) is None
    for least in ("0", "0.06"):
        shared.show(first=SMALL, contrast=least)
        assert outlines(shared) == []
        assert shared.run(SHADES) == []
        assert shared.text("#block") == "Small, seed 1: too few residual blocks."
        assert "too few residual blocks" in titles(shared)
        assert mark_of(shared, SMALL) == ("70.0 –", "too few residual blocks")
    # Beside another network too.
    shared.show(first=BIG, second=SMALL)
    assert titles(shared)[0] == "Small, seed 1: 70.0 %, too few residual blocks"
    assert len(outlines(shared)) == 1


def test_an_undefined_contrast_without_first_components_and_a_negative_one_are_told(browser, tmp_path):
    content = study()
    content["networks"][0]["block"]["deflated"] = None
    content["networks"][1]["block"]["contrast"] = -0.012
    page = Page(browser, written(tmp_path, content))
    page.show(first=BIG, without="1")
    assert "without first components undefined." in page.text("#block")
    page.show(first=OTHER, contrast="0")
    assert "has a contrast of −0.012, below 0.00." in page.text("#block")
    page.context.close()


def test_networks_are_counted_by_contrast_and_by_the_slider(browser, tmp_path):
    contrasts = [-0.01, 0.03, 0.04, 0.059, 0.06, 0.061, 0.079, 0.08, 0.1, 0.25]
    one = network(OTHER, "Big, seed 2", 0.8)
    many = [
        one | {"seed": seed, "label": f"big/seed{seed}", "block": one["block"] | {"contrast": contrast}}
        for seed, contrast in enumerate(contrasts, start=1)
    ]
    small = network(SMALL, "Small, seed 1", 0.7)
    page = Page(browser, written(tmp_path, study() | {"networks": [*many, small], "pairs": []}))
    rows = """[...$("sensitivity").tBodies[0].rows].map(({cells}) => [...cells].map(({textContent: text}) => text))"""
    counts = [["0.04", "8 of 10"], ["0.06", "6 of 10"], ["0.08", "3 of 10"], ["0.10", "2 of 10"]]
    assert page.run(rows) == [*counts, ["0.06 (slider)", "6 of 10"]]
    slide(page, 0.25)
    assert page.run(rows) == [*counts, ["0.25 (slider)", "1 of 10"]]
    assert page.text("#networks").count("■") == 1 + 1  # and the caption
    assert page.text("#lacking-blocks") == "1 more on this page: too few residual blocks."
    page.page.emulate_media(media="print")
    assert page.page.is_visible("#sensitivity")
    page.context.close()
    page = Page(browser, written(tmp_path, study() | {"networks": many, "pairs": []}))
    assert not page.page.is_visible("#lacking-blocks")
    page.context.close()


def test_a_finding_shows_its_interval_and_the_smallest_effect(page):
    cells = page.run("[...$('claims').tBodies[0].rows[0].cells].map(({textContent: text}) => text)")
    heads = page.run("[...$('claims').tHead.rows[0].cells].map(({textContent: text}) => text)")
    told = dict(zip(heads, cells, strict=True))
    assert told["95 % interval"] == "0.10 to 0.30, threshold above 0.20"
    assert told["smallest effect that it could see"] == "0.41"
    # Where the table has no head, each number is named.
    page.page.set_viewport_size({"width": 375, "height": 800})
    name = "getComputedStyle($('claims').tBodies[0].rows[0].cells[4], '::before').content"
    assert "95 % interval" in page.run(name)
