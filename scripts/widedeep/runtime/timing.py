"""Time and memory of a job, which the job writes itself.

Snakemake's `benchmark:` polls the memory of every process twice a second, which takes a tenth of the processor time in
a study of short jobs.
"""

import contextlib
import os
import resource
import time

from widedeep.runtime import files
from widedeep.runtime.errors import UserError

_started = time.monotonic()


def write(path):
    """Write a TSV of this process's time and memory: s and cpu_time in seconds, max_rss in MB (2**20 bytes).

    A file that cannot be written is left out: the results of the job matter more.
    """
    # Of several processes that train one network, only the first one writes.
    if os.environ.get("RANK", "0") != "0":
        return
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    with contextlib.suppress(UserError), files.replacing(path) as unfinished:
        line = f"{time.monotonic() - _started:.2f}\t{processor:.2f}\t{_peak_memory():.1f}"
        unfinished.write_text(f"s\tcpu_time\tmax_rss\n{line}\n")


def _peak_memory():
    """Return the peak memory of this process, in MB (2**20 bytes)."""
    # On Linux, getrusage starts from the peak of the parent process.
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes
