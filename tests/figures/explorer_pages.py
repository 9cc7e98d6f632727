"""A small study as the explorer's page holds it, and that page in a real browser; conftest.py makes fixtures of it."""

import shutil
from importlib import resources
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest

from widedeep.figures.explorer import contents, networks, views
from widedeep.figures.explorer import page as packing

CHROMIUM = shutil.which("chromium")

HOSTILE = "<img src=x onerror=alert(1)></script><b>"
# With a block structure, without one, and with too few residual blocks for one.
BIG, OTHER, SMALL = "big/seed1", "big/seed2", "small/seed1"
CONSTANT = 4  # a layer of BIG without variance


def similarity(rows, columns, seed):
    """Like CKA: near 1 where layers are near."""
    places = np.linspace(0, 1, rows)[:, None] - np.linspace(0, 1, columns)
    matrix = np.exp(-3 * abs(places)) + np.random.default_rng(seed).uniform(0, 0.05, (rows, columns))
    return np.minimum((matrix + matrix.T) / 2 if rows == columns else matrix, 1)


VALUES = {label: similarity(layers, layers, layers) for label, layers in ((BIG, 12), (OTHER, 12), (SMALL, 8))}
# The ranges that are most like a block structure: far more alike than layers across their edges, and hardly more.
BLOCKS = {BIG: (2, 10), OTHER: (3, 11)}
for (start, stop), label, level in zip(BLOCKS.values(), BLOCKS, (0.8, 0.6), strict=True):
    VALUES[label][start:stop, start:stop] = level
    np.fill_diagonal(VALUES[label], 1)
VALUES[BIG][CONSTANT] = VALUES[BIG][:, CONSTANT] = np.nan
BETWEEN = similarity(12, 8, 0)
BETWEEN_SEEDS = similarity(12, 13, 1)[:, 1:]


def architecture(layers):
    kinds = ["conv", "bn", "relu", "add"] * (layers // 4)
    stages, blocks = [1 + index // 8 for index in range(layers)], [1 + index // 4 % 2 for index in range(layers)]
    names = [f"stage{stage}.block{block}.{kind}" for stage, block, kind in zip(stages, blocks, kinds, strict=True)]
    shapes = [f"{index + 1} x 8 x 8" for index in range(layers)]
    return {"names": names, "kinds": kinds, "stages": stages, "blocks": blocks, "shapes": shapes}


def network(label, name, accuracy, **keys):
    values = VALUES[label]
    model, seed = label.split("/seed")
    own = {"probes": [], "deletion": [], "undefined": [], "share": [0.5] * len(values)}
    names = {"label": label, "model": model, "seed": int(seed), "name": name, "configuration": name.split(",")[0]}
    size = {"family": "resnet", "depth": len(values), "width": 1, "fraction": 1}
    packed = {"cka": packing.packed(values), "deflated": packing.packed(values / 2)}
    block = {"block": networks.block_of(comparison(label))}
    return {**names, **size, **own, **packed, **block, "test_accuracy": accuracy} | keys


def comparison(label):
    """A network's CKA with itself, as in its file."""
    layers = architecture(len(VALUES[label]))
    side = SimpleNamespace(stages=layers["stages"], blocks=layers["blocks"])
    return SimpleNamespace(cka=VALUES[label], deflated=VALUES[label] / 2, first=side)


def study():
    reasons = ["constant" if layer == CONSTANT else "" for layer in range(12)]
    # In no order of layers, as in the files.
    probes = [[1, "before", 0.5], [11, "after", 0.8], [3, "after", 0.6], [7, "after", 0.7]]
    deletion = [[11, "alone", 0.85], [3, "alone", 0.3], [7, "alone", 0.4], [3, "from the end", 0.2]]
    measured = {"probes": probes, "deletion": deletion}
    records = [
        network(BIG, "Big, seed 1", 0.9, undefined=reasons, **measured),
        network(OTHER, "Big, seed 2", 0.8),
        network(SMALL, "Small, seed 1", 0.7),
    ]
    big = architecture(12)
    big["names"][5] = HOSTILE
    pairs = [
        {"first": BIG, "second": label, "cka": packing.packed(values), "deflated": packing.packed(values / 2)}
        for label, values in ((SMALL, BETWEEN), (OTHER, BETWEEN_SEEDS))
    ]
    finding = {
        "id": "own-block",
        "result": "fig5",
        "claim": f"Claim {HOSTILE}",
        "number": "",
        "interval": "0.10 to 0.30, threshold above 0.20",
        "smallest_effect": "0.41",
        "verdict": "reproduced",
        "why": HOSTILE,
    }
    return {
        "study": HOSTILE,
        "least_contrast": 0.06,
        "sensitivity": [0.04, 0.06, 0.08, 0.1],
        "colour_maps": contents.colour_maps(),
        "architectures": {"big": big, "small": architecture(8)},
        "networks": records,
        "pairs": pairs,
        "error": 1e-5,
        "findings": [finding | {"view": {"first": BIG, "second": SMALL, "view": "pair"}}],
        "examples": views.examples_of(records),
        "left_out": "",
    }


def written(folder, content):
    """Path of the page of a study."""
    library = (resources.files("plotly") / "package_data/plotly.min.js").read_text()
    path = folder / "explorer.html"
    path.write_text(packing.page(content, library))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return written(tmp_path_factory.mktemp("explorer"), study())


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, which tests/requirements.txt has")
    if not CHROMIUM:
        pytest.skip("needs Chromium (Debian package chromium)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Page:
    """An explorer that is open; `said` is all that went wrong there, `asked` every address that it asked for."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(**{"offline": True, "viewport": {"width": 1280, "height": 900}, **options})
        self.page, self.address = self.context.new_page(), path.as_uri()
        self.page.set_default_timeout(60000)
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.open()

    def open(self, **state):
        self.page.goto("about:blank")
        self.page.goto(self.address + "#" + "&".join(f"{key}={quote(value)}" for key, value in state.items()))
        self.page.wait_for_selector("html[data-ready]")

    def show(self, **state):
        """Show a state on the page that is open, as a link to it does."""
        self.run(
            "fragment => {location.hash = fragment}", "&".join(f"{key}={quote(value)}" for key, value in state.items())
        )
        self.wait("addressOf(state) === addressOf(stateIn(location.hash)) && shownState === state")
        self.run("drawn")

    def wait(self, script):
        """Wait until an expression holds; the page's policy forbids what Playwright does for that."""
        for _ in range(2400):
            if self.run(script):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never: {script}")

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


@pytest.fixture(scope="module")
def page_of_module(browser, path):
    opened = Page(browser, path)
    yield opened
    opened.context.close()


@pytest.fixture
def shared(page_of_module):
    """One page for all tests of a file that are not about opening one; each shows the state that it is about."""
    yield page_of_module
    page_of_module.page.mouse.move(0, 0)
    said, page_of_module.said[:] = page_of_module.said[:], []
    assert said == []


@pytest.fixture
def page(browser, path):
    opened = Page(browser, path)
    yield opened
    assert opened.said == []
    assert {address.split("#")[0] for address in opened.asked} <= {opened.address, "about:blank"} | {
        address for address in opened.asked if address.startswith(("data:", "blob:"))
    }
    opened.context.close()
