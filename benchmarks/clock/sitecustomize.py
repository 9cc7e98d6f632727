"""Python imports this module at its start. It records the processor seconds of a process of overhead.py in a file.

interpreter    until this module is imported
imports        inside the outermost import statements
seconds        all, until the process ends normally
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


builtins.__import__ = _timed_import
atexit.register(_note)
