"""Processor cores and memory that this process may use, by the machine and by the limits of its cgroups.

Containers, Slurm and systemd limit both. Neither os.cpu_count nor Snakemake's `cores: all` respects a quota: with half
a core each of two jobs would run at a quarter of its speed. A process that takes more memory than its cgroup may is
killed, however much the machine has left.
"""

import contextlib
import os
import re
from pathlib import Path


def cores(root="/"):
    """Return the number of whole cores that this process may use, at least 1.

    Args:
        root: folder that holds `proc` and `sys`; tests give another one.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([allowed, *_quotas(Path(root))])))


def free_memory(root="/"):
    """Return the bytes of memory that this process and those that it starts can still take.

    What the system keeps of files counts as free, since it gives that up first.

    Args:
        root: see `cores`.

    Returns:
        number of bytes; None where the system does not tell, as macOS, which has no such limits
    """
    root = Path(root)
    free = [*_free_on_machine(root), *_free_in_cgroups(root)]
    return max(0, min(free)) if free else None


def _quotas(root):
    """Yield the quota in cores of each cgroup of this process that has one; those above it limit it too."""
    for folder in _cgroups(root, "cpu"):
        # Files that are missing, and no quota: `max` in version 2, -1 in version 1.
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        with contextlib.suppress(OSError, ValueError):
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            if quota > 0:
                yield quota / period


def _free_on_machine(root):
    """Yield the available bytes of the whole machine, if the system tells them."""
    with contextlib.suppress(OSError, TypeError):
        text = (root / "proc/meminfo").read_text()
        yield 1024 * int(re.search(r"^MemAvailable: +(\d+) kB$", text, re.MULTILINE)[1])


def _free_in_cgroups(root):
    """Yield the free bytes of each cgroup of this process that has a limit; those above it limit it too."""
    for folder in _cgroups(root, "memory"):
        # The limits of version 2, beyond which processes are killed or slowed down, and that of version 1.
        for limit, used, cached in [
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.high", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ]:
            # Files that are missing, and no limit: `max` in version 2, a huge number in version 1.
            with contextlib.suppress(OSError, ValueError, KeyError):
                kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())[cached]
                yield int((folder / limit).read_text()) - int((folder / used).read_text()) + int(kept)


def _cgroups(root, controller):
    """Yield the folders that may be cgroups of this process, of version 2 and of a controller of version 1.

    In a container the path may be that of the host, and the cgroup itself be mounted at the top.
    """
    mounts = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            tops = [mounts, mounts / "unified"]
        elif controller in controllers.split(","):
            tops = [mounts / controllers, mounts / controller]
        else:
            continue
        inside = Path(path.lstrip("/"))
        yield from (top / part for top in tops for part in (inside, *inside.parents))
