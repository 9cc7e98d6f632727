"""Two jobs never write the same files at once: real processes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import small

from widedeep.runtime import locking
from widedeep.runtime.interruption import STOPPED

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Each goes on when its input ends.
HOLD = """
import sys
from widedeep.runtime import locking
with locking.only_writer(sys.argv[1:]):
    print("held", flush=True)
    sys.stdin.read()
"""
TRAIN = """
import sys
import train
from widedeep.runtime import command
def pause(path, state):
    print("working", flush=True)
    sys.stdin.read()
train.Clock.is_due = lambda clock: clock.seconds == 1  # of the progress
train.report_progress = pause
command.run(train.main)
"""
WRITE = """
import sys
from widedeep.runtime import command, files
parser = command.parser("A stage that writes what it reads.")
parser.add_argument("--out")
args = command.start(parser, writes=["out"])
print("working", flush=True)
with files.replacing(args.out) as unfinished:
    unfinished.write_text(sys.stdin.readline())
"""


def start(command):
    return subprocess.Popen(command, cwd=SCRIPTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of the folder `one`."""
    command = [sys.executable, "-c", HOLD, tmp_path / "one/model.safetensors"]
    with start(command) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def start_training(folder, epochs=1, program=("train.py",)):
    data = folder / "data.h5"
    if not data.exists():
        small.write_dataset(data)
    options = ["--epochs", str(epochs), "--batch-size", "16", "--depth", "8", "--seed", "1"]
    files = ["--data", data, "--out", folder / "one", "--progress", folder / "progress.json"]
    return start([sys.executable, *program, *files, *options])


def start_paused_training(folder):
    """A training that waits after its first step."""
    process = start_training(folder, program=("-c", TRAIN))
    assert process.stdout.readline() == "working\n"
    return process


def test_a_second_training_waits_and_can_be_stopped(tmp_path, holder):
    with start_training(tmp_path) as process:
        assert f"{tmp_path}/one/model.safetensors" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == STOPPED
    assert holder.poll() is None
    assert [path.name for path in (tmp_path / "one").iterdir()] == [".model.safetensors.lock"]


def test_it_goes_on_when_the_first_was_killed(tmp_path, holder):
    with start_training(tmp_path) as process:
        assert "waiting" in process.stdout.readline()
        holder.kill()
        assert process.wait() == 0
    assert (tmp_path / "one/model.safetensors").exists()


def both(first, second):
    """What the second of two processes says, which waits for the first."""
    waiting = second.stdout.readline()
    assert "waiting" in waiting
    first.communicate()
    said, _ = second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    return said


def test_two_at_once_train_once(tmp_path):
    with start_paused_training(tmp_path) as first, start_training(tmp_path) as second:
        assert both(first, second).startswith(f"{tmp_path}/one: is trained already")
    provenance = json.loads((tmp_path / "one/provenance.json").read_text())
    assert len(provenance["attempts"]) == 1


def test_other_work_of_the_first_is_not_taken_for_ones_own(tmp_path):
    with start_paused_training(tmp_path) as first, start_training(tmp_path, epochs=2) as second:
        assert "blobs-resnet8-w1-f100/seed1: test accuracy" in both(first, second)
    provenance = json.loads((tmp_path / "one/provenance.json").read_text())
    assert provenance["settings"]["epochs"] == 2


def test_the_lock_of_this_process_keeps_others_out(tmp_path):
    with locking.only_writer([tmp_path / "one/model.safetensors"]) as waited:
        assert not waited
        with start_training(tmp_path) as process:
            assert "waiting" in process.stdout.readline()
            process.kill()


def test_where_there_are_no_locks_it_says_so_and_goes_on(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locking.fcntl, "lockf", refuse)
    with locking.only_writer([tmp_path / "x"]) as waited:
        assert not waited
    assert f"{tmp_path}/.x.lock: " in capsys.readouterr().out


def start_writing(path):
    return start([sys.executable, "-c", WRITE, "--out", path])


def test_the_job_that_began_last_writes_last(tmp_path):
    """As when Snakemake was killed, the config changed, and the old job still runs beside the new one."""
    with start_writing(tmp_path / "x") as old:
        assert old.stdout.readline() == "working\n"
        with start_writing(tmp_path / "x") as new:
            assert f"{tmp_path}/x: " in new.stdout.readline()
            new.stdin.write("new")
            new.stdin.close()
            old.communicate("old")
            assert new.wait() == 0
    assert (tmp_path / "x").read_text() == "new"


def test_jobs_of_one_folder_do_not_wait_for_each_other(tmp_path):
    with start_writing(tmp_path / "x") as first, start_writing(tmp_path / "y") as second:
        assert first.stdout.readline() == second.stdout.readline() == "working\n"
        first.communicate("x")
        second.communicate("y")


def test_what_a_killed_job_left_half_written_is_removed_and_nothing_else(tmp_path):
    for name in (".x.h5.node.1.unfinished.h5", ".y.h5.node.1.unfinished.h5", "x.h5", ".x.h5.old"):
        (tmp_path / name).write_text("")
    left = tmp_path / ".unpacked.node.2.unfinished"
    left.mkdir()
    (left / "page.png").write_text("")
    with locking.only_writer([tmp_path / "x.h5", tmp_path / "unpacked"]):
        names = {path.name for path in tmp_path.iterdir()}
    assert names == {".x.h5.lock", ".y.h5.node.1.unfinished.h5", "x.h5", ".x.h5.old"}


def test_where_there_are_no_locks_nothing_is_removed(tmp_path, monkeypatch):
    """It may be another node's that still works on it."""

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locking.fcntl, "lockf", refuse)
    (tmp_path / ".x.node.1.unfinished").write_text("")
    with locking.only_writer([tmp_path / "x"]):
        assert (tmp_path / ".x.node.1.unfinished").exists()
