"""benchmarks/dumps.py runs; what it measures is not tested."""

import importlib.util
from pathlib import Path


def test_dumps_are_measured_part_by_part_beside_those_of_another_checkout():
    spec = importlib.util.spec_from_file_location("benchmark_of_dumps", Path("benchmarks/dumps.py"))
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    args = program.parse(["--depth", "8", "--width", "0.5", "--examples", "40", "--batch-size", "16"])
    seconds = program.seconds_of_each(args)
    assert list(seconds) == ["predictions", "dump, two passes", "first components", "probes, one epoch", "deletions"]
    (line,) = program.table([{"dump": 1.0}, {"dump": 2.0}, {"dump": 9.0}], [{"dump": 3.0}])
    assert line.split() == ["dump", "2.00", "s", "3.00", "s", "1.5"]
