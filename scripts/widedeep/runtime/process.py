"""Quick start and end of short programs; a study runs hundreds of them."""

import atexit
import gc
import os
import sys


def collect_garbage_rarely():
    """Collect garbage after 100,000 new objects instead of 700, which makes importing torch a tenth faster."""
    gc.set_threshold(100_000, 20, 100)


def end_at_once():
    """End this process with status 0, after the functions that are registered with atexit.

    Python would also free every object of torch or seaborn, which takes up to a second of processor time a job.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
