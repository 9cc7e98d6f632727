"""A program run in a child process with bounds, which tells what became of it."""

import atexit
import faulthandler
import gc
import os
import re
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

from widedeep.runtime import command

MEGABYTES = 600
SECONDS = 60
_TRACEBACK, _ESCAPED = 70, 71
_SENTENCE = re.compile(r"error: [^\n]+\n")
# Of Python's audit events those that change files: the position of the path among the arguments.
_CHANGES = {
    "os.rename": 1,
    "os.remove": 0,
    "os.mkdir": 0,
    "os.rmdir": 0,
    "os.link": 1,
    "os.symlink": 1,
    "os.truncate": 0,
}
_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "socket.connect")


class Outcome(NamedTuple):
    """What became of a child.

    Attributes:
        status: of its exit; negative, the signal that ended it.
        said: what it printed to standard error.
    """

    status: int
    said: str

    @property
    def is_right(self):
        """Whether it ended well without errors, or with one sentence and status 1."""
        return self.status == 0 or (self.status == 1 and bool(_SENTENCE.fullmatch(self.said)))

    @property
    def ending(self):
        """`result`, `sentence` or `killed`, by a signal."""
        return "killed" if self.status < 0 else "sentence" if self.status else "result"


def run(main, folder):
    """Run a stage's `main()` as its program does, in a fork of this process.

    The child may change files below `folder` alone, start no process, connect to nothing, take MEGABYTES more memory
    than it begins with, and SECONDS. What it imports is best imported before, or each child does it again.
    """
    command.release()  # locks of stages that ran in this process before, which the child would release
    with tempfile.TemporaryFile() as said, open(os.devnull, "w") as nowhere:
        gc.freeze()  # else the child's collector touches, and so copies, all that this process holds
        child = os.fork()
        if child == 0:
            status = _TRACEBACK
            try:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(said.fileno(), 2)
                status = _in_child(main, folder)
            finally:
                os._exit(status)
        gc.unfreeze()
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return Outcome(os.waitstatus_to_exitcode(status), said.read().decode(errors="replace"))


def _in_child(main, folder):
    """The exit status."""
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.dont_write_bytecode = True
    faulthandler.disable()
    atexit._clear()  # what pytest does at its end is not for a child
    os.chdir(folder)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    begun = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (begun + (MEGABYTES << 20), before[1]))
    sys.addaudithook(_watcher(Path(folder).resolve()))
    try:
        command.run(main)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr, flush=True)
            return 1
        return end.code or 0
    except BaseException:
        resource.setrlimit(resource.RLIMIT_AS, before)  # a traceback takes memory too
        traceback.print_exc()
        sys.stderr.flush()
        return _TRACEBACK


def _watcher(folder):
    """An audit hook that ends the process when it changes something outside of the folder, or starts something."""

    def watch(event, arguments):
        if event.startswith(_FORBIDDEN):
            escape(event, arguments)
        path = arguments[_CHANGES[event]] if event in _CHANGES else None
        if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            path = arguments[0]
        if isinstance(path, str | bytes | os.PathLike):
            place = Path(os.path.abspath(os.fsdecode(path)))
            if place != Path(os.devnull) and not place.is_relative_to(folder):
                escape(event, arguments)

    def escape(event, arguments):
        os.write(2, f"not allowed: {event} {arguments}\n".encode(errors="replace"))
        os._exit(_ESCAPED)

    return watch
