"""What the explorer's page draws and says of it, in a real browser: nothing that is not so."""

import pytest
from explorer_pages import BIG, OTHER, SMALL, Page, network, study, written


def test_the_accuracies_of_all_panels_have_one_axis(shared):
    shared.show(first=BIG, second=SMALL, view="side")
    left, right = shared.run("['yaxis4', 'yaxis8'].map(name => document.getElementById('figure').layout[name])")
    assert left["range"] == right["range"]
    assert left["ticktext"] == ["0.2", "0.55", "0.9"]
    assert left["range"][0] < 0.2
    assert left["range"][1] > 0.9


def test_the_error_is_rounded_up(shared):
    errors = {0: "0", 7.2e-6: "8e-6", 8e-6: "8e-6", 9.01e-6: "1e-5", 0.1: "1e-1"}
    assert [shared.run("roundedUp(" + str(error) + ")") for error in errors] == list(errors.values())
    shared.show(first=BIG)
    assert "wrong by 2e-5 at most" in shared.text("#notes")  # 1e-5 and what writing adds


def test_with_and_without_first_components_side_by_side(shared):
    shared.show(first=BIG, without="both")
    assert shared.run("shown.map(({without}) => without)") == [False, True]
    assert shared.run("shown[1].values[2][3]") == pytest.approx(shared.run("shown[0].values[2][3]") / 2, abs=1e-4)
    shared.show(first=BIG, second=SMALL, view="side", without="both")
    assert shared.run("new Set(places.panels.map(({top}) => top)).size") == 2  # two by two
    assert shared.run("shown.map(({first}) => first.label)") == [BIG, BIG, SMALL, SMALL]


def test_accuracies_stand_at_the_nearest_shown_layer_of_their_block_or_are_counted(shared):
    shared.show(first=BIG, kinds="conv,bn")
    after = next(trace for trace in shared.traces("scatter") if "after" in (trace["name"] or ""))
    assert after["x"] == [1, 3, None, 5]  # of conv, bn in three blocks the second
    assert "nearest shown layer of their residual block" in shared.text("#notes")
    assert shared.run("nearestInBlock(layersOf(networkOf.get(state.first)), 11, [0, 3])") is None
    shared.run("shown[0].hidden = 3; describe()")
    assert "3 accuracies are not drawn" in shared.text("#notes")


def test_the_whole_strip_tells_all_curves(shared):
    shared.show(first=BIG, pin="8")
    # Far from every curve, at layer 7.
    x, _ = shared.point(0, 7)
    y = shared.run("$('drawing').getBoundingClientRect().top + places.panels[0].strips[1] + 3")
    shared.page.mouse.move(x, y)
    lines = shared.text("#tip").split("\n")
    assert lines[0].startswith("7 stage1.block2.add")
    assert lines[1].startswith("CKA 0.80")
    assert lines[1].endswith("with stage2.block1.conv")
    assert lines[2:] == ["first component 50.0 %", "probe after the addition 70.0 %, without the block 40.0 %"]


def test_borders_of_stages_are_seen_on_any_colour(shared):
    shared.show(first=BIG)
    lines = shared.run("""document.getElementById("figure").layout.shapes
        .filter(({type, yref}) => type === "line" && yref === "y").map(({line}) => line.color)""")
    assert sorted(lines) == ["#000"] * 2 + ["#fff"] * 2


def test_a_network_without_layers_of_the_chosen_kinds_says_so(browser, tmp_path):
    content = study()
    content["architectures"]["small"]["kinds"] = ["conv", "bn", "relu", "conv"] * 2
    page = Page(browser, written(tmp_path, content))
    page.show(first=SMALL, kinds="add")
    assert page.text("#no-layers").startswith("Small, seed 1 has no layer of the kinds chosen (add).")
    assert not page.page.is_visible("#figure")
    page.run("onKey({key: 'ArrowUp', preventDefault() {}})")
    page.page.mouse.move(700, 400)
    page.page.click("#all-kinds")
    assert page.state() == {"first": SMALL}
    assert len(page.traces("heatmap")[0]["z"]) == 8
    assert page.page.is_visible("#figure")
    assert not page.page.is_visible("#no-layers")
    assert page.said == []
    page.context.close()


def test_a_drawing_that_fails_is_told_and_the_next_one_works(shared):
    shared.show(first=BIG)
    shared.run("window.kept = drawingOf; drawingOf = () => {throw new Error('too much')}; change({map: 'viridis'})")
    assert shared.text("#trouble").startswith("This view could not be drawn (too much); choose another one")
    shared.run("drawingOf = kept; change({map: 'cividis'})")
    shared.run("drawn")
    assert not shared.page.is_visible("#trouble")
    assert shared.run("document.getElementById('figure').data[0].colorscale[0][1]") == "#00224e"


def test_any_width_of_the_window_draws(shared):
    shared.show(first=BIG)
    for width in (60, 1280):
        shared.page.set_viewport_size({"width": width, "height": 900})
        shared.wait("places.width === Math.max($('view').clientWidth, 212)")
    assert shared.run("placesOf(shown, 10, 10).panels[0].size") >= 100


def test_a_page_that_is_hidden_at_first_draws_when_it_is_seen(browser, path, tmp_path):
    frame = tmp_path / "frame.html"
    frame.write_text(f'<iframe src="{path.as_uri()}" style="display: none; width: 1000px; height: 700px"></iframe>')
    context = browser.new_context()
    page, said = context.new_page(), []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(frame.as_uri())
    inside = page.frames[1]
    inside.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("document.querySelector('iframe').style.display = 'block'")
    inside.wait_for_selector("#figure .main-svg")
    assert said == []
    context.close()


def test_heatmap_and_curves_are_seen_at_once(browser, tmp_path):
    # Of many networks the last.
    one = network(OTHER, "Big", 0.8)
    many = [one | {"model": f"m{size}", "label": f"m{size}/seed1"} for size in range(2, 40)]
    content = study()
    content["architectures"] |= {f"m{size}": content["architectures"]["big"] for size in range(2, 40)}
    page = Page(
        browser,
        written(tmp_path, content | {"networks": [*content["networks"], *many]}),
        viewport={"width": 1280, "height": 800},
    )
    top, strips = page.run("[places.panels[0].top, places.panels[0].strips]")
    readout = page.run("$('readout').offsetHeight")
    assert strips[-1] + page.run("SPACE.strip + SPACE.axis") - (top - 48) + readout <= 800
    page.run("change({first: 'm39/seed1'})")
    page.run("drawn")
    button, table = page.run("""[$("networks").querySelector('[data-role="first"]'), $("networks").parentElement]
        .map(element => element.getBoundingClientRect()).map(({top, bottom}) => [top, bottom])""")
    assert table[0] <= button[0]
    assert button[1] <= table[1]
    assert page.run("scrollY") == 0
    page.context.close()
