"""A result as a table, a picture, a file and in a notebook."""

import io
import zipfile

import matplotlib

matplotlib.use("Agg")

import numpy as np  # noqa: E402 (the backend must be chosen first)
import pytest  # noqa: E402

from widedeep.measures.cka import Similarity  # noqa: E402
from widedeep.measures.result import LayerSimilarity  # noqa: E402
from widedeep.networks.layers import LayerOutput  # noqa: E402
from widedeep.runtime.errors import MayBeWhole, UserError  # noqa: E402


@pytest.fixture
def result():
    values = np.array([[1.0, 0.5, np.nan], [0.25, 1.0, np.nan]])
    measures = {
        "cka": Similarity(values, ["", ""], ["", "", "constant: so it is"], 3),
        "rsa_pearson": Similarity(values / 2, ["", ""], ["", "", "constant"], 3),
    }
    first = [LayerOutput("conv", "Conv2d", (4, 8, 8)), LayerOutput("fc", "Linear", (10,))]
    second = [LayerOutput("a", "Linear", (6,)), LayerOutput("b<c>", "Linear", ()), LayerOutput("dead", "ReLU", (6,))]
    return LayerSimilarity(measures, first, second, {"table": "no <row>"}, {}, 3, 16, 5)


def test_values_are_those_of_the_first_measure(result):
    assert result.values is result.measures["cka"].values
    assert result.names_first == ["conv", "fc"]
    assert result.names_second == ["a", "b<c>", "dead"]


def test_a_frame_of_one_measure_is_a_matrix_and_of_all_a_row_for_each_pair(result):
    matrix = result.to_frame("rsa_pearson")
    assert matrix.loc["conv", "b<c>"] == 0.25
    assert matrix.shape == (2, 3)
    pairs = result.to_frame()
    assert [*pairs.columns] == ["first", "second", "cka", "rsa_pearson"]
    row = pairs[(pairs["first"] == "fc") & (pairs["second"] == "a")]
    assert row["cka"].item() == 0.25
    assert len(pairs) == 6


def test_a_picture_shows_each_layer_and_hatches_what_is_undefined(result, tmp_path):
    ax = result.plot()
    drawn = ax.images[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(np.ma.masked_invalid(drawn)), np.isnan(result.values))
    assert ax.images[0].get_interpolation() == "none"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv", "fc"]
    assert "16" in ax.figure.axes[1].get_ylabel()
    other = matplotlib.pyplot.figure().add_subplot()
    assert result.plot("rsa_pearson", other) is other
    np.testing.assert_array_equal(other.images[0].get_array()[0, 0], 0.5)
    ax.figure.savefig(tmp_path / "a.png")
    matplotlib.pyplot.close("all")


def test_a_file_holds_all_of_it(result, tmp_path):
    result.save(tmp_path / "deep" / "a.npz")
    found = LayerSimilarity.load(tmp_path / "deep" / "a.npz")
    for name, measure in result.measures.items():
        np.testing.assert_array_equal(found.measures[name].values, measure.values)
        assert found.measures[name].undefined_second == measure.undefined_second
    assert [*found.measures] == [*result.measures]
    assert (found.first, found.second) == (result.first, result.second)
    assert (found.left_out, found.left_out_second) == (result.left_out, result.left_out_second)
    assert (found.minibatches, found.batch_size, found.dropped) == (3, 16, 5)


def test_other_files_are_refused(result, tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    (tmp_path / "text.npz").write_text("a, b")
    (tmp_path / "empty.npz").touch()
    np.save(tmp_path / "array.npy", np.zeros(2))
    result.save(tmp_path / "cut.npz")
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("other.npz", "text.npz", "empty.npz", "array.npy", "cut.npz"):
        with pytest.raises(UserError, match=rf"{name}: is no file that LayerSimilarity\.save wrote"):
            LayerSimilarity.load(tmp_path / name)
    with pytest.raises(UserError, match=r"missing\.npz"):
        LayerSimilarity.load(tmp_path / "missing.npz")


def with_values(source, path, content):
    """A file with other bytes for the values of CKA."""
    with zipfile.ZipFile(source) as file, zipfile.ZipFile(path, "w") as other:
        for name in file.namelist():
            other.writestr(name, content if name == "values/cka.npy" else file.read(name))
    return path


def test_values_of_another_shape_or_type_are_refused(result, tmp_path):
    result.save(tmp_path / "a.npz")
    for values in (np.zeros((3, 2)), np.zeros((2, 3), int), np.zeros((2, 3), "U1")):
        content = io.BytesIO()
        np.save(content, values)
        with pytest.raises(UserError, match=r"b\.npz: is no file that LayerSimilarity\.save wrote"):
            LayerSimilarity.load(with_values(tmp_path / "a.npz", tmp_path / "b.npz", content.getvalue()))


def test_values_that_claim_more_than_memory_are_not_called_damaged(result, tmp_path):
    result.save(tmp_path / "a.npz")
    content = io.BytesIO()
    np.lib.format.write_array_header_2_0(content, {"descr": "<f8", "fortran_order": False, "shape": (1 << 45, 1 << 10)})
    with pytest.raises(MayBeWhole, match=r"b\.npz: does not fit into the free memory"):
        LayerSimilarity.load(with_values(tmp_path / "a.npz", tmp_path / "b.npz", content.getvalue()))


def test_a_measure_that_was_not_computed_is_refused(result):
    with pytest.raises(UserError, match=r"'svcca' was not computed.*cka, rsa_pearson"):
        result.to_frame("svcca")


def test_a_notebook_tells_what_was_left_out_and_why(result):
    assert repr(result) == ("LayerSimilarity(cka, rsa_pearson: 2 x 3 layers, 3 minibatches of 16 examples, 1 left out)")
    assert "<td>table</td><td>no &lt;row&gt;</td>" in result._repr_html_()
