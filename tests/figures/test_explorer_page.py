"""The explorer's page in a real browser, from disk: what a reader does there."""

import numpy as np
import pytest
from explorer_pages import BETWEEN, BIG, CONSTANT, HOSTILE, OTHER, SMALL, VALUES, Page, network, study, written

from widedeep.analysis import block_structure
from widedeep.figures.explorer import contents


def test_the_first_screen_tells_what_a_block_structure_is_and_shows_the_clearest(page):
    assert "A block structure is a range of many layers that are highly similar" in page.text("#welcome")
    assert "From a contrast of 0.06" in " ".join(page.text("#welcome").split())
    assert page.run("state.first") == BIG
    assert len(page.traces("heatmap")) == 2  # with the undefined values
    page.page.click("text=a network without (Big, seed 2)")
    assert page.state() == {"first": OTHER, "pin": "6"}
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], VALUES[OTHER], atol=1e-5)


def test_a_click_chooses_networks_and_the_page_shows_their_pair_or_both(page):
    page.page.click(f'[data-network="{SMALL}"]')
    assert page.state() == {"first": SMALL, "pin": "4"}  # the layer at equal depth
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], VALUES[SMALL], atol=1e-5)
    page.page.check('[name="role"][value="second"]')
    page.page.click(f'[data-network="{BIG}"]')
    assert page.state() == {"first": SMALL, "second": BIG, "pin": "4"}
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], BETWEEN.T, atol=1e-5)
    page.page.check('[name="view"][value="side"]')
    assert len(page.traces("heatmap")) == 3
    page.page.click(f'[data-network="{OTHER}"]')
    page.page.check('[name="view"][value="pair"]')
    page.run("drawn")
    assert page.page.is_visible("#no-pair")
    page.page.click("#only-one")
    assert page.state() == {"first": SMALL, "pin": "4"}
    assert not page.page.is_visible("#no-pair")


def test_hovering_tells_both_layers_and_the_value(page):
    row, column, value = page.hover(2, 9)
    assert row == "row 2 stage1.block1.relu (relu, 3 x 8 x 8)"
    assert column == "column 9 stage2.block1.bn (bn, 10 x 8 x 8)"
    assert value == f"CKA {VALUES[BIG][2, 9]:.4f}"
    assert value in page.text("#readout")


def test_an_undefined_value_is_hatched_and_tells_why(page):
    assert page.hover(CONSTANT, 1)[2] == "undefined: constant"
    heat, grey = page.traces("heatmap")
    assert heat["z"][CONSTANT] == [None] * 12
    assert grey["z"][CONSTANT] == [1] * 12
    assert "Hatched is undefined" in page.text("#notes")
    hatched = page.run("document.getElementById('figure').data.find(trace => trace.fill)")
    corners = [list(zip(hatched[axis][::6], hatched[axis][2::6], strict=True)) for axis in "xy"]
    # Below, at and above the layer: a column, the row, a column.
    assert corners == [[(3.5, 4.5), (-0.5, 11.5), (3.5, 4.5)], [(-0.5, 3.5), (3.5, 4.5), (4.5, 11.5)]]
    assert page.run("document.querySelectorAll('#figure pattern').length")


def test_a_click_pins_a_layer_and_draws_its_row_beside_the_other_curves(page):
    page.page.mouse.move(*page.point(8, 2))
    page.page.mouse.click(*page.point(8, 3))
    assert page.state()["pin"] == "8"
    assert page.page.input_value("#pin") == "8"
    row, share, after, before, alone, _, whole = page.traces("scatter")
    np.testing.assert_allclose(np.array(row["y"], float), VALUES[BIG][8], atol=1e-5)
    assert row["x"] == [*range(12)]
    assert share["y"] == [0.5] * 12
    # In the order of layers, with a gap between stages.
    assert (after["x"], after["y"]) == ([3, 7, None, 11], [0.6, 0.7, None, 0.8])
    assert (alone["x"], alone["y"]) == ([3, 7, None, 11], [0.3, 0.4, None, 0.85])
    assert (before["x"], whole["y"]) == ([1], [0.9, 0.9])
    page.page.select_option("#pin", "")
    assert len(page.traces("scatter")) == 6


def test_two_networks_have_one_cursor_at_equal_depth(page):
    page.open(first=BIG, second=SMALL, view="side")
    page.hover(11, 11)
    assert len(page.page.query_selector_all(".cursor")) == 6
    assert "row 7 stage1.block2.add" in page.text("#readout")
    page.hover(0, 7, 1)
    assert "column 11 stage2.block1.add" in page.text("#readout")


def test_without_first_components(page):
    page.page.check('[name="without"][value="1"]')
    assert page.state()["without"] == "1"
    np.testing.assert_allclose(np.array(page.traces("heatmap")[0]["z"], float), VALUES[BIG] / 2, atol=1e-5)


def test_a_filter_shows_some_kinds_of_layers(page):
    for kind in ("conv", "bn", "relu"):
        page.page.uncheck(f'#kinds [value="{kind}"]')
    assert page.state()["kinds"] == "add"
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], VALUES[BIG][3::4, 3::4], atol=1e-5)
    assert next(trace for trace in page.traces("scatter") if "after" in (trace["name"] or ""))["x"] == [0, 1, None, 2]
    page.page.click('#kinds [value="add"]')  # the last one: all come back
    assert "kinds" not in page.state()


def test_layers_at_equal_depth_are_those_of_the_tables(shared):
    sizes = [(layers, others) for layers in range(1, 30) for others in range(1, 30)]
    found = shared.run(
        """sizes => sizes.map(([layers, others]) =>
             Array.from({length: layers}, (_, layer) => atEqualDepth(layer, layers, others)))""",
        sizes,
    )
    assert found == [block_structure.equal_depth(*size).tolist() for size in sizes]


def test_a_browser_that_bounds_changes_of_the_address_still_draws(page):
    page.run(
        """() => {
             const replace = history.replaceState.bind(history);
             window.refused = 0;
             for (const how of ["replaceState", "pushState"])
               history[how] = (...words) => {
                 if (refused < 2) { refused++; throw new DOMException("too often", "SecurityError"); }
                 replace(...words);
               };
           }"""
    )
    page.run("change({contrast: '0.1'})")
    assert page.run("drawn.then(() => shownState.contrast)") == "0.1"
    assert "contrast" not in page.state()
    page.page.click("text=show fig5")
    page.wait("location.hash === addressOf(state)")
    assert page.state() == {"first": BIG, "second": SMALL}


def test_one_network_twice_is_no_pair_that_is_missing(shared):
    shared.show(first=BIG, second=BIG)
    assert not shared.page.is_visible("#no-pair")
    shared.show(first=SMALL, second=OTHER)
    assert shared.page.is_visible("#no-pair")


def test_the_address_holds_the_view(page):
    state = {"first": BIG, "second": SMALL, "view": "side", "without": "1", "kinds": "conv,add"}
    state |= {"contrast": "0.15", "pin": "3", "map": "viridis"}
    page.open(**state)
    assert page.state() == state
    before = page.run('JSON.stringify(document.getElementById("figure").data)')
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    assert page.run('JSON.stringify(document.getElementById("figure").data)') == before


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"first": "nobody", "second": "x", "view": "y", "contrast": "7", "pin": "99", "kinds": "zzz"}, {}),
        # An old address, of a network that the page no longer holds.
        ({"first": "nobody", "pin": "3", "x": "2-5", "y": "1-4"}, {}),
        ({"map": "jet", "x": "3-99", "y": "5-2", "without": "yes", "other": "1"}, {}),
        ({"map": "toString", "constructor": "1", "__proto__": "1", "hasOwnProperty": "1"}, {}),
        ({"second": "toString", "pin": "2:3"}, {}),
        # Of a page whose frame was something else.
        ({"threshold": "0.9"}, {}),
        ({"pin": "007", "contrast": " 0.1504", "x": "02-05"}, {"pin": "7", "contrast": "0.15", "x": "2-5"}),
        ({"contrast": "0"}, {"contrast": "0"}),
        ({"contrast": ""}, {}),
        ({"contrast": "-0.01"}, {}),
        ({"contrast": "0.31"}, {}),
        ({"kinds": "add,,add"}, {"kinds": "add"}),
    ],
)
def test_an_address_with_nonsense_shows_the_start(shared, said, state):
    expected = shared.run("state => ({...initial, ...state})", state)
    assert shared.run("said => stateIn(String(new URLSearchParams(said)))", {"first": BIG} | said) == expected


def test_a_finding_is_linked_to_its_view(page):
    page.page.click("text=show fig5")
    page.wait("document.activeElement.id === 'figure'")
    assert page.state() == {"first": BIG, "second": SMALL}
    top, bottom = page.run("(({top, bottom}) => [top, bottom])($('view').getBoundingClientRect())")
    assert abs(top) < 2 or bottom <= page.run("innerHeight")
    assert page.text("#claims [aria-current]").startswith("Claim")
    assert page.run("$('said').textContent").startswith("Shown: show fig5: Claim")
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], BETWEEN, atol=1e-5)


def test_words_of_the_study_are_never_read_as_html(page):
    page.open(first=BIG, pin="5")
    assert page.text("h1") == f"Explorer of {HOSTILE}"
    assert HOSTILE in page.text("#claims")
    assert HOSTILE in page.hover(5, 5)[0]
    assert page.run('document.querySelectorAll("img, b").length') == 0
    page.downloaded("svg")


def test_the_policy_forbids_every_request(browser, path):
    page = Page(browser, path, offline=False)
    assert page.run("fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)") == "TypeError"
    assert any("Content Security Policy" in said for said in page.said)
    # Later, since the browser lets what a test asks of it evaluate words at once.
    later = "new Promise(told => setTimeout(() => {try {told(eval('1'))} catch (error) {told(error.name)}}))"
    assert page.run(later) == "EvalError"
    page.context.close()


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(page):
    wanted = page.run(
        """[...document.querySelectorAll("button, input, select, summary, a, [tabindex='0']")]
             .filter(e => !e.disabled && e.offsetParent && !e.closest("fieldset:disabled"))
             // Of radio buttons the chosen one is in the order of tabs.
             .filter(e => e.type !== "radio" || e.checked)
             .map((e, index) => {e.dataset.index = index; return e.getAttribute("aria-label") ||
                e.labels?.[0]?.textContent.trim() || e.textContent.trim()})"""
    )
    assert all(wanted)
    reached = set()
    for _ in range(len(wanted) + 3):
        page.page.keyboard.press("Tab")
        reached.add(page.run("document.activeElement.dataset.index"))
    assert {str(index) for index in range(len(wanted))} <= reached


def test_arrow_keys_move_the_cursor_and_enter_pins(page):
    page.open(first=BIG)
    page.page.focus("#figure")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight"):
        page.page.keyboard.press(key)
    assert "row 2 stage1.block1.relu" in page.text("#readout")
    assert "column 1 stage1.block1.bn" in page.text("#readout")
    page.page.keyboard.press("Enter")
    assert page.state()["pin"] == "2"
    page.page.keyboard.press("Escape")
    assert "pin" not in page.state()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_it_fits_the_window_and_its_scheme(browser, path, width, scheme):
    page = Page(browser, path, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.open(first=BIG, second=SMALL, view="side")
    assert page.run("document.documentElement.scrollWidth") == width
    tops = page.run("places.panels.map(({top}) => top)")
    assert (tops[0] == tops[1]) == (width == 1280)
    paper = page.run('document.getElementById("figure").layout.paper_bgcolor')
    assert paper == {"light": "#ffffff", "dark": "#17171b"}[scheme]
    assert page.said == []
    page.context.close()


def test_four_seeds_of_networks_with_long_names_are_seen_without_scrolling(browser, tmp_path):
    name = "ResNet-110 10x, 25% of data"
    long = network(BIG, name, 0.98) | {"model": "long", "configuration": name}
    seeds = [long | {"seed": seed, "label": f"long/seed{seed}"} for seed in range(1, 5)]
    page = Page(browser, written(tmp_path, study() | {"networks": [*study()["networks"], *seeds]}))
    width, seen = page.run("(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])($('networks').parentElement)")
    assert width == seen
    page.context.close()


def test_what_is_left_out_is_said(browser, tmp_path):
    page = Page(browser, written(tmp_path, study() | {"left_out": contents.left_out(3, 9, 1, 1)}))
    assert "holds 3 of 9 networks" in page.text("#left-out")
    page.context.close()
