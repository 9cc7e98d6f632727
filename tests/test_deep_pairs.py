"""The benchmark of all files of pairs of deep networks runs its jobs and adds up their seconds."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path("benchmarks").resolve()))
import deep_pairs  # noqa: E402


def test_versions_take_turns_at_all_files_of_pairs(tmp_path):
    configurations = ((8, 1, 2, 3), (14, 1, 2, 2))
    made = deep_pairs.study(configurations, batch_size=8)
    layers = deep_pairs.layers_of(made, configurations)
    deep_pairs.write_dumps(tmp_path, made, layers, minibatches=2, batch_size=8)
    lines = deep_pairs.measured(tmp_path, made, layers, [deep_pairs.SCRIPTS] * 2)
    rows = [line.strip("| ").split(" | ") for line in lines[2:6]]
    assert [row[:2] for row in rows] == [["3 and 3", "1"], ["3 and 2", "2"], ["2 and 2", "1"], ["all", "4"]]
    products, *versions = map(float, rows[3][2:])
    assert min(versions) > products >= 0
    assert lines[6].endswith("its values differ by 0e+00.")
    (line,) = deep_pairs.measured(tmp_path, made, layers, [deep_pairs.SCRIPTS], seeds=[1])[3:]
    assert line.startswith("| all | 1 | ")
