"""What programs expect of their environment and containers, old locales or foreign machines lack."""

import getpass
import locale
import os
import sys
from pathlib import Path


def use_utf8():
    """Read and write text as UTF-8, whatever the locale; a process that does not is replaced by one that does.

    Characters that the output cannot show are printed as escapes.
    """
    if locale.getencoding().lower() not in ("utf-8", "utf8") and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, sys.orig_argv)
    if sys.stdout:
        sys.stdout.reconfigure(errors="backslashreplace")


def name_user():
    """Give a user without a name, as in a container, one in the environment, which Snakemake records."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid{os.getuid()}"


def find_cache():
    """Name a folder below the working directory for caches if there is none at home that can be written to.

    Snakemake keeps the files of its workflow there, matplotlib its list of fonts.
    """
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK | os.X_OK)
    except (OSError, RuntimeError):
        usable = False
    if not usable:
        os.environ["XDG_CACHE_HOME"] = str(Path.cwd() / ".snakemake/cache")
    if os.path.expanduser("~") == "~":
        os.environ["HOME"] = str(Path.cwd())
