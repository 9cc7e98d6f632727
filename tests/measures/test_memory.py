"""The memory of a comparison against the arrays that it holds."""

import numpy as np
import pytest

from widedeep.measures import memory
from widedeep.measures.stacked import Stack


@pytest.mark.parametrize(("dtype", "entry"), [(np.float32, 4), (np.float64, 8)])
def test_bytes_are_those_of_the_triangles_as_dumps_hold_them(dtype, entry):
    assert memory.grams_bytes(5, 16, entry) == Stack(5, 16, dtype, []).triangles.nbytes


@pytest.mark.parametrize(
    ("at_once", "expected"),
    [
        (10**6, 1 + 2 + 3 + 4),  # all together
        (8, 8),
        (5, 3 + 4),  # two networks are always held together
        (0, 3 + 4),
    ],
)
def test_all_networks_are_held_as_long_as_they_fit_and_two_in_any_case(monkeypatch, at_once, expected):
    one = memory.grams_bytes(1, 16, 4)
    monkeypatch.setattr(memory, "AT_ONCE", at_once * one)
    assert memory.held_bytes([1, 3, 2, 4], 16, 4) == expected * one
