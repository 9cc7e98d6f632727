"""How the engines' times grow with layers, examples and features: the program runs, and its tables are right."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path("benchmarks").resolve()
sys.path.insert(0, str(BENCHMARKS))
import contestants  # noqa: E402
import curves  # noqa: E402
import growth  # noqa: E402
import task  # noqa: E402

OURS = [contestant for contestant in contestants.CONTESTANTS if contestant.run is contestants.ours]


def test_exponents_are_those_of_the_larger_half_and_of_all():
    sizes = [1, 2, 4, 8, 16, 32]
    curve = curves.Curve(sizes, [2.0 * size for size in sizes[:3]] + [size**2 / 2 for size in sizes[3:]])
    assert curve.exponent() == pytest.approx(2)
    assert 1 < curve.exponent(upper_half=False) < 2
    assert curves.Curve([1, 2, 4], [9, 3, 24]).exponent() == pytest.approx(3)
    assert np.isnan(curves.Curve([50], [1.0]).exponent())


def points_of_growth():
    """Times of every series on each axis, which are the size to the power of its place, and the size in MiB."""
    series = dict.fromkeys(("layers", "batch size"), (curves.GRAMS, curves.PAIRS, curves.OURS))
    series["networks"] = (curves.ONE_PAIR, curves.LAST_JOB, curves.ALL_PAIRS)
    points = [
        curves.Point(axis, size, name, float(size**power), None if power == 1 else float(size))
        for axis, names in series.items()
        for size in (10, 20, 40)
        for power, name in enumerate(names, start=1)
    ]
    return [*points, curves.Point("layers", 40, curves.PEER, 2.0 * 40**3, 400.0)]


def test_growth_is_kept_in_a_file_and_put_into_tables(tmp_path):
    points = points_of_growth()
    curves.write(tmp_path / "growth.csv", points)
    assert curves.read(tmp_path / "growth.csv") == points
    lines = curves.table("layers", points)
    assert lines[2] == (
        "| layers | Gram matrices s | pairs of layers s | ours s | pytorch-cka s | pairs of layers MiB | ours MiB "
        "| pytorch-cka MiB | ours / pytorch-cka s |"
    )
    assert lines[4] == "| 10 | 10 | 100 | 1,000 |  | 10 | 10 |  |  |"
    assert lines[6] == "| 40 | 40 | 1,600 | 64,000 | 128,000 | 40 | 40 | 400 | 0.50 |"
    assert lines[7] == "| exponent, upper half | 1.00 | 2.00 | 3.00 | nan | 1.00 | 1.00 | nan |  |"
    assert {line.count("|") for line in lines[2:]} == {10}


def test_growth_is_drawn(tmp_path):
    curves.draw(points_of_growth(), tmp_path / "growth.png")
    assert 10_000 < (tmp_path / "growth.png").stat().st_size < 200_000


def test_growth_is_measured(tmp_path, monkeypatch):
    """On the smallest sizes, in this process."""
    monkeypatch.setattr(growth, "ROUNDS_SECONDS", 1e-9)
    monkeypatch.setattr(growth, "in_own_process", lambda function, *arguments, **_: function(*arguments))
    monkeypatch.setattr(growth, "peak_of", lambda work, *arguments: (work(*arguments), 7.0))
    points = growth.points_of_engines("layers", 3, 3, 8, ["ours (default)"])
    assert [(point.series, point.mib) for point in points] == [
        (curves.OURS, 7.0),
        ("ours (default)", 7.0),
        (curves.GRAMS, None),
        (curves.PAIRS, None),
    ]
    assert all(point.seconds > 0 for point in points)
    points = growth.points_of_networks(tmp_path, (1, 3), layers=2, n=8)
    assert [(point.size, point.series, point.mib) for point in points] == [
        (1, curves.ALL_PAIRS, None),
        (1, curves.LAST_JOB, 7.0),
        (1, curves.ONE_PAIR, None),
        (3, curves.ALL_PAIRS, None),
        (3, curves.LAST_JOB, 7.0),
        (3, curves.ONE_PAIR, None),
    ]
    assert points[3].seconds == pytest.approx(6 * points[5].seconds)
    assert points[3].seconds > points[4].seconds
    with growth.opened_dumps(sorted(tmp_path.iterdir())) as (first, second, third):
        jobs = growth.jobs_of([first, second, third])
    assert jobs == [
        [(first, first)],
        [(second, second)],
        [(third, third)],
        [(first, second)],
        [(first, third), (second, third)],
    ]


def test_the_layers_of_the_synthetic_network_are_compared():
    network, loader, names = growth.synthetic(layers=3, n=16)
    reference = task.reference(network, [inputs for inputs, _ in loader], task.names_of(network))
    assert task.names_of(network) == names
    values = contestants.ours(network, loader, names)
    np.testing.assert_allclose(values, reference.cka("unbiased, ratio of means"), atol=1e-6)
    assert values[0, 1] < 0.999
