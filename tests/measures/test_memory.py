"""The memory of a comparison against the arrays that it holds."""

import pytest
from small_layers import features

from widedeep.measures import memory
from widedeep.measures.gram_matrices import Grams


def test_bytes_are_those_of_the_triangles_plain_and_deflated():
    grams = Grams.of([features(seed, 16, 3) for seed in range(5)])
    assert memory.grams_bytes(5, 16) == 2 * grams.triangles.nbytes


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
    one = memory.grams_bytes(1, 16)
    monkeypatch.setattr(memory, "AT_ONCE", at_once * one)
    assert memory.held_bytes([1, 3, 2, 4], 16) == expected * one
