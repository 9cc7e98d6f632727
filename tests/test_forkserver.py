"""Stages that fork from a process that has imported torch: they do, say and end as they would on their own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import small

from widedeep import command, forkserver

# What a stage finds at its first line, and what it is asked to do.
STAGE = """\
'''A stage.'''
import sys
preloaded = "torch" in sys.modules
ours = [name for name in sys.modules if name.startswith("widedeep")]
import json, os, signal, time
from widedeep import command
from widedeep.interruption import StopSignal


def main():
    parser = command.parser(__doc__)
    parser.add_argument("--do", default="nothing")
    args = command.start(parser)
    print(json.dumps({
        "preloaded": preloaded, "ours": ours, "pid": os.getpid(), "folder": os.getcwd(), "argv": sys.argv,
        "path": sys.path[0], "word": os.environ.get("WORD"), "address": os.environ.get("WIDEDEEP_FORK_SERVER"),
        "input": sys.stdin.read(), "file": __file__,
    }), flush=True)
    print("to standard error", file=sys.stderr)
    return TO_DO[args.do]()


def wait():
    time.sleep(60)


def wait_for_signal():
    stop = StopSignal()
    print("ready", flush=True)
    while not stop.name:
        time.sleep(0.01)
    print(stop.name)
    return 75


TO_DO = {
    "nothing": lambda: 0,
    "return 3": lambda: 3,
    "end at once": lambda: os._exit(75),
    "be killed": lambda: os.kill(os.getpid(), 9),
    "fail": lambda: 1 / 0,
    "say why": lambda: sys.exit("a sentence"),
    "wait": wait,
    "wait for a signal": wait_for_signal,
}

if __name__ == "__main__":
    command.run(main)
"""


@pytest.fixture(scope="module")
def server():
    """Address of a fork server."""
    with forkserver.running():
        yield os.environ[command.FORK_SERVER]


@pytest.fixture
def stage(tmp_path, server):
    """A function that starts the stage with words; its standard output goes to out, its errors to err."""
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "widedeep").symlink_to(Path(forkserver.__file__).parent)
    (tmp_path / "below").mkdir()

    def start(*words, **environment):
        return subprocess.Popen(
            [sys.executable, "../stage.py", *words],
            cwd=tmp_path / "below",
            env={**os.environ, command.FORK_SERVER: server, **environment},
            stdout=open(tmp_path / "out", "w"),
            stderr=open(tmp_path / "err", "w"),
            stdin=subprocess.DEVNULL,
        )

    return start


@pytest.fixture
def new_server(monkeypatch):
    """A function that makes a fork server: a context of its process and its address."""
    monkeypatch.setenv(command.FORK_SERVER, "of the others")  # so that theirs comes back

    @contextlib.contextmanager
    def make():
        before = psutil.Process().children()
        with forkserver.running():
            (process,) = {*psutil.Process().children()} - {*before}
            yield process, {command.FORK_SERVER: os.environ[command.FORK_SERVER]}

    return make


def said(folder, lines=1):
    """What the stage printed first, once so many lines are there."""
    deadline = time.monotonic() + 60
    while (text := (folder / "out").read_text()).count("\n") < lines:
        assert time.monotonic() < deadline, text + (folder / "err").read_text()
        time.sleep(0.02)
    return json.loads(text.splitlines()[0])


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_fork_finds_what_the_stage_was_given(stage, tmp_path):
    found = []
    for environment in ({"WORD": "given"}, {"WORD": "given", command.FORK_SERVER: "none"}):
        process = stage("--do", "return 3", **environment)
        assert process.wait() == 3
        found.append(said(tmp_path))
        assert (tmp_path / "err").read_text() == "to standard error\n"
        assert (found[-1]["pid"] == process.pid) == (len(found) == 2)
    forked, alone = found
    assert forked.pop("preloaded")
    assert not alone.pop("preloaded")
    assert forked["ours"] == []  # edits of the project's code count
    assert forked["word"] == "given"
    del forked["pid"], alone["pid"]
    assert forked == alone


def test_it_ends_as_its_fork_ends(stage, tmp_path):
    assert stage().wait() == 0
    assert stage("--do", "end at once").wait() == 75
    assert stage("--do", "be killed").wait() == -signal.SIGKILL
    assert stage("--do", "fail").wait() == 1
    assert "ZeroDivisionError" in (tmp_path / "err").read_text()
    assert stage("--do", "say why").wait() == 1
    assert (tmp_path / "err").read_text().endswith("\na sentence\n")


@pytest.mark.parametrize(
    ("number", "what", "status"),
    [
        (signal.SIGTERM, "wait for a signal", 75),
        (signal.SIGINT, "wait for a signal", 75),
        (signal.SIGTERM, "wait", -signal.SIGTERM),
        (signal.SIGINT, "wait", command.INTERRUPTED),
    ],
)
def test_signals_reach_the_fork(number, what, status, stage, tmp_path):
    process = stage("--do", what)
    said(tmp_path, 2 if "signal" in what else 1)
    process.send_signal(number)
    assert process.wait(30) == status
    if status == 75:
        assert (tmp_path / "out").read_text().splitlines()[-1] == number.name


def test_a_stage_that_stops_or_is_killed_takes_its_fork_along(stage, tmp_path):
    process = stage("--do", "wait")
    fork = psutil.Process(said(tmp_path)["pid"])
    assert fork.name() == "stage.py"
    process.send_signal(signal.SIGTSTP)
    wait_until(lambda: fork.status() == psutil.STATUS_STOPPED)
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: fork.status() == psutil.STATUS_SLEEPING)
    process.kill()
    wait_until(lambda: not fork.is_running())
    assert process.wait() == -signal.SIGKILL


def test_more_threads_and_processes_of_torchrun_are_not_forked(stage, tmp_path):
    for words, environment in ((["--threads", "2"], {}), ([], {"RANK": "0"})):
        process = stage(*words, **environment)
        assert process.wait() == 0
        found = said(tmp_path)
        assert found["pid"] == process.pid
        assert not found["preloaded"]


def test_a_stage_of_another_python_is_refused_and_runs_itself(server):
    """As in the conda environment of a rule."""
    words = json.dumps({"argv": ["x"], "folder": "/", "environment": {}, "prefix": "/another"}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server)
        socket.send_fds(connection, [len(words).to_bytes(4, "big")], [1, 2])
        connection.sendall(words)
        assert connection.recv(1) == b""


def test_when_the_server_is_killed_its_jobs_go_on_and_stages_run_themselves(stage, tmp_path, new_server):
    with new_server() as (server, address):
        forked = stage("--do", "wait for a signal", **address)
        assert said(tmp_path, 2)["pid"] != forked.pid
        server.kill()
        server.wait()
        process = stage(**address)
        assert process.wait(30) == 0
        assert said(tmp_path)["pid"] == process.pid
        forked.terminate()
        assert forked.wait(30) == 75


def test_the_server_ends_with_the_study_but_not_before_its_jobs(stage, tmp_path, new_server):
    with new_server() as (server, address):
        process = stage("--do", "wait for a signal", **address)
        assert said(tmp_path, 2)["pid"] != process.pid
        assert server.num_threads() == 1  # of several, a fork has one, and perhaps the locks of the others
    assert server.is_running()
    assert command.FORK_SERVER not in os.environ
    process.terminate()
    assert process.wait() == 75
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


def test_a_server_without_jobs_has_ended_when_its_study_has(new_server):
    """So that what it used counts as the study's."""
    with new_server() as (server, _):
        pass
    assert not server.is_running()


def test_stages_of_a_snakemake_that_goes_on_alone_run_themselves(stage, tmp_path):
    """While the server, whose study was killed, waits for its last job."""
    study = """
import os, sys
from widedeep import command, forkserver
with forkserver.running():
    print(os.environ[command.FORK_SERVER], flush=True)
    sys.stdin.read()
"""
    words, environment = [sys.executable, "-c", study], {**os.environ, "PYTHONPATH": "scripts"}
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        address = killed.stdout.readline().strip()
        last = stage("--do", "wait for a signal", **{command.FORK_SERVER: address})
        assert said(tmp_path, 2)["pid"] != last.pid
        killed.kill()
    process = stage(**{command.FORK_SERVER: address})
    assert process.wait(30) == 0
    assert said(tmp_path)["pid"] == process.pid
    last.terminate()
    assert last.wait() == 75
    shutil.rmtree(Path(address).parent)


def test_without_room_for_its_socket_there_is_no_server(tmp_path, monkeypatch):
    monkeypatch.delenv(command.FORK_SERVER, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 100)))  # longer than the address of a socket
    (tmp_path / ("x" * 100)).mkdir()
    for _ in range(2):
        with forkserver.running():
            assert command.FORK_SERVER not in os.environ
        monkeypatch.setattr("tempfile.tempdir", "/nowhere")


def test_a_training_in_a_fork_gives_the_same_bits(server, tmp_path):
    files = []
    data = small.write_dataset(tmp_path / "dataset.h5")
    for name, address in (("fork", server), ("alone", "none")):
        words = ["scripts/train.py", "--data", data, "--depth", "8", "--seed", "1"]
        words += ["--epochs", "1", "--batch-size", "16"]
        environment = {**os.environ, command.FORK_SERVER: address}
        subprocess.run([sys.executable, *words, "--out", tmp_path / name], env=environment, check=True)
        files.append((tmp_path / name / "model.safetensors").read_bytes())
    assert files[0] == files[1]
