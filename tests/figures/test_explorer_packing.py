"""How the explorer's page holds its data, and that it holds them safely; test_explorer_page.py opens it."""

import base64
import gzip
import json
import re

import numpy as np
import pytest

from widedeep.figures.explorer import page

NAN = float("nan")


def unpacked(record):
    """What dataset.js makes of a packed matrix."""
    codes = np.frombuffer(gzip.decompress(base64.b64decode(record["data"])), "<u2")
    rows, columns = record["rows"], record["columns"]
    matrix = np.empty((rows, columns), "<u2")
    if record["symmetric"]:
        upper = np.triu_indices(rows)
        matrix[upper] = codes
        matrix.T[upper] = codes
    else:
        matrix[:] = codes.reshape(rows, columns)
    return np.where(matrix == page.UNDEFINED, NAN, record["low"] + record["step"] * matrix)


def with_holes(matrix):
    matrix[2, :] = matrix[:, 2] = NAN
    return matrix


RANDOM = np.random.default_rng(0).uniform(-0.02, 1.01, (7, 7))


@pytest.mark.parametrize(
    ("matrix", "symmetric"),
    [
        (RANDOM, False),
        (RANDOM[:, :4], False),
        (RANDOM + RANDOM.T, True),
        (with_holes(RANDOM + RANDOM.T), True),
        (np.full((3, 3), 0.25), True),
        (np.full((2, 3), NAN), False),
    ],
)
def test_a_packed_matrix_is_wrong_by_half_a_step_at_most(matrix, symmetric):
    record = page.packed(matrix)
    again = unpacked(record)
    assert record["symmetric"] == symmetric
    np.testing.assert_array_equal(np.isnan(again), np.isnan(matrix))
    assert np.nanmax(abs(again - matrix), initial=0) <= record["step"] / 2 * (1 + 1e-9)
    assert record["step"] <= 2.1 / page.LARGEST


def test_the_smallest_and_the_largest_value_are_kept():
    again = unpacked(page.packed(RANDOM))
    assert again.min() == RANDOM.min()
    assert again.max() == pytest.approx(RANDOM.max(), abs=1e-15)


def test_the_first_records_that_fit_are_kept_and_the_others_are_not_even_read():
    def records():
        yield from ["x" * 96] * 3  # 100 bytes each with quotes and comma
        raise AssertionError("read too far")

    assert page.first_that_fit(records(), 250) == (["x" * 96] * 2, 50)


def test_no_string_ends_the_script_that_holds_the_data():
    text = page.page({"study": "</script><script>alert(1)</script>{{data}}"}, "const library = 1;")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1]
    assert json.loads(data) == {"study": "</script><script>alert(1)</script>{{data}}"}
    assert "alert(1)</script>" not in text


def test_a_study_of_64_networks_of_100_layers_with_100_pairs_is_below_20_mb():
    noise = np.random.default_rng(0)

    def matrix():
        return page.packed(noise.uniform(0, 1, (100, 100)))

    networks = [{"cka": matrix(), "deflated": matrix(), "share": [0.1234] * 100} for _ in range(64)]
    pairs = [{"cka": matrix(), "deflated": matrix()} for _ in range(100)]
    library = "x" * 5_000_000 + str(noise.uniform(size=100_000).tolist())  # about 2 MB packed, as plotly.min.js
    assert len(page.page({"study": "", "networks": networks, "pairs": pairs}, library)) < page.MOST_BYTES
