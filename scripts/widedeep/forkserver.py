"""A fork server: stages fork from a process that has imported torch, instead of importing it for seconds each.

On one machine `run_study.py` starts one beside Snakemake and names its socket in the environment. A stage that finds it
there (`command.start`) hands over its command line, folder, environment and open outputs, and waits. For each the
server forks a keeper, and the keeper the job: it runs the script from the first line, with no module of this project
imported, so that edits count. The keeper passes signals on to the job and its exit status back to the stage; a stage
that is killed takes its job with it. Where no server answers, a stage runs as if there never was one. The server has
one thread and never touches a GPU, since forks could not go on with either.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from widedeep import command

# What takes the stages more than a tenth of a second to import.
PRELOADED = ("torch", "safetensors.torch", "h5py", "scipy.sparse.linalg", "scipy.stats", "pandas", "matplotlib.pyplot")
PRELOADED += ("seaborn",)
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT)
_FORKED = b"+"


@contextlib.contextmanager
def running():
    """A fork server for the stages that are started while the block runs; none where the system has no room for it."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, AttributeError):
            os.close(os.pidfd_open(os.getpid()))  # not everywhere
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="widedeep-"))  # of this user alone
            address = str(Path(folder, "socket"))
            server = _start(address)
            stack.callback(_end, server)
            os.environ[command.FORK_SERVER] = address
            stack.callback(os.environ.pop, command.FORK_SERVER)
        yield


def _start(address):
    """Start the server process, the only one that holds its socket: without it nobody waits for an answer."""
    path = f"{Path(__file__).parents[1]}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")
    one_thread = dict.fromkeys(command.THREAD_VARIABLES, "1")  # as the stages that fork have
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(socket.SOMAXCONN)
        return subprocess.Popen(
            # -P: the first folder for modules is then that of the scripts, not the current one.
            [sys.executable, "-P", "-m", "widedeep.forkserver", str(listener.fileno())],
            env={**os.environ, **one_thread, "PYTHONPATH": path},
            stdin=subprocess.PIPE,  # closed when this process ends, however it ends
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # what cannot be imported, a stage that imports it says
            start_new_session=True,  # Ctrl-C reaches the stages, which pass it on
            pass_fds=[listener.fileno()],
        )


def _end(server):
    """Let the server end; it stays for jobs of a Snakemake that was killed."""
    server.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(3)


def hand_over():
    """Let a fork of the server do the work of this process, and end as it ends; return where no server answers."""
    address = os.environ.pop(command.FORK_SERVER)
    if "RANK" in os.environ:  # torchrun has processes of its own
        return
    here = {"argv": sys.argv, "path": sys.path[0], "folder": os.getcwd(), "environment": dict(os.environ)}
    words = json.dumps({**here, "prefix": sys.prefix}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            socket.send_fds(connection, [len(words).to_bytes(4, "big")], [1, 2])
            connection.sendall(words)
        except OSError:
            return
        before = _passing_on(connection)
        is_forked = _answer(connection, 1) == _FORKED
        status = is_forked and _answer(connection, 4)
        for number, handler in before.items():
            signal.signal(number, handler)
    if not is_forked:
        return
    status = int.from_bytes(status, "big", signed=True) if status else -signal.SIGKILL
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _answer(connection, size):
    """So many bytes, or none where the other side has ended."""
    with contextlib.suppress(OSError):
        return connection.recv(size)
    return b""


def _passing_on(connection):
    """Pass signals on through a connection from now on. Returns the handlers of before, by signal."""

    def pass_on(number, _frame):
        with contextlib.suppress(OSError):
            connection.send(bytes([signal.SIGSTOP if number == signal.SIGTSTP else number]))
        if number == signal.SIGTSTP:
            os.kill(os.getpid(), signal.SIGSTOP)

    return {number: signal.signal(number, pass_on) for number in _PASSED_ON}


def _serve(listener):
    """Fork for every stage that asks, until the process that started this one has ended; the forks return.

    Returns:
        what a stage asked for, in the job that does it; None in the server, when all jobs have ended
    """
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if listener not in readable:
            break
        connection, _ = listener.accept()
        with connection:
            _preload()
            if os.fork() == 0:
                listener.close()
                return _keep(connection)
    listener.close()  # else a Snakemake that goes on alone would wait for an answer
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return None


def _preload():
    """Import what the stages need; before the first one only, so that a study with nothing to do costs nothing."""
    if "torch" not in sys.modules:
        for name in PRELOADED:
            importlib.import_module(name)
        gc.freeze()  # else a collection in a fork would copy all of it


def _keep(connection):
    """Fork the job of a stage, pass signals on to it, and its end back; returns in the job, with what was asked."""
    size, outputs, _, _ = socket.recv_fds(connection, 4, 2)
    words = b"" if size else os._exit(1)
    while missing := int.from_bytes(size, "big") - len(words):
        words += connection.recv(missing) or os._exit(1)  # the stage has ended
    asked = json.loads(words)
    if asked["prefix"] != sys.prefix:
        os._exit(0)
    job = os.fork()
    if job == 0:
        connection.close()
        return {**asked, "outputs": outputs}
    ended = os.pidfd_open(job)
    with contextlib.suppress(OSError):  # of a stage that has been killed
        connection.send(_FORKED)
        while ended not in select.select([connection, ended], [], [])[0]:
            told = connection.recv(1)
            os.kill(job, told[0] if told else signal.SIGKILL)
            if not told:
                break
    _, status = os.waitpid(job, 0)
    with contextlib.suppress(OSError):
        connection.send(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    os._exit(0)


def _do(argv, path, folder, environment, outputs, **_):
    """Do what a stage asked for, as if this process had been started by it."""
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
        os.close(output)
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(Path(argv[0]).name)  # for `top`
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = argv
    sys.path[0] = path
    script = Path(argv[0]).absolute()
    for name in [name for name in sys.modules if name.partition(".")[0] == "widedeep"]:
        del sys.modules[name]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Not by runpy, which changes sys.argv.
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    main.__file__ = str(script)
    exec(compile(script.read_bytes(), script, "exec"), vars(main))


if __name__ == "__main__":
    asked_for = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked_for:
        _do(**asked_for)
    else:
        command.end_at_once()
