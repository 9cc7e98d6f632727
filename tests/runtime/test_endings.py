"""The ends of logs: what became of a job."""

import subprocess
import sys
from pathlib import Path

import pytest

from widedeep.runtime import endings

SCRIPTS = Path(__file__).parents[2] / "scripts"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n'


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "job.log").write_text(text)
        return endings.read_log(tmp_path / "job.log")

    return read


@pytest.mark.parametrize(
    ("text", "last_line", "was_stopped", "has_error"),
    [
        ("", "", False, False),
        ("epoch 1\n\n  \n", "epoch 1", False, False),
        (
            "epoch 1\n" + endings.error_line("x.h5: no such file; make it."),
            "error: x.h5: no such file; make it.",
            False,
            True,
        ),
        (
            "epoch 1\n" + endings.stopped_line("SIGTERM; start it again."),
            "stopped: SIGTERM; start it again.",
            True,
            False,
        ),
        (TRACEBACK + "KeyError: 'a'\n", "KeyError: 'a'", False, True),
        # A Python that was interrupted before it listened to signals, and one that was stopped after an error.
        (TRACEBACK + "KeyboardInterrupt\n", "KeyboardInterrupt", True, False),
        ("error: an attempt before\n" + endings.stopped_line("SIGTERM."), "stopped: SIGTERM.", True, False),
        ("usage: train.py [-h]\ntrain.py: error: the following arguments are required: --data\n", None, False, True),
        # Neither at the beginning of a line, nor of a program.
        ("loss 0.1, error: 0.5\n", "loss 0.1, error: 0.5", False, False),
        ("stopped: once\nfinished\n", "finished", False, False),
    ],
)
def test_each_kind_of_ending(read, text, last_line, was_stopped, has_error):
    log = read(text)
    assert log.last_line == (text.splitlines()[-1] if last_line is None else last_line)
    assert (log.was_stopped, log.has_error) == (was_stopped, has_error)


def test_a_log_has_its_path_and_its_time(read, tmp_path):
    log = read("epoch 1\n")
    assert log.path == tmp_path / "job.log"
    assert log.changed == log.path.stat().st_mtime


@pytest.mark.parametrize("missing", [None, "none.log", "."])
def test_what_is_no_log_is_an_empty_one(tmp_path, missing):
    assert endings.read_log(missing and tmp_path / missing) == endings.Log()


def test_of_a_long_log_the_end_is_read(read):
    log = read("error: at the beginning\n" + "epoch\n" * 10_000 + "finished\n")
    assert (log.last_line, log.has_error) == ("finished", False)


def test_bytes_that_are_no_text_do_no_harm(tmp_path):
    (tmp_path / "job.log").write_bytes(b"\xff\xfe\nerror: x\xff: is wrong.\n")
    log = endings.read_log(tmp_path / "job.log")
    assert log.has_error
    assert log.last_line.startswith("error: x")


@pytest.mark.parametrize(
    ("end", "was_stopped", "has_error"),
    [
        ("raise errors.UserError('x: is wrong.')", False, True),
        ("raise ValueError('a bug')", False, True),
        ("print(endings.stopped_line('SIGTERM.')); return 75", True, False),
        ("print('finished')", False, False),
    ],
)
def test_what_programs_write_is_understood(tmp_path, end, was_stopped, has_error):
    code = f"from widedeep.runtime import command, endings, errors\ndef main():\n    {end}\ncommand.run(main)"
    with open(tmp_path / "job.log", "w") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, stderr=subprocess.STDOUT, cwd=SCRIPTS)
    log = endings.read_log(tmp_path / "job.log")
    assert (log.was_stopped, log.has_error) == (was_stopped, has_error)
