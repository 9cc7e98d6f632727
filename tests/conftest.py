"""Settings for all tests: one thread a process, reproducible examples."""

import ast
import os
import signal
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# A shell that starts the tests in the background lets them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("reproducible")


# Damaged files of each kind where no one asks for more.
FUZZ_CASES = 3


def pytest_addoption(parser):
    parser.addoption(
        "--fuzz-cases", type=int, default=FUZZ_CASES, metavar="N", help="damaged files of each kind (tests/fuzz)"
    )
    parser.addoption("--fuzz-seed", type=int, default=0, metavar="SEED", help="of these damages (default: 0)")
    parser.addoption(
        "--unvisited-errors", action="store_true", help="list the places that raise a UserError and did not; with -n 0"
    )


def pytest_report_header(config):
    """Tell what draws the damages, so that a run of other ones can be repeated."""
    return (
        f"damaged files: --fuzz-cases {config.getoption('--fuzz-cases')} --fuzz-seed {config.getoption('--fuzz-seed')}"
    )


def pytest_configure(config):
    """Note where each UserError of this process is made."""
    config.visited = set()
    if config.getoption("--unvisited-errors"):
        from widedeep.runtime.errors import UserError

        def note(error, *words):
            frame = sys._getframe(1)
            config.visited.add((frame.f_code.co_filename, frame.f_lineno))
            ValueError.__init__(error, *words)

        UserError.__init__ = note


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--fuzz-cases") > FUZZ_CASES:
        for report in terminalreporter.getreports("passed"):
            for ended in (value for name, value in report.user_properties if name == "ended"):
                counts = ", ".join(f"{number} {ending}" for ending, number in ended.items())
                terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {counts}")
    if not config.getoption("--unvisited-errors"):
        return
    for path in sorted(Path("scripts").resolve().rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and "UserError(" in ast.unparse(node):
                lines = range(node.lineno, node.end_lineno + 1)
                if not any((str(path), line) in config.visited for line in lines):
                    terminalreporter.write_line(f"never raised: {path}:{node.lineno}")


@pytest.fixture
def fuzz_cases(request):
    """How many damaged files of each kind a test tries."""
    return request.config.getoption("--fuzz-cases")


@pytest.fixture
def fuzz_seed(request):
    """Start of the names of a test's random streams; each seed gives other damages."""
    return request.config.getoption("--fuzz-seed")


@pytest.fixture
def ended(record_property):
    """How many cases of a kind ended in which way, for the test to count; a run of many cases shows it at its end."""
    counts = dict.fromkeys(("result", "sentence", "killed"), 0)
    record_property("ended", counts)
    return counts


def pytest_collection_modifyitems(items):
    """Fast ones first: a study takes a minute, and a cluster several."""
    items.sort(key=lambda item: [folder in item.path.parts for folder in ("slurm", "workflow")])
