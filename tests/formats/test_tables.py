"""What is refused as a table or figure of a study: cut off, altered, something else."""

import matplotlib.pyplot as plt
import pytest

from widedeep.formats import tables
from widedeep.runtime.errors import UserError

TABLE = "first,second,pairs,agreement,agreement_min,agreement_max,kappa,kappa_errors,kl,kl_min,kl_max,seeds_a_set,"
TABLE += "hellinger\na,b,4,0.5,0.4,0.6,0.3,,,,nan,2,0.1\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with figure.pdf, figure.png, and G.csv."""
    folder = tmp_path_factory.mktemp("drawn")
    for end in ("pdf", "png"):
        plt.figure(figsize=(1, 1)).savefig(folder / f"figure.{end}")
    plt.close("all")
    (folder / "G.csv").write_text(TABLE)
    return folder


def test_whole_files_pass_and_what_may_be_unknown_is_nan(drawn):
    for name in ("figure.pdf", "figure.png", "G.csv"):
        tables.check(drawn / name)
    (line,) = tables.read(drawn / "G.csv").itertuples()
    assert (line.first, line.pairs, line.hellinger) == ("a", 4, 0.1)
    assert line.kl != line.kl


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("G.csv", lambda content: content[:-1], "cut off"),
        ("G.csv", lambda _: b"", "empty"),
        ("G.csv", lambda content: content.replace(b"0.5", b"\0"), "text"),
        ("G.csv", lambda content: content.replace(b"0.5", b"\xff"), "text"),
        ("G.csv", lambda content: content + b'"\n', "table"),
        ("G.csv", lambda content: content + b",,,,,,,,,,,,,,,\n", "table"),
        ("G.csv", lambda content: content[:-1] + b",1\n", "more cells"),
        ("G.csv", lambda content: content.replace(b"pairs", b"pears"), r"columns.*\(pairs\)"),
        ("G.csv", lambda content: content.replace(b"first,second", b"second,first"), "columns.*order"),
        ("G.csv", lambda content: content.replace(b"0.5", b"inf"), "'inf' in column agreement, line 2"),
        ("G.csv", lambda content: content.replace(b",4,", b",,"), "'' in column pairs, line 2"),
        ("figure.pdf", lambda content: content[:-20], "PDF"),
        ("figure.pdf", lambda content: content[1:], "PDF"),
        ("figure.png", lambda content: content[: len(content) // 2], "PNG"),
        ("figure.png", lambda content: content.replace(b"IDAT", b"IDAX"), "PNG"),
    ],
)
def test_damaged_files_are_refused(drawn, tmp_path, name, change, found):
    path = tmp_path / name
    path.write_bytes(change((drawn / name).read_bytes()))
    with pytest.raises(UserError, match=rf"{name}: .*{found}.*; .*make it again\."):
        tables.check(path)


def test_truth_is_read_as_truth_and_nothing_else_passes_for_it(tmp_path):
    path, columns = tmp_path / "E.csv", [word.rstrip("*?!") for word in tables.COLUMNS["E.csv"].split()]
    lines = [",".join(word if name == "in_block" else "1" for name in columns) for word in ("True", "False")]
    path.write_text("\n".join([",".join(columns), *lines, ""]))
    assert tables.read(path).in_block.tolist() == [True, False]
    path.write_text(path.read_text().replace("False", "0"))
    with pytest.raises(UserError, match=r"E\.csv: .*'0' in column in_block, line 3.*True or False"):
        tables.read(path)


def test_a_missing_table_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"G\.csv: no such file; make it again"):
        tables.read(tmp_path / "G.csv")
