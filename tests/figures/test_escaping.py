"""Strings of a config or of a data set are text wherever they appear: no HTML, no markup, no formulas."""

import copy
import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import decide_findings
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import small_provenance
import yaml
from docutils.core import publish_parts
from jinja2 import Environment

from widedeep.figures import predictions
from widedeep.runtime.errors import UserError
from widedeep.study import checks

SCRIPT = "<script>alert(1)</script>"
MARKUP = f"""'" | {SCRIPT} `x <javascript:alert(1)>`_ {{{{ 7 * 7 }}}} ${{x}}"""


OWN = {
    **yaml.safe_load(Path("config/demo.yaml").read_text()),
    "dataset": {"name": "own", "source": "folder", "folder": "images", "image_size": 8},
}
CIFAR = {
    "study": "s",
    "dataset": {"name": "cifar10", "source": "official", "archive": "a.tar.gz"},
    "grid": [{"family": "resnet", "depths": [8], "widths": [1], "seeds": [1]}],
    "training": {"schedule": "epoch"},
}
MIRRORS = {**CIFAR, "dataset": {"name": "cifar10", "mirrors": ["https://a"]}}
CONFIGS = [*(yaml.safe_load(path.read_text()) for path in sorted(Path("config").glob("*.yaml"))), OWN, CIFAR, MIRRORS]


def strings(value, path=()):
    """Paths of all strings in a config."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key, inside in value.items() if isinstance(value, dict) else enumerate(value):
            yield from strings(inside, (*path, key))


def with_value(content, path, value):
    changed = copy.deepcopy(content)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def report_of(checked):
    """The text that opens the report, made as Snakemake makes it."""
    template = Path("workflow/report/study.rst").read_text()
    text = (
        Environment().from_string(template).render(snakemake=SimpleNamespace(config=checked), categories={}, files=[])
    )
    return publish_parts(text, writer="html")["html_body"]


def test_every_string_of_a_config_is_refused_or_escaped_in_the_report():
    """Refused in one sentence, which is for a terminal."""
    taken, tried, sentences = set(), set(), []
    for content, value in itertools.product(CONFIGS, (SCRIPT, MARKUP, f"https://{SCRIPT}", f"{SCRIPT}\n\n{SCRIPT}")):
        content = checks.checked(content).dump()
        for path in strings(content):
            name = ".".join(str(key) for key in path if isinstance(key, str))
            tried.add(name)
            try:
                checked = checks.checked(with_value(content, path, value)).dump()
            except UserError as error:
                sentences.append(str(error))
                continue
            taken.add(name)
            page = report_of(checked)
            assert "<script" not in page
            assert 'href="javascript' not in page
            assert value is not MARKUP or "{{ 7 * 7 }}" in re.sub("<[^>]*>", "", page)
    assert not [sentence for sentence in sentences if "\n" in sentence]
    assert taken == {"dataset.archive", "dataset.folder", "dataset.mirrors", "figures.colour_map"}
    assert {"study", "dataset.name", "dataset.source", "grid.family", "figures.fig1.family"} <= tried


@pytest.mark.parametrize("name", [SCRIPT, "$", "$x_{$", r"\$a$", "a$b$c", "%s {x} \\n"])
def test_names_of_classes_are_drawn_as_they_are(name, tmp_path):
    table = pd.DataFrame({"class": [name], "difference": [0.1], "low": [0.0], "high": [0.2], "q": [0.01]})
    figure = predictions.draw_classes(table, "wide", "deep")
    figure.savefig(tmp_path / "x.png")
    (label,) = figure.axes[0].get_yticklabels()
    assert label._preprocess_math(label.get_text()) == (name, False)
    below = plt.figure()
    predictions._draw_pictures(below, [(f"{name}\nwide 10%", np.zeros((1, 8, 8), np.uint8))])
    below.savefig(tmp_path / "y.png")
    plt.close("all")


def test_the_page_of_provenance_escapes_what_it_tells(tmp_path):
    changes = {"host": SCRIPT, "commit": SCRIPT, "device": SCRIPT}
    folder = Path(small_provenance.network(tmp_path / "one", 1, **changes))
    text = (folder / "provenance.json").read_text()
    assert '"sum"' in text
    (folder / "provenance.json").write_text(text.replace('"sum"', f'"{SCRIPT}"'))
    _, page = small_provenance.tabulate(tmp_path, str(folder))
    assert page.count("&lt;script&gt;") >= 4
    assert "<script" not in page


def test_the_page_of_findings_escapes_what_it_tells():
    found = pd.DataFrame({"id": ["an_id"], "claim": [SCRIPT], "verdict": [MARKUP]})
    page = decide_findings.text_of(found, pd.DataFrame({"configuration": [SCRIPT]}), "html")
    assert page.count("&lt;script&gt;") == 3
    assert "<script" not in page
