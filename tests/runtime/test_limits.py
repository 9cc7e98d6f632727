"""Cores and memory by made-up cgroups, and by a real one."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from widedeep.runtime import limits

SAY_FREE_MEMORY = """
import sys
sys.path.insert(0, "scripts")
from widedeep.runtime import limits
print(limits.free_memory())
held = b"x" * 100_000_000
print(limits.free_memory())
"""
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


MB = 10**6
# Of 8 MB, which are 8,192,000 bytes.
MACHINE = "MemTotal:       16000 kB\nMemFree:        1000 kB\nMemAvailable:   8000 kB\nBuffers:        10 kB\n"
# The limit of a cgroup of version 1 that has none.
NO_LIMIT = 9223372036854771712


def memory_of_v2(folder, limit, used=0, cached=0, high="max"):
    numbers = {"max": limit, "high": high, "current": used, "stat": f"anon 1\ninactive_file {cached}\nfile 1"}
    return {f"{folder}/memory.{name}": f"{value}\n" for name, value in numbers.items()}


def memory_of_v1(folder, limit, used=0, cached=0):
    stat = f"inactive_file 1\ntotal_inactive_file {cached}"
    numbers = {"limit_in_bytes": limit, "usage_in_bytes": used, "stat": stat}
    return {f"{folder}/memory.{name}": f"{value}\n" for name, value in numbers.items()}


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2.format("/a/b"), memory_of_v2("a/b", 5 * MB), 5 * MB),
        (V2.format("/a/b"), memory_of_v2("a/b", 5 * MB, used=3 * MB, cached=1 * MB), 3 * MB),
        (V2.format("/a/b"), memory_of_v2("a/b", 5 * MB, used=6 * MB), 0),
        (V2.format("/a/b"), memory_of_v2("a/b", "max", used=3 * MB), 8_192_000),
        (V2.format("/a/b"), memory_of_v2("a/b", 50 * MB, used=3 * MB), 8_192_000),
        (V2.format("/a/b"), memory_of_v2("a/b", "max", used=1 * MB, high=4 * MB), 3 * MB),
        (V2.format("/a/b"), memory_of_v2("a/b", "max") | memory_of_v2("a", 6 * MB, used=2 * MB), 4 * MB),
        (V2.format("/a/b"), memory_of_v2("a/b", 5 * MB, used=2 * MB) | memory_of_v2("a", 6 * MB, used=4 * MB), 2 * MB),
        (V2.format("/a/b"), memory_of_v2("c", 1 * MB), 8_192_000),
        (V2.format("/host/docker"), memory_of_v2("", 5 * MB, used=1 * MB), 4 * MB),
        (V2.format("/a"), memory_of_v2("unified/a", 5 * MB), 5 * MB),
        (V2.format("/a"), memory_of_v2("a", "nonsense"), 8_192_000),
        (V2.format("/a"), {"a/memory.max": f"{MB}\n"}, 8_192_000),
        ("5:memory:/a/b\n0::/\n", memory_of_v1("memory/a/b", 5 * MB, used=3 * MB, cached=1 * MB), 3 * MB),
        ("5:memory:/a/b\n0::/\n", memory_of_v1("memory/a/b", NO_LIMIT) | memory_of_v1("memory/a", 2 * MB), 2 * MB),
        ("5:memory:/host/docker\n0::/\n", memory_of_v1("memory", 5 * MB), 5 * MB),
        ("5:memory:/a\n0::/\n", memory_of_v1("memory/a", NO_LIMIT, used=3 * MB), 8_192_000),
        ("5:memory:/a\n4:cpu:/b\n0::/\n", memory_of_v1("memory/b", 5 * MB), 8_192_000),
    ],
)
def test_memory_is_free_up_to_the_narrowest_limit(tmp_path, groups, files, expected):
    root = made(tmp_path, groups, files)
    (root / "proc/meminfo").write_text(MACHINE)
    assert limits.free_memory(root) == expected


def test_without_cgroups_the_free_memory_is_that_of_the_machine(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MACHINE)
    assert limits.free_memory(tmp_path) == 8_192_000


@pytest.mark.parametrize("meminfo", [None, "MemTotal: 16000 kB\n"])
def test_where_the_system_does_not_tell_its_memory_there_is_no_number(tmp_path, meminfo):
    if meminfo:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/meminfo").write_text(meminfo)
    assert limits.free_memory(tmp_path) is None


@pytest.fixture
def cgroup():
    """The folder of a new cgroup that can limit memory."""
    for top, limit in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]:
        folder = Path(top, f"test-of-limits-{os.getpid()}")
        with contextlib.suppress(OSError):
            folder.mkdir()
            try:
                if (folder / limit).exists():
                    yield folder, folder / limit
                    return
            finally:
                folder.rmdir()
    pytest.skip("no cgroup can be made here: this needs root, and a cgroup file system that can be written to")


def test_a_real_cgroup_limits_the_free_memory(cgroup):
    folder, limit = cgroup
    limit.write_text(f"{300 * MB}\n")
    # It enters the cgroup before Python starts, so that what Python takes counts.
    words = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', folder, sys.executable, "-c", SAY_FREE_MEMORY]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    free, free_beside_100_mb = map(int, said.split())
    assert 200 * MB < free < 300 * MB
    assert 99 * MB < free - free_beside_100_mb < 110 * MB
