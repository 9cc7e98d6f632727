"""Cores by made-up cgroups."""

import pytest

from widedeep.runtime import limits

V2, V1 = "0::{}\n", "5:memory:/other\n4:cpu,cpuacct:{}\n0::/\n"


@pytest.fixture
def eight(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8), raising=False)


def made(folder, groups, files):
    """A root folder with these cgroups, and files below sys/fs/cgroup."""
    for path, text in {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{p}": t for p, t in files.items()}}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def of_v1(folder, quota):
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2.format("/a/b"), {"a/b/cpu.max": "200000 100000\n"}, 2),
        (V2.format("/a/b"), {"a/b/cpu.max": "50000 100000\n"}, 1),
        (V2.format("/a/b"), {"a/b/cpu.max": "390000 100000\n"}, 3),
        (V2.format("/a/b"), {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        (V2.format("/a/b"), {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        (V2.format("/a/b"), {"a/b/cpu.max": "max 100000\n"}, 8),
        (V2.format("/a/b"), {"a/b/cpu.max": "900000 100000\n"}, 8),
        (V2.format("/host/docker"), {"cpu.max": "200000 100000\n"}, 2),
        (V2.format("/"), {"cpu.max": "200000 100000\n"}, 2),
        (V2.format("/a"), {"unified/a/cpu.max": "200000 100000\n"}, 2),
        (V2.format("/a"), {"c/cpu.max": "100000 100000\n"}, 8),
        (V2.format("/a"), {"a/cpu.max": "nonsense"}, 8),
        (V2.format("/a"), {}, 8),
        (V1.format("/a"), of_v1("cpu,cpuacct/a", 50000), 1),
        (V1.format("/a"), of_v1("cpu/a", 250000), 2),
        (V1.format("/host/docker"), of_v1("cpu,cpuacct", 250000), 2),
        (V1.format("/a"), of_v1("cpu/a", -1), 8),
        (V1.format("/a"), of_v1("memory/a", 50000), 8),
    ],
)
@pytest.mark.usefixtures("eight")
def test_a_quota_counts_whole_cores_and_one_at_least(tmp_path, groups, files, expected):
    assert limits.cores(made(tmp_path, groups, files)) == expected


@pytest.mark.usefixtures("eight")
def test_without_cgroups_the_affinity_counts(tmp_path):
    assert limits.cores(tmp_path) == 8
