"""Number of processor cores that this process may use, by its affinity and by the quotas of its cgroups.

Containers, Slurm and systemd limit processor time by a quota, which neither os.cpu_count nor Snakemake's `cores: all`
respects: with half a core each of two jobs would run at a quarter of its speed.
"""

import contextlib
import os
from pathlib import Path


def cores(root="/"):
    """Return the number of whole cores that this process may use, at least 1.

    Args:
        root: folder that holds `proc` and `sys`; tests give another one.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([allowed, *_quotas(Path(root))])))


def _quotas(root):
    """Yield the quota in cores of each cgroup of this process that has one; those above it limit it too."""
    for folder in _cgroups(root):
        # Files that are missing, and no quota: `max` in version 2, -1 in version 1.
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        with contextlib.suppress(OSError, ValueError):
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            if quota > 0:
                yield quota / period


def _cgroups(root):
    """Yield the folders that may be cgroups of this process, of version 2 and of version 1's controller cpu.

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
        elif "cpu" in controllers.split(","):
            tops = [mounts / controllers, mounts / "cpu"]
        else:
            continue
        inside = Path(path.lstrip("/"))
        yield from (top / part for top in tops for part in (inside, *inside.parents))
