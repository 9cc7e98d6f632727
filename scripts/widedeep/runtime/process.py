"""A quick begin and end of short programs, of which a study has hundreds."""

import atexit
import gc
import os
import sys


def collect_garbage_rarely():
    """Look for garbage after 100,000 new objects instead of 700; importing torch takes a tenth less then."""
    gc.set_threshold(100_000, 20, 100)


def end_at_once():
    """End this process with status 0, after the functions that are registered for its end.

    Python would also take apart all objects of torch or seaborn: up to a second of processor time a job.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
