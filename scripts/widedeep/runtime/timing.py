"""The time and memory that a job took, which it notes itself.

Snakemake's `benchmark:` would ask every process of a job for its memory twice a second, and take a tenth of the processor
time of a study of short jobs.
"""

import contextlib
import os
import resource
import time

from widedeep.runtime import files
from widedeep.runtime.errors import UserError

_started = time.monotonic()


def write(path):
    """Write a TSV with what this process took: s and cpu_time in seconds, max_rss in MB (2**20 bytes).

    A timing that cannot be written is no reason to lose what was computed.
    """
    # Of processes that train one network together the first one notes it.
    if os.environ.get("RANK", "0") != "0":
        return
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    with contextlib.suppress(UserError), files.replacing(path) as unfinished:
        line = f"{time.monotonic() - _started:.2f}\t{processor:.2f}\t{_peak_memory():.1f}"
        unfinished.write_text(f"s\tcpu_time\tmax_rss\n{line}\n")


def _peak_memory():
    """MB (2**20 bytes) of this process."""
    # Linux: what getrusage says begins with the peak of the process that started this one.
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes
