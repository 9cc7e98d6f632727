"""The environment of a process for which no file system has locks."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def environment(folder):
    """Return the variables of such a process; skips the test where there is no C compiler.

    Args:
        folder: for the compiled library.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = Path(folder, "no_locks.so")
    source = Path(__file__).with_name("no_locks.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}
