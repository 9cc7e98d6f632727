"""Moving in the explorer's page, in a real browser: by mouse, finger and keys; pins and zoom, kept in the address."""

import numpy as np
from explorer_pages import BETWEEN, BIG, OTHER, SMALL, Page


def click(page, *place):
    x, y = page.point(*place)
    page.page.mouse.move(x - 2, y)
    page.page.mouse.click(x, y)
    page.run("drawn")


def keys(page, *names):
    page.page.focus("#figure")
    for name in names:
        page.page.keyboard.press(name)
    page.run("drawn")


def test_a_click_in_either_panel_pins_the_layer_that_is_clicked(shared):
    shared.show(first=SMALL, second=BIG, view="side")
    for layer in (4, 5, 6):
        click(shared, layer, 2, 1)
        assert shared.state()["pin"] == f"2:{layer}"
        assert shared.run("shown[1].pinned") == layer
        assert shared.page.input_value("#pin") == f"2:{layer}"
    assert shared.run("shown[0].pinned") == 4
    click(shared, 3, 1, 0)
    assert shared.state()["pin"] == "3"
    shared.page.select_option("#pin", "2:9")
    assert shared.run("drawn.then(() => shown[1].pinned)") == 9
    shared.page.click("#only-one")
    assert shared.state() == {"first": SMALL, "view": "side", "pin": "6"}


def test_after_a_click_the_cursor_and_its_words_stay(shared):
    shared.show(first=BIG)
    click(shared, 8, 3)
    assert shared.state()["pin"] == "8"
    assert "row 8 stage2.block1.conv" in shared.text("#tip")
    assert "row 8 stage2.block1.conv" in shared.text("#readout")
    assert shared.page.locator(".cursor").count() == 3
    shared.page.keyboard.press("Escape")
    assert not shared.page.is_visible("#tip")
    assert shared.state()["pin"] == "8"


def test_a_right_click_pins_nothing(shared):
    shared.show(first=BIG, pin="2")
    x, y = shared.point(8, 3)
    shared.page.mouse.move(x - 2, y)
    shared.page.mouse.click(x, y, button="right")
    shared.run("drawn")
    assert shared.state()["pin"] == "2"


def test_the_pinned_layer_is_named_as_it_is_drawn(shared):
    # The pair view draws the row of the first network at equal depth.
    shared.show(first=BIG, second=SMALL, pin="2:6")
    assert shared.run("shown[0].pinned") == 9
    assert "Pinned layer: stage2.block1.bn of Big, seed 1." in shared.page.get_attribute("#figure", "aria-label")
    assert "Pinned layer: stage2.block1.bn of Big, seed 1." in shared.run("captionOf()")
    shared.show(first=BIG, second=SMALL, view="side", pin="2:6")
    both = "stage2.block1.bn of Big, seed 1 and stage1.block2.relu of Small, seed 1"
    assert shared.run("pinInWords()") == both


def test_another_seed_keeps_the_pin_and_another_network_has_it_at_equal_depth(shared):
    shared.show(first=BIG, pin="9", x="2-9")
    shared.page.click(f'[data-network="{OTHER}"]')
    assert shared.state() == {"first": OTHER, "pin": "9", "x": "2-9"}
    shared.page.click(f'[data-network="{SMALL}"]')
    assert shared.state() == {"first": SMALL, "pin": "6", "x": "1-6"}


def drag(page, start, end):
    page.run("scrollTo(0, 0)")
    page.page.mouse.move(*page.point(*start))
    page.page.mouse.down()
    page.page.mouse.move(*page.point(*end), steps=5)
    page.page.mouse.up()
    page.wait("state.x")
    page.run("drawn")


RANGES = "['xaxis', 'yaxis'].map(name => document.getElementById('figure').layout[name].range)"


def test_zoom_is_in_whole_layers_and_lives_in_the_address(shared):
    shared.show(first=BIG)
    drag(shared, (6.3, 2.7), (3.7, 8.3))
    assert {key: shared.state()[key] for key in "xy"} == {"x": "3-8", "y": "4-6"}
    zoomed = [[2.5, 8.5], [3.5, 6.5]]
    assert shared.run(RANGES) == zoomed
    shared.run("change({pin: '5', map: 'viridis', without: '1'})")
    shared.run("drawn")
    assert shared.run(RANGES) == zoomed
    shared.page.set_viewport_size({"width": 1200, "height": 900})
    shared.wait("places.width === $('view').clientWidth")
    assert shared.run(RANGES) == zoomed
    _, content = shared.downloaded("cells")
    assert len(content.decode().splitlines()) == 1 + 6 * 3
    shared.run("scrollTo(0, 0)")
    x, y = shared.run(
        "(({left, top}) => [left + places.panels[0].left, top + places.panels[0].top])"
        "($('drawing').getBoundingClientRect())"
    )
    shared.page.mouse.dblclick(x + 30, y + 30)
    shared.wait("!state.x && !state.y && shownState === state")
    assert shared.state()["pin"] == "5"  # as before the double click
    shared.run("change({x: '3-8'})")
    shared.run("drawn")
    shared.page.click("#whole")
    assert shared.state() == {"first": BIG, "pin": "5", "map": "viridis", "without": "1"}
    assert not shared.page.is_visible("#whole")
    shared.show(first=SMALL, second=BIG, view="side", x="2:4-8")
    assert shared.run("['xaxis', 'xaxis2'].map(name => document.getElementById('figure').layout[name].range)") == [
        [2.5, 5.5],
        [3.5, 8.5],
    ]
    # Of a pair the second network's layers are across.
    shared.show(first=BIG, second=SMALL, x="2:2-5", y="1-3")
    assert shared.run(RANGES) == [[1.5, 5.5], [0.5, 3.5]]
    shared.page.set_viewport_size({"width": 1280, "height": 900})


def test_keys_reach_all_that_the_mouse_reaches(shared):
    shared.show(first=BIG, second=SMALL, view="side")
    keys(shared, "ArrowUp", "End", "PageUp")
    assert shared.run("cursor") == {"panel": 0, "row": 10, "column": 11}
    keys(shared, "Enter")
    assert shared.state()["pin"] == "10"
    assert shared.run("cursor") == {"panel": 0, "row": 10, "column": 11}
    assert "row 10 stage2.block1.relu" in shared.text("#readout")
    keys(shared, "Home", "PageDown", "ArrowDown")
    assert shared.run("cursor") == {"panel": 0, "row": None, "column": 0}
    assert "with stage2.block1.relu; first component 50.0 %" in shared.text("#readout")
    keys(shared, "ArrowUp", "p", "ArrowUp", "ArrowRight", "Enter")
    assert shared.run("cursor") == {"panel": 1, "row": 1, "column": 1}
    assert shared.state()["pin"] == "2:1"
    # What it reads is in sight.
    top, bottom = shared.run("(({top, bottom}) => [top, bottom])($('readout').getBoundingClientRect())")
    assert 0 <= top < bottom
    assert bottom <= shared.run("innerHeight")
    keys(shared, "Escape")
    assert "pin" not in shared.state()


def test_what_is_read_stays_in_sight_while_the_figure_scrolls(shared):
    shared.show(first=BIG)
    shared.page.set_viewport_size({"width": 1280, "height": 400})
    shared.wait("places.panels[0].size === SIZES.leastOfLow")
    shared.run("scrollTo(0, $('view').getBoundingClientRect().top + 200)")
    assert shared.run("$('readout').getBoundingClientRect().top") == 0
    shared.run("scrollTo(0, 0)")
    shared.page.set_viewport_size({"width": 1280, "height": 900})


def test_the_table_can_be_skipped(shared):
    shared.run("document.activeElement.blur()")
    shared.page.focus("#skip")
    shared.page.keyboard.press("Enter")
    assert shared.run("document.activeElement.id") == "figure"
    shared.run("scrollTo(0, 0)")


def test_one_live_region_speaks_at_a_step_of_the_slider(shared):
    shared.show(first=BIG, contrast="0.24")
    shared.run("""() => {
        window.spoken = [];
        for (const region of document.querySelectorAll("[aria-live], output, [role=alert]"))
          new MutationObserver(() => spoken.push(region.id))
            .observe(region, {childList: true, characterData: true, subtree: true});
      }""")
    shared.page.focus("#contrast")
    shared.page.keyboard.press("ArrowLeft")
    shared.page.keyboard.press("ArrowLeft")
    shared.run("drawn")
    assert set(shared.run("spoken")) == {"block"}


def test_the_figure_and_every_link_bear_names_of_their_own(shared):
    shared.show(first=BIG, pin="8")
    name = shared.page.get_attribute("#figure", "aria-label")
    assert "Big, seed 1" in name
    assert "Pinned layer: stage2.block1.conv" in name
    assert "block structure: layers 2 to 9" in name
    links = shared.run("[...document.links].map(link => link.ariaLabel || link.textContent)")
    assert len(set(links)) == len(links)
    assert shared.run("[...$('figure').children].every(part => part.ariaHidden === 'true')")


def test_a_tap_pins_and_reads(browser, path):
    page = Page(browser, path, viewport={"width": 375, "height": 800}, has_touch=True, is_mobile=True)
    page.open(first=BIG, second=SMALL)
    assert page.text("#readout").startswith("Tap the heatmap")
    page.run("$('view').scrollIntoView()")
    page.page.touchscreen.tap(*page.point(9, 2))
    page.wait("state.pin === '9'")
    page.run("drawn")
    assert f"CKA {BETWEEN[9, 2]:.4f}" in page.text("#readout")
    assert page.page.locator(".cursor").count() == 3
    assert page.said == []
    page.context.close()


def test_on_a_narrow_screen_findings_are_read_without_scrolling_aside(browser, path):
    page = Page(browser, path, viewport={"width": 375, "height": 800})
    right = page.run(
        "Math.max(...[...$('claims').querySelectorAll('td, a')].map(e => e.getBoundingClientRect().right))"
    )
    assert right <= 375
    page.context.close()


def test_with_forced_colours_chosen_networks_have_borders_of_their_own(browser, path):
    page = Page(browser, path, forced_colors="active")
    page.open(first=BIG, second=SMALL)
    of_button = "(({borderTopStyle: style, borderTopWidth: width}) => style + width)(getComputedStyle($('networks')"
    chosen = ["[data-role=first]", "[data-role=second]", "button:not([data-role])"]
    styles = [page.run(f"{of_button}.querySelector('{button}')))") for button in chosen]
    assert len(set(styles)) == 3
    page.context.close()


def test_values_of_a_pair_are_read_in_the_order_of_the_panels(shared):
    shared.show(first=BIG, second=SMALL)
    np.testing.assert_allclose(shared.traces("heatmap")[0]["z"], BETWEEN, atol=1e-5)
