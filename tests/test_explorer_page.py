"""The explorer's page in a real browser, from disk: what a reader does there."""

import io
import json
import shutil
from importlib import resources
from urllib.parse import quote

import make_explorer
import numpy as np
import pytest
from PIL import Image

from widedeep import blocks, explorer

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, which requirements.txt has")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian package chromium)")

HOSTILE = "<img src=x onerror=alert(1)></script><b>"
BIG, OTHER, SMALL = "big/seed1", "big/seed2", "small/seed1"
CONSTANT = 4  # a layer of BIG without variance


def similarity(rows, columns, seed):
    """Like CKA: near 1 where layers are near, with a block of layers that are alike."""
    places = np.linspace(0, 1, rows)[:, None] - np.linspace(0, 1, columns)
    matrix = np.exp(-3 * abs(places)) + np.random.default_rng(seed).uniform(0, 0.05, (rows, columns))
    return np.minimum((matrix + matrix.T) / 2 if rows == columns else matrix, 1)


VALUES = {label: similarity(layers, layers, layers) for label, layers in ((BIG, 12), (OTHER, 12), (SMALL, 8))}
VALUES[BIG][6:10, 6:10] = 0.95
np.fill_diagonal(VALUES[BIG], 1)
VALUES[BIG][CONSTANT] = VALUES[BIG][:, CONSTANT] = np.nan
BETWEEN = similarity(12, 8, 0)


def architecture(layers):
    kinds = ["conv", "bn", "relu", "add"] * (layers // 4)
    names = [f"stage{1 + index // 4}.{kind}" for index, kind in enumerate(kinds)]
    stages, shapes = [1 + index // 4 for index in range(layers)], [f"{index + 1} x 8 x 8" for index in range(layers)]
    return {"names": names, "kinds": kinds, "stages": stages, "shapes": shapes}


def network(label, name, accuracy, share_in_block=0.0, **keys):
    values = VALUES[label]
    model, seed = label.split("/seed")
    own = {"probes": [], "deletion": [], "undefined": [], "share": [0.5] * len(values), "in_block": [0] * len(values)}
    names = {"label": label, "model": model, "seed": int(seed), "name": name, "configuration": name.split(",")[0]}
    size = {"family": "resnet", "depth": len(values), "width": 1, "fraction": 1}
    packed = {"cka": explorer.packed(values), "deflated": explorer.packed(values / 2)}
    return {**names, **size, **own, **packed, "test_accuracy": accuracy, "share_in_block": share_in_block} | keys


def study():
    reasons = ["constant" if layer == CONSTANT else "" for layer in range(12)]
    block = {"in_block": [0] * 6 + [1] * 4 + [0] * 2, "share_in_block": 4 / 12, "undefined": reasons}
    measured = {"probes": [[1, "before", 0.5], [3, "after", 0.6], [7, "after", 0.7]], "deletion": [[7, "alone", 0.4]]}
    networks = [
        network(BIG, "Big, seed 1", 0.9, **block, **measured),
        network(OTHER, "Big, seed 2", 0.8),
        network(SMALL, "Small, seed 1", 0.7),
    ]
    big = architecture(12)
    big["names"][5] = HOSTILE
    pair = {"first": BIG, "second": SMALL, "cka": explorer.packed(BETWEEN), "deflated": explorer.packed(BETWEEN / 2)}
    finding = {"result": "fig5", "claim": f"Claim {HOSTILE}", "number": "", "verdict": "reproduced", "why": HOSTILE}
    return {
        "study": HOSTILE,
        "dataset": "none",
        "has_block": 0.04,
        "colour_maps": make_explorer.colour_maps(),
        "architectures": {"big": big, "small": architecture(8)},
        "networks": networks,
        "pairs": [pair],
        "error": 1e-5,
        "findings": [finding | {"view": {"first": BIG, "second": SMALL, "view": "pair"}}],
        "examples": make_explorer.examples_of(networks, 0.04),
        "left_out": "",
    }


def written(folder, content):
    """Path of the page of a study."""
    library = (resources.files("plotly") / "package_data/plotly.min.js").read_text()
    path = folder / "explorer.html"
    path.write_text(explorer.page(content, library))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return written(tmp_path_factory.mktemp("explorer"), study())


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Page:
    """An explorer that is open; `said` is all that went wrong there, `asked` every address that it asked for."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(**{"offline": True, "viewport": {"width": 1280, "height": 900}, **options})
        self.page, self.address = self.context.new_page(), path.as_uri()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.open()

    def open(self, **state):
        self.page.goto("about:blank")
        self.page.goto(self.address + "#" + "&".join(f"{key}={quote(value)}" for key, value in state.items()))
        self.page.wait_for_selector("html[data-ready]")

    def run(self, script, *arguments):
        return self.page.evaluate(script, *arguments)

    def state(self):
        self.run("drawn")
        return self.run("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")

    def text(self, selector):
        self.run("drawn")
        return self.page.inner_text(selector)

    def traces(self, kind):
        self.run("drawn")
        return self.run(
            """kind => document.getElementById("figure").data.filter(trace => trace.type === kind && !trace.fill)
                 .map(({name, x, y, z}) => ({name, x, y: y && [...y], z}))""",
            kind,
        )

    def point(self, row, column, panel=0):
        """Where the cell of a row and column is in the window."""
        return self.run(
            """([row, column, panel]) => {
                 const {left, top, size} = places.panels[panel], {rows, columns} = shown[panel];
                 const drawing = document.getElementById("drawing").getBoundingClientRect();
                 return [drawing.left + left + (column + 0.5) / columns.length * size,
                         drawing.top + top + size - (row + 0.5) / rows.length * size];
               }""",
            [row, column, panel],
        )

    def hover(self, *place):
        # Twice, since the library takes no notice of a pointer that it has not seen move.
        x, y = self.point(*place)
        self.page.mouse.move(x - 2, y)
        self.page.mouse.move(x, y)
        self.page.wait_for_selector("#tip", state="visible")
        return self.text("#tip").split("\n")

    def downloaded(self, form):
        with self.page.expect_download() as download:
            self.page.click(f'[data-export="{form}"]')
        with open(download.value.path(), "rb") as file:
            return download.value.suggested_filename, file.read()


@pytest.fixture
def page(browser, path):
    opened = Page(browser, path)
    yield opened
    assert opened.said == []
    assert {address.split("#")[0] for address in opened.asked} <= {opened.address, "about:blank"} | {
        address for address in opened.asked if address.startswith(("data:", "blob:"))
    }
    opened.context.close()


def test_the_first_screen_tells_what_a_block_structure_is_and_shows_the_largest(page):
    assert "A block structure is a bright square that spans many layers" in page.text("#welcome")
    assert page.run("state.first") == BIG
    assert len(page.traces("heatmap")) == 2  # with the undefined values
    page.page.click("text=a network without (Big, seed 2)")
    assert page.state() == {"first": OTHER, "pin": "6"}
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], VALUES[OTHER], atol=1e-5)


def test_a_click_chooses_networks_and_the_page_shows_their_pair_or_both(page):
    page.page.click(f'[data-network="{SMALL}"]')
    assert page.state() == {"first": SMALL}
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], VALUES[SMALL], atol=1e-5)
    page.page.check('[name="role"][value="second"]')
    page.page.click(f'[data-network="{BIG}"]')
    assert page.state() == {"first": SMALL, "second": BIG}
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], BETWEEN.T, atol=1e-5)
    page.page.check('[name="view"][value="side"]')
    assert len(page.traces("heatmap")) == 3
    page.page.click(f'[data-network="{OTHER}"]')
    page.page.check('[name="view"][value="pair"]')
    page.run("drawn")
    assert page.page.is_visible("#no-pair")
    page.page.click("#only-one")
    assert page.state() == {"first": SMALL}
    assert not page.page.is_visible("#no-pair")


def test_hovering_tells_both_layers_and_the_value(page):
    row, column, value = page.hover(2, 9)
    assert row == "row 2 stage1.relu (relu, 3 x 8 x 8)"
    assert column == "column 9 stage3.bn (bn, 10 x 8 x 8)"
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
    row, share, after, before, alone, whole = page.traces("scatter")
    np.testing.assert_allclose(np.array(row["y"], float), VALUES[BIG][8], atol=1e-5)
    assert row["x"] == [*range(12)]
    assert share["y"] == [0.5] * 12
    assert (after["x"], after["y"]) == ([3, 7], [0.6, 0.7])
    assert (before["x"], alone["x"], whole["y"]) == ([1], [7], [0.9, 0.9])
    page.page.select_option("#pin", "")
    assert len(page.traces("scatter")) == 5


def test_two_networks_have_one_cursor_at_equal_depth(page):
    page.open(first=BIG, second=SMALL, view="side")
    page.hover(11, 11)
    assert len(page.page.query_selector_all(".cursor")) == 6
    assert "row 7 stage2.add" in page.text("#readout")
    page.hover(0, 7, 1)
    assert "column 11 stage3.add" in page.text("#readout")


def test_without_first_components(page):
    page.page.check("#without")
    assert page.state()["without"] == "1"
    np.testing.assert_allclose(np.array(page.traces("heatmap")[0]["z"], float), VALUES[BIG] / 2, atol=1e-5)


def test_a_filter_shows_some_kinds_of_layers(page):
    for kind in ("conv", "bn", "relu"):
        page.page.uncheck(f'#kinds [value="{kind}"]')
    assert page.state()["kinds"] == "add"
    np.testing.assert_allclose(page.traces("heatmap")[0]["z"], VALUES[BIG][3::4, 3::4], atol=1e-5)
    assert next(trace for trace in page.traces("scatter") if "after" in (trace["name"] or ""))["x"] == [0, 1]
    page.page.click('#kinds [value="add"]')  # the last one: all come back
    assert "kinds" not in page.state()


def test_the_slider_outlines_the_block_of_the_block_size_rule(page):
    for threshold in (0.55, 0.7, 0.8, 0.94, 0.96):
        page.run(
            """value => {const slider = document.getElementById("threshold");
                 slider.value = value; slider.dispatchEvent(new Event("input"))}""",
            threshold,
        )
        assert page.state()["threshold"] == str(threshold)
        size = blocks.block_size(VALUES[BIG], threshold)
        assert (f"{size} of 12 layers" if size > 1 else "no two layers") in page.text("#block")
        outlines = page.run(
            """document.getElementById("figure").layout.shapes
                 .filter(({type, yref}) => type === "rect" && yref === "y")
                 .map(({x0, x1, y0, y1}) => [x1 - x0, y1 - y0])"""
        )
        assert outlines == ([[size, size]] * 2 if size > 1 else [])  # two lines, one around the other


def test_the_page_has_the_same_rule_of_the_block_size(page):
    random = np.random.default_rng(0)
    for layers in [*range(1, 12), 40]:
        for hole in (False, True):
            # Two levels, so that ranges of several layers occur, and not symmetric.
            matrix = np.where(random.uniform(size=(layers, layers)) < 0.93, 1.0, 0.1)
            np.fill_diagonal(matrix, 1.0)
            if hole:
                matrix[:, layers // 2] = np.nan
            cells = json.loads(json.dumps(np.where(np.isnan(matrix), None, matrix).tolist()))
            found = page.run("matrix => blockRange(matrix.map(row => row.map(value => value ?? NaN)), 0.5)", cells)
            assert (found[1] - found[0] + 1 if found else 0) == blocks.block_size(matrix, 0.5)


def test_a_view_is_exported_as_csv_svg_and_png(page):
    page.open(first=BIG, second=SMALL)
    name, content = page.downloaded("csv")
    lines = content.decode().splitlines()
    assert name.endswith("big-seed1--small-seed1.csv")
    assert len(lines) == 1 + 12 * 8
    assert lines[0].startswith("network_row,network_column,layer_row,")
    assert lines[1].split(",")[:7] == [BIG, SMALL, "stage1.conv", "conv", "stage1.conv", "conv", f"{BETWEEN[0, 0]:.5f}"]
    name, content = page.downloaded("svg")
    assert content.decode().startswith("<svg")
    assert "Small, seed 1" in content.decode()
    _, content = page.downloaded("png")
    assert Image.open(io.BytesIO(content)).width == 2 * page.run("places.width")


def test_undefined_values_and_words_with_commas_in_csv(page):
    _, content = page.downloaded("csv")
    assert f"{BIG},{BIG},stage2.conv,conv,stage1.conv,conv,,no," in content.decode()
    assert page.run("""asCsv([['a,b', 'say "x"', null, 0]])""") == '"a,b","say ""x""",,0\n'


def test_the_address_holds_the_view(page):
    state = {"first": BIG, "second": SMALL, "view": "side", "without": "1", "kinds": "conv,add"}
    state |= {"threshold": "0.75", "pin": "3", "map": "viridis"}
    page.open(**state)
    assert page.state() == state
    before = page.run('JSON.stringify(document.getElementById("figure").data)')
    page.page.reload()
    page.page.wait_for_selector("html[data-ready]")
    assert page.run('JSON.stringify(document.getElementById("figure").data)') == before


def test_an_address_with_nonsense_shows_the_start(page):
    page.open(first="nobody", second="x", view="y", threshold="7", pin="99", kinds="zzz", map="jet", other="1")
    assert page.run("state") == page.run("({...initial})")


def test_a_finding_is_linked_to_its_view(page):
    page.page.click("text=show fig5")
    assert page.state() == {"first": BIG, "second": SMALL}
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
    assert "row 2 stage1.relu" in page.text("#readout")
    assert "column 1 stage1.bn" in page.text("#readout")
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
    long = network(OTHER, name, 0.98, share_in_block=0.3) | {"model": "long", "configuration": name}
    seeds = [long | {"seed": seed, "label": f"long/seed{seed}"} for seed in range(1, 5)]
    page = Page(browser, written(tmp_path, study() | {"networks": [*study()["networks"], *seeds]}))
    width, seen = page.run("(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])($('networks').parentElement)")
    assert width == seen
    page.context.close()


def test_what_is_left_out_is_said(browser, tmp_path):
    page = Page(browser, written(tmp_path, study() | {"left_out": make_explorer.left_out(3, 9, 1, 1)}))
    assert "holds 3 of 9 networks" in page.text("#left-out")
    page.context.close()
