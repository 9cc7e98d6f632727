"""The report in a real browser."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromedriver") and shutil.which("chromium")),
    reason="needs Chromium and its driver (Debian packages chromium and chromium-driver)",
)


class Browser:
    """The few words of the WebDriver protocol that the tests need."""

    def __init__(self, address, profile):
        self.address = address
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        arguments += ["--disable-sync", f"--user-data-dir={profile}", "--window-size=1280,900"]
        options = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self.ask("/session", {"capabilities": {"alwaysMatch": options}})["sessionId"]

    def ask(self, path, body=None, method=None):
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            self.address + path, content, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["value"]

    def open(self, url):
        self.ask(f"/session/{self.session}/url", {"url": url})

    def run(self, script, *arguments):
        return self.ask(f"/session/{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script, *arguments):
        deadline = time.monotonic() + 20
        while not (value := self.run(script, *arguments)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert value, script
        return value

    def click(self, text):
        """Click what shows exactly this text."""
        self.wait_for(
            """const shown = [...document.querySelectorAll('a, button, td, span, li')]
                 .filter(e => e.innerText && e.innerText.trim() === arguments[0]);
               if (!shown.length) return false;
               shown[shown.length - 1].click();
               return true;""",
            text,
        )

    def errors(self):
        log = self.ask(f"/session/{self.session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    opened = None
    try:
        # The first port it names is the 0 of its command line.
        port = next(match[1] for line in process.stdout if (match := re.search(r"successfully on port (\d+)", line)))
        opened = Browser(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("profile"))
        yield opened
    finally:
        if opened:
            with contextlib.suppress(OSError):
                opened.ask(f"/session/{opened.session}", method="DELETE")
        process.terminate()
        process.wait()


@pytest.fixture
def report(finished, browser):
    """The browser, which shows the first page of a finished study's report."""
    browser.open((finished.results / "report.html").as_uri())
    browser.wait_for("return document.body.innerText.includes('A reproduction of Nguyen')")
    return browser


def test_the_report_shows_every_figure_with_its_caption(report):
    text = report.run("return document.body.innerText")
    assert "tiny on digits" in text
    assert "System Message" not in text  # what docutils writes where a caption is malformed
    assert '"depths": [8, 14]' in text  # the config
    for category in ("Findings", "Similarity within a network", "Similarity between networks", "Networks"):
        assert category in text
    assert not report.errors()


def test_the_first_page_can_be_read_from_its_title_to_the_last_line_of_the_config(report):
    report.wait_for("return document.querySelector('.prose pre') && document.querySelector('.vega-embed svg')")
    height, window, top, bottom, line, width = report.run(
        """const edges = selector => document.querySelector('.prose ' + selector).getBoundingClientRect();
           const page = document.querySelector('.grow.h-screen'), config = document.querySelector('.prose pre');
           const top = edges('h1').top;
           page.scrollTo(0, page.scrollHeight);
           return [page.scrollHeight, page.clientHeight, top, edges('pre').bottom,
                   config.scrollWidth, config.clientWidth];"""
    )
    assert height > window
    assert top >= 0
    assert bottom <= window
    assert line <= width


@pytest.mark.parametrize(
    ("category", "figure", "caption"),
    [
        ("Similarity within a network", "fig1", "Upper row: increasing depth"),
        ("Similarity within a network", "fig1-seeds", "for every seed"),
        ("First principal components", "fig3", "A row a network"),
        ("Networks", "B", "accuracy in percent by depth"),
        ("Similarity between networks", "fig5", "on the diagonal two seeds"),
        ("Similarity between networks", "F", "averaged over the first 20 pairs"),
    ],
)
def test_a_figure_is_the_file_of_the_study(finished, report, category, figure, caption):
    report.click(category)
    report.wait_for("return document.body.innerText.includes(arguments[0])", f"{figure}: ")
    embedded = report.run("return Object.entries(results).map(([path, result]) => [path, result.data_uri])")
    (uri,) = [uri for path, uri in embedded if path.endswith(f"figures/{figure}.png")]
    assert base64.b64decode(uri.split(",", 1)[1]) == (finished.results / f"figures/{figure}.png").read_bytes()
    captions = report.run("return Object.entries(results).map(([path, result]) => [path, result.caption])")
    assert any(caption in text for path, text in captions if path.endswith(f"{figure}.png"))
    assert not report.errors()


def test_the_report_is_linked_to_the_explorer_beside_it(finished, report):
    address = report.run("return [...document.querySelectorAll('a')].find(a => a.innerText === 'explorer').href")
    assert address == (finished.results / "explorer.html").as_uri()
    report.open(address)
    report.wait_for("return document.documentElement.dataset.ready === 'yes'")
    names = report.run("return [...document.querySelectorAll('[data-network]')].map(button => button.ariaLabel)")
    assert len(names) == 6
    assert "ResNet-14 1x, seed 1, test accuracy" in names[0] + names[1] + names[2]
    assert report.run("return study.pairs.length") == 6
    assert report.run("return study.architectures['digits-resnet14-w1-f100'].shapes[0]") == "16 x 8 x 8"
    assert not report.errors()
