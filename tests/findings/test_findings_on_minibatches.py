"""The claim on minibatch CKA, on studies whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from widedeep.findings.minibatches import convergence
from widedeep.findings.verdicts import CONVERGED
from widedeep.formats import tables

# Each order of the examples is so far from the mean of five of them; they add up to zero.
SPREAD = np.array([-1.0, -0.5, 0, 0.5, 1]) / 1000


def ends_apart(distances, spread=SPREAD, pair=("a", "b")):
    """A table of one pair of layers; `distances` maps batch sizes to the distance of the last estimate, in the mean."""
    lines = []
    for batch_size, apart in distances.items():
        for repeat, shift in enumerate(spread):
            line = {"first": pair[0], "second": pair[1], "batch_size": batch_size, "repeat": repeat, "full_batch": 0.5}
            last = {"minibatches": 640 // batch_size, "unbiased": 0.5 + apart + shift, "biased": 0.5 + 1.6 / batch_size}
            lines.append({**line, **last})
            if batch_size < 640:  # the first minibatch is far off, and decides nothing
                lines.append({**line, "minibatches": 1, "unbiased": 0.9, "biased": 0.9})
    return pd.DataFrame(lines)


def half_width(spread, intervals):
    """Of Student's interval at 95 % for so many intervals at once."""
    quantile = scipy.stats.t.ppf(1 - 0.05 / intervals / 2, len(spread) - 1)
    return quantile * np.std(spread, ddof=1) / np.sqrt(len(spread))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("pairs", [1, 3])
def test_the_intervals_decide_on_either_side_of_the_threshold(pairs, sign):
    """The second of two batch sizes lies off; for other pairs of layers there is no distance."""
    half = half_width(SPREAD, 2 * pairs)
    for apart, expected in (
        (0, "reproduced"),
        (CONVERGED - half - 1e-6, "reproduced"),
        (CONVERGED - half + 1e-6, "not decidable"),
        (CONVERGED + half - 1e-6, "not decidable"),
        (CONVERGED + half + 1e-6, "not reproduced"),
    ):
        distances = [sign * apart, *[0] * (pairs - 1)]
        parts = [ends_apart({16: 0, 64: far}, pair=("a", f"b{index}")) for index, far in enumerate(distances)]
        found = convergence(pd.concat(parts))
        assert found.verdict == expected
        if apart:
            assert f" {sign * apart:.4f} (a and b0, minibatches of 64)" in found.number
            assert ("figures.A.passes" in found.why) == (expected == "not decidable")


def test_the_words_tell_the_number_the_interval_and_the_smallest_effect():
    found = convergence(ends_apart({16: 0.004, 64: -0.012}))
    half = half_width(SPREAD, 2)
    assert found.number.startswith("unbiased CKA minus the full-batch value -0.0120 (a and b, minibatches of 64); ")
    assert "0.1000 away" in found.number
    low, _, high, *_, border, _, _ = found.interval.replace(",", "").split()
    digits = len(low.split(".")[1])
    assert low == f"{-0.012 - half:.{digits}f}"
    assert high == f"{-0.012 + half:.{digits}f}"
    assert float(border) == CONVERGED
    assert "16, 64 examples" in found.why


def test_the_smallest_effect_is_seen_in_four_of_five_studies():
    spread = 30 * SPREAD
    found = convergence(ends_apart({16: 0, 64: 0.001}, spread=spread))
    error = np.std(spread, ddof=1) / np.sqrt(5)
    shifts = np.linspace(0, 20, 2000)  # beyond the threshold, in standard errors
    power = scipy.stats.nct.sf(half_width(spread, 2) / error, 4, shifts)
    assert found.smallest_effect == f"{CONVERGED + error * np.interp(0.8, power, shifts):.2f}"


def test_the_interval_shown_is_the_one_that_decides():
    """A wide interval of a small distance keeps the claim open; a narrow one wholly beyond refutes it."""
    wide = ends_apart({16: 0.001, 64: 0}, spread=40 * SPREAD, pair=("a", "c"))
    found = convergence(pd.concat([ends_apart({16: 0, 64: 0.01}), wide]))
    assert found.verdict == "not decidable"
    assert "0.0010 (a and c, minibatches of 16)" in found.number
    found = convergence(pd.concat([ends_apart({16: 0, 64: 0.03}), wide]))
    assert found.verdict == "not reproduced"
    assert "0.0300 (a and b, minibatches of 64)" in found.number


def test_orders_that_agree_have_an_interval_that_is_a_point():
    """A minibatch of all examples is the full batch, in any order."""
    found = convergence(ends_apart({16: 0.01, 640: 0}, spread=[0, 0, 0]))
    assert found.verdict == "reproduced"
    assert found.interval == "0.01 to 0.01, threshold within 0.02 of zero"


def test_one_order_of_the_examples_decides_nothing():
    found = convergence(ends_apart({16: 0.1, 64: 0.2}, spread=[0]))
    assert found.verdict == "not decidable"
    assert "0.2000 (a and b, minibatches of 64)" in found.number
    assert "single order" in found.why
    assert found.interval == found.smallest_effect == ""
    # Other pairs of layers may refute the claim all the same.
    table = pd.concat([ends_apart({16: 0.1}, spread=[0], pair=("a", "c")), ends_apart({16: 0, 64: 0.05})])
    found = convergence(table)
    assert found.verdict == "not reproduced"
    assert "0.0500 (a and b, minibatches of 64)" in found.number
    table = pd.concat([ends_apart({16: 0}, spread=[0], pair=("a", "c")), ends_apart({16: 0, 64: 0})])
    assert convergence(table).verdict == "not decidable"


def test_layers_without_a_cka_are_left_out():
    constant = ends_apart({16: np.nan, 64: np.nan}, pair=("a", "c")).assign(full_batch=np.nan)
    assert convergence(pd.concat([ends_apart({16: 0, 64: 0}), constant])).verdict == "reproduced"
    assert convergence(constant).verdict == "not decidable"
    assert convergence(ends_apart({16: 0, 64: np.nan})).verdict == "not decidable"


@pytest.mark.parametrize("table", [ends_apart({16: 0.0}), pd.DataFrame(columns=tables.columns("A.csv"))])
def test_one_batch_size_decides_nothing(table):
    assert convergence(table).verdict == "not decidable"
