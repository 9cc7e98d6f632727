"""What leaves the explorer's page, in a real browser: tables, pictures, paper; and a browser that is too old for it."""

import csv
import io
from xml.etree import ElementTree

import pytest
from explorer_pages import BETWEEN, BIG, BLOCKS, CONSTANT, HOSTILE, OTHER, SMALL, VALUES, architecture
from PIL import Image

from widedeep.analysis.block_structure import block_of_network


def table(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_table_of_cells_says_all_that_is_drawn(shared):
    shared.show(first=BIG, second=SMALL, pin="3", contrast="0.1")
    name, content = shared.downloaded("cells")
    assert name.endswith("--big-seed1--small-seed1--contrast0.1--pin3--cells.csv")
    rows = table(content)
    assert len(rows) == 12 * 8
    cell = next(row for row in rows if (row["layer_row"], row["layer_column"]) == ("3", "5"))
    assert {key: cell[key] for key in ("network_row", "name_row", "kind_row", "stage_row", "pinned_row")} == {
        "network_row": BIG,
        "name_row": "stage1.block1.add",
        "kind_row": "add",
        "stage_row": "1",
        "pinned_row": "yes",
    }
    assert float(cell["cka"]) == pytest.approx(BETWEEN[3, 5], abs=shared.run("Number(errorInWords())"))
    assert len(cell["cka"]) == 9
    assert (cell["contrast_threshold"], cell["without_first_component"]) == ("0.1", "no")
    assert {int(row["layer_row"]) for row in rows if row["in_block_structure_row"] == "yes"} == {*range(*BLOCKS[BIG])}
    # Of a network with too few residual blocks nothing is known.
    assert {row["in_block_structure_column"] for row in rows} == {""}
    shared.show(first=BIG, second=OTHER, contrast="0.1")
    rows = table(shared.downloaded("cells")[1])
    assert {row["in_block_structure_row"] for row in rows} == {"yes", "no"}
    assert {row["in_block_structure_column"] for row in rows} == {"no"}


def test_the_table_of_layers_has_every_curve(shared):
    shared.show(first=BIG, pin="8", without="1", kinds="bn,add")
    name, content = shared.downloaded("layers")
    assert name.endswith("--big-seed1--without1--kindsbn-add--pin8--layers.csv")
    rows = table(content)
    assert [row["layer"] for row in rows] == ["1", "3", "5", "7", "9", "11"]
    third = rows[3]
    assert third["name"] == "stage1.block2.add"
    assert float(third["cka_with_pinned"]) == pytest.approx(VALUES[BIG][8, 7] / 2, abs=1e-5)
    assert [third[key] for key in ("pinned_layer", "probe_after", "accuracy_without_block", "in_block_structure")] == [
        "stage2.block1.conv",
        "0.7",
        "0.4",
        "yes",
    ]
    assert [row["in_block_structure"] for row in rows] == ["no", *["yes"] * 4, "no"]
    contrast = block_of_network(VALUES[BIG], *(architecture(12)[key] for key in ("stages", "blocks"))).contrast
    assert {(row["contrast_threshold"], row["contrast"]) for row in rows} == {("0.06", f"{contrast - 0.0005:.3f}")}
    assert (rows[1]["accuracy_without_block_and_rest_of_stage"], rows[0]["probe_before"]) == ("0.2", "0.5")
    shared.show(first=SMALL)
    rows = table(shared.downloaded("layers")[1])
    assert {(row["in_block_structure"], row["contrast"]) for row in rows} == {("", "")}


def test_undefined_values_and_words_with_commas_in_csv(shared):
    shared.show(first=BIG)
    rows = table(shared.downloaded("cells")[1])
    assert {row["cka"] for row in rows if row["layer_row"] == str(CONSTANT)} == {""}
    assert shared.run("""asCsv([['a,b', 'say "x"', null, 0]])""") == '"a,b","say ""x""",,0\n'


def test_pictures_explain_themselves_and_are_light(shared):
    shared.page.emulate_media(color_scheme="dark")
    shared.show(first=BIG, second=SMALL, pin="3", contrast="0.1")
    name, content = shared.downloaded("svg")
    assert name.endswith("--contrast0.1--pin3.svg")
    root = ElementTree.fromstring(content)
    texts = {element.tag.split("}")[1]: element.text for element in list(root)[:2]}
    assert texts["title"].startswith(f"Explorer of {HOSTILE}: CKA between Big, seed 1 (test accuracy 90.0 %) and Small")
    assert "Block structure (a range of layers counts from a contrast of 0.10): Big" in texts["desc"]
    assert "first=big%2Fseed1&second=small%2Fseed1&contrast=0.1&pin=3" in texts["desc"]
    seen = "".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "pin=3" in seen
    assert "from a contrast of 0.10" in seen
    _, content = shared.downloaded("png")
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    assert picture.width == 2 * shared.run("places.width")
    assert picture.height > 2 * shared.run("places.height")  # the caption
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    shared.page.emulate_media(color_scheme="light")


def test_on_paper_the_figure_is_light_and_controls_are_away(shared):
    shared.page.emulate_media(color_scheme="dark")
    shared.show(first=BIG)
    shared.run("""() => {window.papers = [];
        addEventListener("beforeprint", () => papers.push(document.getElementById("figure").layout.paper_bgcolor))}""")
    shared.page.pdf(print_background=True)
    assert shared.run("papers") == ["#ffffff"]
    shared.run("drawn")
    shared.wait("document.getElementById('figure').layout.paper_bgcolor === '#17171b'")
    shared.page.emulate_media(media="print")
    assert not shared.page.is_visible("#controls")
    assert shared.page.is_visible("#claims")
    assert shared.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shared.page.emulate_media(media="screen", color_scheme="light")


@pytest.mark.parametrize("lacking", ["delete window.DecompressionStream", "delete Object.groupBy"])
def test_a_browser_that_is_too_old_is_told(browser, path, lacking):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(lacking)
    page.goto(path.as_uri())
    page.wait_for_selector("#dead", state="visible")
    assert "needs a browser of 2024 or later" in page.inner_text("#dead")
    context.close()
