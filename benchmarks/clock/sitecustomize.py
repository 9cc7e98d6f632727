"""Imported at the start of every Python that overhead.py runs: notes what its processor seconds go into, in a file.

interpreter    until this module is imported
imports        inside import statements, the outermost ones
seconds        all, until the process ends in good order
"""

import atexit
import builtins
import json
import os
import sys
import threading
import time

STARTED = time.process_time()
_plain_import = builtins.__import__
_state = threading.local()
_imports = [0.0]


def _timed_import(*args, **kwargs):
    if getattr(_state, "inside", False):
        return _plain_import(*args, **kwargs)
    _state.inside, started = True, time.thread_time()
    try:
        return _plain_import(*args, **kwargs)
    finally:
        _imports[0] += time.thread_time() - started
        _state.inside = False


def _note():
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    if name == "__main__":  # python -m
        name = os.path.basename(os.path.dirname(sys.argv[0]))
    seconds = {"interpreter": STARTED, "imports": _imports[0], "seconds": time.process_time()}
    with open(os.path.join(os.environ["CLOCK_NOTES"], f"{os.getpid()}-{time.time_ns()}.json"), "w") as file:
        json.dump({"program": name, **seconds}, file)


def _begin_in_fork():
    """A fork of the fork server has done nothing yet."""
    global STARTED
    STARTED, _imports[0] = 0.0, 0.0


builtins.__import__ = _timed_import
atexit.register(_note)
os.register_at_fork(after_in_child=_begin_in_fork)
