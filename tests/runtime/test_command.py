"""What all programs share: threads, timings, and how they end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(code, **options):
    """Run Python code in a process of its own, as the libraries read their number of threads once."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), **options.pop("env", {})}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, "-c", code], text=True, env=environment, **options)


def program(*lines):
    """A program whose main has these lines."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"from widedeep.runtime import command, errors\ndef main():\n{body}\ncommand.run(main)"


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_reach_every_library(threads):
    variables = "os.environ['OPENBLAS_NUM_THREADS'], os.environ['MKL_NUM_THREADS']"
    result = run(
        f"from widedeep.runtime import command\n"
        f"command.start(command.parser('x'), ['--threads', '{threads}'])\n"
        f"import torch, os\n"
        f"print(torch.get_num_threads(), {variables})"
    )
    assert result.stdout.split() == [str(threads)] * 3


@pytest.mark.parametrize("threads", ["0", "-1", "1.5", "many"])
def test_a_number_of_threads_that_is_none_is_refused(threads):
    result = run(program(f"command.start(command.parser('x'), ['--threads', '{threads}'])"))
    assert result.returncode == 2
    assert "--threads" in result.stderr
    assert threads in result.stderr


@pytest.mark.parametrize(("work", "least", "most"), [("pass", 5, 100), ("held = b'1' * (150 * 2**20)", 155, 250)])
def test_a_job_notes_its_own_time_and_memory_and_not_those_of_who_started_it(tmp_path, work, least, most):
    timing = tmp_path / "timings/job.tsv"
    held = bytearray(b"\1" * 300 * 2**20)
    result = run(program(f"command.start(command.parser(''), ['--timing', '{timing}'])", work))
    assert result.returncode == 0, result.stderr
    header, values = timing.read_text().splitlines()
    assert header.split("\t") == ["s", "cpu_time", "max_rss"]
    assert least < float(values.split("\t")[2]) < most
    assert len(held) > 2**20


def test_a_job_that_fails_notes_nothing(tmp_path):
    start = f"command.start(command.parser(''), ['--timing', '{tmp_path}/job.tsv'])"
    for end in ("return 75", "raise errors.UserError('x: is wrong.')", "raise KeyError"):
        assert run(program(start, end)).returncode != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("end", "status", "last_line"),
    [
        ("return None", 0, ""),
        ("return 75", 75, ""),
        ("raise errors.UserError('x.h5: no such file; make it.')", 1, "error: x.h5: no such file; make it."),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise KeyError('a bug')", 1, "KeyError: 'a bug'"),
    ],
)
def test_how_a_program_ends(end, status, last_line):
    result = run(program("print('said')", end))
    assert (result.returncode, result.stdout) == (status, "said\n")
    assert [*result.stderr.splitlines(), ""][-1 if not result.stderr else -2] == last_line
    assert ("Traceback" in result.stderr) == ("bug" in end)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_log_that_cannot_be_written_is_explained(unbuffered):
    """Block by block, as to a file, and at once, as PYTHONUNBUFFERED has it."""
    with open("/dev/full", "w") as full:
        said = run(program("print('finished')"), stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
    assert said.returncode == 1
    (line,) = said.stderr.splitlines()
    assert line.startswith("error: the output of this program: ")
    assert "the disk is full" in line
